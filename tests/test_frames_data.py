"""From frames on disk to databases: crops, balance, splits, reduced sets, and what is refused or skipped."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep import databases, frames
from data_prep.frames_patches import IndexedFrame, choose_crops, cut, scaled_size
from data_prep.frames_scales import SCALES
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv

SPLITS = ("train", "val", "test")
SIZE = 131


def draw_set(root: Path, n_videos: int = 8, n_frames: int = 6) -> Path:
    """Folders of the two classes with one folder per video: random texture; informative where the number is even."""
    rng = np.random.default_rng(5)
    for video in range(n_videos):
        for frame in range(n_frames):
            home = root / ("non-informative" if frame % 2 else "informative") / f"v{video}"
            home.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(home / f"{frame}.png"), rng.integers(0, 255, (175, 250, 3), np.uint8))
    return root


def options(data: Path, **changes: Any) -> frames.Options:
    scale = replace(SCALES["smoke"], crops_per_frame=4, test_crops_per_frame=2)
    return replace(frames.Options("frames", data, scale, 0, "alexnet_half", False, 1), **changes)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(folder of the set, folder of its databases, manifest), made once; data/ lies in the first one's parent."""
    place = tmp_path_factory.mktemp("frames")
    root = draw_set(place / "set")
    before = Path.cwd()
    os.chdir(place)
    try:
        folder, made = frames.prepare(options(root))
    finally:
        os.chdir(before)
    return root, place / folder, made


def datums(path: Path) -> list[tuple[str, Any]]:
    with lmdb.open(str(path), readonly=True) as environment, environment.begin() as txn:
        return [(key.decode(), caffe_pb2.Datum.FromString(value)) for key, value in txn.cursor()]


def test_every_crop_is_cut_from_its_frame_and_has_its_label(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, _ = prepared
    table = {row["frame_id"]: row for row in read_csv(folder.parent / "frames" / "frames.csv")}
    rows = read_csv(folder / "patches.csv")
    assert list(rows[0]) == ["key", "label", "group_id", "split", "frame_id", "x0_px", "y0_px"]
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        for row, (key, datum) in zip(own, datums(folder / f"{split}_lmdb"), strict=True):
            frame = table[row["frame_id"]]
            assert (key, datum.label) == (row["key"], int(row["label"]))
            assert row["label"] == frame["label"] == str(int(row["frame_id"].startswith("informative")))
            (patch,) = cut(folder.parent / frame["path"], [(int(row["x0_px"]), int(row["y0_px"]))], SIZE)
            stored = np.frombuffer(datum.data, np.uint8).reshape(3, SIZE, SIZE)
            np.testing.assert_array_equal(stored[::-1].transpose(1, 2, 0), patch)


def test_no_video_is_in_two_splits_and_train_and_val_are_balanced(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, _, made = prepared
    videos = [set(made["groups"][split]) for split in SPLITS]
    assert sum(map(len, videos)) == len(set.union(*videos)) == 8
    for split in ("train", "val"):
        assert made["counts"][split]["positive"] == made["counts"][split]["negative"] > 0
    assert made["counts"]["test"] == {"patches": 48, "positive": 24, "negative": 24, "frames": 24, "groups": 4}
    assert (made["group_unit"], made["is_phantom"], made["training_set"]["fraction"]) == ("video", False, 1.0)


def test_a_paper_frame_is_not_resized_and_other_sizes_see_the_same_share() -> None:
    assert scaled_size(500, 350, 227) == (500, 350)
    assert scaled_size(1000, 700, 227) == (500, 350)
    assert scaled_size(500, 350, 131) == (289, 202)
    assert min(scaled_size(20, 3000, 227)) >= 227


def test_the_paper_net_gets_untouched_pixels(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (350, 500, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "f.png"), image[..., ::-1])
    (patch,) = cut(tmp_path / "f.png", [(273, 123)], 227)
    np.testing.assert_array_equal(patch, image[123:350, 273:500])


def test_crops_stay_within_the_frame_and_more_of_them_begin_with_the_same() -> None:
    frame = IndexedFrame("f", "v", "train", 1, 500, 350)
    crops = choose_crops(frame, 200, 227, seed=0)
    assert crops[:20] == choose_crops(frame, 20, 227, seed=0)
    assert crops != choose_crops(frame, 200, 227, seed=1)
    low, high = np.min(crops, axis=0), np.max(crops, axis=0)
    assert (low >= 0).all()
    assert (high <= (500 - 227, 350 - 227)).all()
    assert ((high - low) > (250, 110)).all()


def test_a_reduced_set_has_fewer_training_frames_in_its_own_folder(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, whole, made = prepared
    monkeypatch.chdir(tmp_path)
    used: dict[float, set[str]] = {}
    for fraction in (0.25, 0.5):
        folder, reduced = frames.prepare(options(root, fraction=fraction))
        assert folder.name == f"{whole.name}-fraction{fraction}"
        assert reduced["databases"]["test"] == made["databases"]["test"]
        used[fraction] = {row["frame_id"] for row in read_csv(folder / "patches.csv") if row["split"] != "test"}
        assert f"training set reduced to {100 * fraction:g} % by frame" in frames.report(folder, reduced)
    assert 0 < len(used[0.25]) < len(used[0.5]) < 24
    assert used[0.25] < used[0.5]


def test_reduced_sets_are_nested_and_leave_enough_frames_to_validate_on() -> None:
    of = {"train": 240, "val": 80, "test": 320}
    indexed = [IndexedFrame(f"{s}{k}", "v", s, int(k % 5 < 2), 500, 350) for s, n in of.items() for k in range(n)]
    labels = {(frame.split, frame.frame_id): frame.label for frame in indexed}
    reduced = [frames.reduce_frames(indexed, fraction, seed=0) for fraction in (0.01, 0.05, 0.1, 0.5, 1.0)]
    assert all(small.kept <= large.kept for small, large in itertools.pairwise(reduced))
    counts = [Counter((split, labels[split, unit]) for split, unit in each.kept) for each in reduced]
    assert [(c["train", 0], c["train", 1]) for c in counts] == [(1, 1), (7, 5), (14, 10), (72, 48), (144, 96)]
    assert [c["val", 1] for c in counts] == [10, 10, 10, 16, 32]
    assert all(c["val", 0] >= c["val", 1] for c in counts)
    assert len(reduced[-1].kept) == 320
    assert reduced[0].keeps("test", "test0")


def test_patch_level_validation_shares_videos_with_train_but_not_with_test(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, _ = prepared
    monkeypatch.chdir(tmp_path)
    _, made = frames.prepare(options(root, patch_level_validation=True))
    train, val, test = (set(made["groups"][split]) for split in SPLITS)
    assert val <= train
    assert not train & test
    n_train, n_val = made["counts"]["train"]["patches"], made["counts"]["val"]["patches"]
    assert n_val == round(0.2 * (n_train + n_val))


def test_the_rarer_class_is_kept_whole_whichever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set")
    for video in range(8):
        (root / "non-informative" / f"v{video}" / "1.png").unlink()
    _, made = frames.prepare(options(root))
    assert made["counts"]["train"]["positive"] == made["counts"]["train"]["negative"]
    assert made["counts"]["train"]["negative"] == 2 * 4 * made["counts"]["train"]["groups"]


def test_two_workers_make_the_same_databases_as_one(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, made = prepared
    monkeypatch.chdir(tmp_path)
    assert frames.prepare(options(root, workers=2))[1]["databases"] == made["databases"]


def test_frames_of_unknown_videos_are_split_one_by_one_and_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_set(tmp_path / "drawn", n_videos=4)
    for number, path in enumerate(sorted((tmp_path / "drawn").rglob("*.png"))):
        label = path.parent.parent.name
        home = tmp_path / "set" / label
        home.mkdir(parents=True, exist_ok=True)
        path.rename(home / f"{number}.png")
    folder, made = frames.prepare(options(tmp_path / "set"))
    assert made["group_unit"] == "image"
    assert "NOTE: nothing says which video or patient a frame is of" in frames.report(folder, made)


def test_an_unreadable_frame_among_many_is_listed_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set")
    (root / "informative" / "v3" / "2.png").write_bytes(b"no image")
    folder, made = frames.prepare(options(root))
    (skipped,) = read_csv(folder.parent / "frames" / "skipped.csv")
    assert skipped["frame_id"] == "informative/v3/2"
    assert "cannot be decoded" in skipped["reason"]
    assert "1 frames could not be read and were left out" in frames.report(folder, made)
    assert "informative/v3/2" not in {row["frame_id"] for row in read_csv(folder / "patches.csv")}


def test_many_unreadable_frames_are_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set")
    for path in (root / "informative").rglob("2.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="8 of 48 frames cannot be read, more than 5%"):
        frames.prepare(options(root))
    assert [path.name for path in (tmp_path / "data" / "frames").glob("*/*")] == [".lock"]


def test_a_relabelled_frame_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "set"
    draw_set(root)
    rows = [f"{path.relative_to(root).as_posix()},{path.parent.parent.name},{path.parent.name}"
            for path in sorted(root.rglob("*.png"))]  # fmt: skip
    (root / "labels.csv").write_text("\n".join(["path,label,group_id", *rows]))
    _, first = frames.prepare(options(root))
    rows[0], rows[-1] = rows[0].replace(",informative", ",0"), rows[-1].replace(",non-informative", ",1")
    (root / "labels.csv").write_text("\n".join(["path,label,group_id", *rows]))
    _, second = frames.prepare(options(root))
    assert first["reader"] == "folder and CSV"
    assert second["databases"] != first["databases"]


def test_too_few_videos_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="2 groups with informative frames are left for the splits train, val, test"):
        frames.prepare(options(draw_set(tmp_path / "set", n_videos=2)))


def test_a_set_of_one_class_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set")
    (root / "labels.csv").write_text(
        "\n".join(["path,label,group_id", *(f"informative/v{v}/{k}.png,1,v{v}" for v in range(8) for k in (0, 2, 4))])
    )
    with pytest.raises(DataError, match="frames, none of class 0"):
        frames.prepare(options(root))
    assert not list((tmp_path / "data").rglob("*_lmdb"))


def test_a_video_in_two_published_splits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set", n_videos=1)
    (root / "labels.csv").write_text(
        "path,label,group_id,split\ninformative/v0/0.png,1,v0,train\ninformative/v0/2.png,1,v0,test\n"
    )
    with pytest.raises(DataError, match="video v0 has frames of the split 'test' and of 'train'"):
        frames.prepare(options(root))


def test_a_cut_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    patch = databases.PlannedPatch("00000000_a", 1, "g", "s", {"frame_id": "f"}, None)
    planned = {split: [patch] for split in SPLITS}
    with pytest.raises(ValueError, match=r"a patch is float64 \(2, 2, 3\), expected uint8 \(8, 8, 3\)"):
        databases.build_databases(
            planned, {"s": 0}, lambda *_: [np.zeros((2, 2, 3))] * 3, tmp_path / "d", size=8, facts={}, workers=1
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["--crops-per-frame", "0"], ["--fraction", "0"], ["--fraction", "1.5"], ["--fraction", "nan"], ["--scale", "x"]],
)
def test_options_that_cannot_be_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        frames.parse_options(arguments)


def test_paper_scale_is_the_papers_total() -> None:
    paper = SCALES["paper"]
    assert 2000 * paper.crops_per_frame == paper.max_train_patches + paper.max_val_patches == 40_000
