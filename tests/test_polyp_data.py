"""From raw frames on disk to databases: both stages, what they record, and how they refuse and resume."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep import databases, parallel, polyp
from data_prep.hit_criterion import HIT_CRITERION
from data_prep.manifest import read_manifest
from data_prep.patches import extract
from data_prep.polyp_detector.edge_classifier import TREES
from data_prep.polyp_readers import read_image_rgb
from data_prep.scales import SCALES
from layerwise.errors import DataError, UsageError
from layerwise.files import read_csv
from layerwise.records import PatchTransform

N_VIDEOS, N_FRAMES = 8, 3


def draw_set(root: Path, with_polyps: Callable[[int, int], bool]) -> Path:
    """A small set in CVC-ClinicVideoDB's layout: red discs on a textured wall, where with_polyps(video, frame)."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:96, :128]
    for video in range(1, N_VIDEOS + 1):
        folder = root / "CVC-VideoClinicDBtrain_valid" / str(video)
        folder.mkdir(parents=True)
        for frame in range(1, N_FRAMES + 1):
            texture = cv2.GaussianBlur(rng.normal(0, 40, (96, 128)).astype(np.float32), (0, 0), 3)
            image = np.dstack([0.6 * (120 + texture), 0.8 * (120 + texture), 1.3 * (120 + texture)])
            disc = np.hypot(columns - rng.integers(30, 98), rows - rng.integers(30, 66)) < rng.integers(10, 18)
            if with_polyps(video, frame):
                image[disc] *= (0.95, 0.95, 1.25)
            mask = np.where(disc & with_polyps(video, frame), 255, 0).astype(np.uint8)
            cv2.imwrite(str(folder / f"{video}_{frame}.png"), image.clip(0, 255).astype(np.uint8))
            cv2.imwrite(str(folder / f"{video}_{frame}_mask.png"), mask)
    return root


def half(video: int, frame: int) -> bool:
    return video <= 6 and frame <= 2


@pytest.fixture(autouse=True, scope="module")
def few_trees() -> Iterator[None]:
    """A detector that is fitted in no time; what it is worth is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TREES, "max_iter", 4)
        yield


def options(data: Path, **changes: Any) -> polyp.Options:
    scale = replace(SCALES["smoke"], patches_per_candidate=3, max_train_patches=60, max_val_patches=30)
    return replace(polyp.Options("polyp", data, scale, 0, "alexnet_half", False, 1), **changes)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(folder of the set, folder of its databases, manifest), made once; data/ lies in the first one's parent."""
    place = tmp_path_factory.mktemp("polyp")
    root = draw_set(place / "set", half)
    before = Path.cwd()
    os.chdir(place)
    try:
        folder, made = polyp.prepare(options(root))
    finally:
        os.chdir(before)
    return root, place / folder, made


def datums(path: Path) -> list[tuple[str, Any]]:
    with lmdb.open(str(path), readonly=True) as environment, environment.begin() as txn:
        return [(key.decode(), caffe_pb2.Datum.FromString(value)) for key, value in txn.cursor()]


def test_databases_patches_csv_and_manifest_agree(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, made = prepared
    rows = read_csv(folder / "patches.csv")
    for split in ("train", "val", "test"):
        records = datums(folder / f"{split}_lmdb")
        own = [row for row in rows if row["split"] == split]
        assert [(key, datum.label) for key, datum in records] == [(row["key"], int(row["label"])) for row in own]
        assert made["counts"][split]["patches"] == made["databases"][split]["count"] == len(records)
        assert made["counts"][split]["positive"] == sum(datum.label for _, datum in records)
        assert all((datum.channels, datum.height, datum.width) == (3, 131, 131) for _, datum in records)


def test_every_patch_is_its_candidates_box_cut_from_its_frame(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, _ = prepared
    dataset = folder.parent
    frames = {row["frame_id"]: row for row in read_csv(dataset / "candidates" / "frames.csv")}
    boxes = {row["candidate_id"]: row for row in read_csv(dataset / "candidates" / "candidates.csv")}
    pixels = dict(datums(folder / "train_lmdb"))
    for row in read_csv(folder / "patches.csv")[:20]:
        box = tuple(float(boxes[row["candidate_id"]][name]) for name in ("x0_px", "y0_px", "x1_px", "y1_px"))
        transform = PatchTransform(
            float(row["scale"]), float(row["shift_x"]), float(row["shift_y"]), int(row["dihedral"])
        )
        image = read_image_rgb(dataset / frames[row["frame_id"]]["path"])
        patch = np.frombuffer(pixels[row["key"]].data, np.uint8).reshape(3, 131, 131)
        np.testing.assert_array_equal(patch[::-1].transpose(1, 2, 0), extract(image, box, transform, 131))


def test_labels_are_those_of_the_masks(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    root, folder, made = prepared
    assert made["hit_criterion"] == HIT_CRITERION
    for row in read_csv(folder.parent / "candidates" / "candidates.csv"):
        video = row["group_id"]
        mask_path = root / "CVC-VideoClinicDBtrain_valid" / video / f"{row['frame_id']}_mask.png"
        mask = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        x = int((float(row["x0_px"]) + float(row["x1_px"])) / 2)
        y = int((float(row["y0_px"]) + float(row["y1_px"])) / 2)
        assert int(row["label"]) == int(mask[y, x] > 0) == int(row["lesion_id"] != "")


def test_no_video_is_in_two_splits_and_train_and_val_are_balanced(
    prepared: tuple[Path, Path, dict[str, Any]],
) -> None:
    _, folder, made = prepared
    videos = [set(made["groups"][split]) for split in ("train", "val", "test")]
    assert sum(map(len, videos)) == len(set.union(*videos))
    for split in ("train", "val"):
        assert made["counts"][split]["positive"] == made["counts"][split]["negative"] > 0
    candidates = read_csv(folder.parent / "candidates" / "candidates.csv")
    assert made["counts"]["test"]["candidates"] == sum(row["split"] == "test" for row in candidates)
    assert not made["is_phantom"]
    assert made["fp_unit"] == "fps_per_frame"


def test_every_test_candidate_has_equally_many_patches(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, _ = prepared
    of_candidate: dict[str, int] = {}
    for row in read_csv(folder / "patches.csv"):
        if row["split"] == "test":
            of_candidate[row["candidate_id"]] = of_candidate.get(row["candidate_id"], 0) + 1
    assert set(of_candidate.values()) == {SCALES["smoke"].test_patches_per_candidate}


def test_training_keys_are_in_shuffled_order(prepared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, folder, _ = prepared
    labels = [int(row["label"]) for row in read_csv(folder / "patches.csv") if row["split"] == "train"]
    changes = sum(a != b for a, b in pairwise(labels))
    assert changes > len(labels) / 4


def test_nothing_is_done_when_nothing_changed_and_all_is_when_a_mask_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set", half)
    folder, first = polyp.prepare(options(root))
    stamps = {path: path.stat().st_mtime_ns for path in sorted(folder.parent.rglob("*")) if path.name != ".lock"}
    assert polyp.prepare(options(root)) == (folder, first)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    image = root / "CVC-VideoClinicDBtrain_valid" / "1" / "1_1.png"
    assert cv2.imwrite(str(image), np.full((96, 128, 3), 90, np.uint8))
    _, second = polyp.prepare(options(root))
    assert second["source_sha256"] != first["source_sha256"]


def test_two_workers_make_the_same_databases_as_one(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, made = prepared
    monkeypatch.chdir(tmp_path)
    _, again = polyp.prepare(options(root, workers=2))
    for key in ("databases", "patches_csv_sha256", "detector_sha256", "source_sha256"):
        assert again[key] == made[key]


def test_another_seed_makes_other_splits_or_order(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, made = prepared
    monkeypatch.chdir(tmp_path)
    assert polyp.prepare(options(root, seed=1))[1]["databases"] != made["databases"]


def test_patch_level_validation_shares_videos_with_train_but_not_with_test(
    prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, _ = prepared
    monkeypatch.chdir(tmp_path)
    _, made = polyp.prepare(options(root, patch_level_validation=True))
    train, val, test = (set(made["groups"][split]) for split in ("train", "val", "test"))
    assert made["validation"] == "patch"
    assert val <= train
    assert not train & test
    n_train, n_val = made["counts"]["train"]["patches"], made["counts"]["val"]["patches"]
    assert n_val == round(0.2 * (n_train + n_val))


def test_sets_without_negative_frames_count_per_positive_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set", lambda video, frame: True)
    folder, made = polyp.prepare(options(root))
    assert made["fp_unit"] == "fps_per_positive_frame"
    assert "POSITIVE frame" in polyp.report(folder, made)


def test_a_set_without_polyps_is_refused_and_no_database_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set", lambda video, frame: False)
    with pytest.raises(DataError, match="0 groups with lesions"):
        polyp.prepare(options(root))
    assert [path.name for path in (tmp_path / "data" / "polyp").glob("*/*")] == [".lock"]


@pytest.mark.parametrize("failing_at", ["write_lmdb", "cut_patches"])
def test_an_interrupted_build_leaves_the_candidates_and_no_half_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_at: str
) -> None:
    monkeypatch.chdir(tmp_path)
    root = draw_set(tmp_path / "set", half)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(databases, failing_at, interrupted)
        polyp.prepare(options(root))
    assert sorted(path.name for path in (tmp_path / "data" / "polyp").glob("*/*")) == [".lock", "candidates"]


def test_a_folder_of_unknown_layout_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="found there: nothing"):
        polyp.prepare(options(tmp_path / "set"))
    assert not (tmp_path / "data").exists()


def test_a_changed_patches_csv_is_noticed(prepared: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    _, folder, made = prepared
    assert read_manifest(folder)["databases"] == made["databases"]
    for name in ("manifest.json", "patches.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with (tmp_path / "patches.csv").open("a") as handle:
        handle.write("\n")
    with pytest.raises(DataError, match="It was changed"):
        read_manifest(tmp_path)


def test_missing_databases_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"python -m data_prep\.<application>"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scale", "huge"],
        ["--net", "vgg"],
        ["--patches-per-candidate", "121"],
        ["--patches-per-candidate", "0"],
        ["--max-train-patches", "1"],
        ["--seed", "-1"],
    ],
)
def test_options_that_cannot_be_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        polyp.parse_options(arguments)


def test_knobs_change_the_preset() -> None:
    given = polyp.parse_options(["--patches-per-candidate", "12", "--max-train-patches", "100", "--scale", "smoke"])
    assert (given.scale.patches_per_candidate, given.scale.test_patches_per_candidate) == (12, 12)
    assert given.scale.max_train_patches == 100


def double(number: int) -> int:
    return 2 * number


def die(number: int) -> int:
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_ordered_map_keeps_the_order(workers: int) -> None:
    assert list(parallel.ordered_map(double, list(range(40)), workers, "doubling")) == list(range(0, 80, 2))


def test_a_dying_worker_is_a_data_error() -> None:
    with pytest.raises(DataError, match="a worker process died"):
        list(parallel.ordered_map(die, [1, 2, 3], 2, "dying"))
