"""The same picture in two splits is found, however it was saved again; pictures that differ are not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from data_prep import near_duplicates, stages
from data_prep.near_duplicates import MOST_DISTANT, check_splits, nearest_hashes, summary
from layerwise.files import read_csv, write_csv, write_json


def picture(number: int, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    """A colour picture of its own, coarse and fine, as frames are."""
    noise = np.random.default_rng(number).uniform(0, 255, (*shape, 3)).astype(np.float32)
    detail = np.sum([sigma * cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1.5, 3, 6, 12)], axis=0)
    return cv2.normalize(detail, np.empty_like(detail), 10, 245, cv2.NORM_MINMAX).astype(np.uint8)


def frames(dataset: Path, rows: Sequence[tuple[str, str, str]], table: str = "candidates/frames.csv") -> Path:
    """The table of a first stage; rows: path, split, group_id."""
    (dataset / table).parent.mkdir(parents=True, exist_ok=True)
    names = ("frame_id", "path", "split", "group_id")
    write_csv(
        dataset / table, names, (dict(zip(names, (str(k), *row), strict=True)) for k, row in enumerate(rows, start=1))
    )
    return dataset


def listed(dataset: Path, folder: str = "candidates") -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in read_csv(dataset / folder / "near_duplicates.csv")]


def saved_again(image: np.ndarray, how: str) -> np.ndarray:
    if how == "half the size":
        return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if how == "brighter":
        return np.clip(image * 1.1 + 5, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), 1)


@pytest.mark.parametrize("how", ["half the size", "brighter", "blurred", "jpeg"])
def test_a_picture_saved_again_in_another_split_is_found(tmp_path: Path, how: str) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(number))
    if how == "jpeg":
        cv2.imwrite(str(tmp_path / "again.jpg"), picture(1), [cv2.IMWRITE_JPEG_QUALITY, 50])
    else:
        cv2.imwrite(str(tmp_path / "again.jpg"), saved_again(picture(1), how))
    rows = [("0.png", "train", "v0"), ("1.png", "train", "v1"), ("2.png", "val", "v2")]
    rows += [("3.png", "test", "v3"), ("again.jpg", "test", "v4"), ("4.png", "test", "v4"), ("5.png", "test", "v5")]
    found = check_splits(frames(tmp_path, rows), workers=1)
    [(*where, distance)] = listed(tmp_path)
    assert where == ["1.png", "train", "v1", "again.jpg", "test", "v4"]
    assert 0 <= int(distance) <= MOST_DISTANT
    assert found["with_near_duplicate"] == {"val": 0, "test": 1}
    assert "NOTE: 1 of 4 test images look like" in summary(found, tmp_path)
    assert str(tmp_path / "candidates" / "near_duplicates.csv") in summary(found, tmp_path)


def test_pictures_that_differ_are_not_listed(tmp_path: Path) -> None:
    for number in range(60):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(number))
    splits = ["train"] * 30 + ["val"] * 10 + ["test"] * 20
    found = check_splits(frames(tmp_path, [(f"{k}.png", s, f"v{k}") for k, s in enumerate(splits)]), workers=1)
    assert listed(tmp_path) == []
    assert summary(found, tmp_path).startswith("near-duplicates across splits: none among 60 images")


def test_equal_frames_of_one_split_are_no_concern(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    cv2.imwrite(str(tmp_path / "b.png"), picture(1))
    check_splits(frames(tmp_path, [("a.png", "train", "v1"), ("b.png", "train", "v2")]), workers=1)
    assert listed(tmp_path) == []


def test_an_image_is_listed_once_for_each_earlier_split(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(1))
    splits = ["train", "train", "val", "test"]
    found = check_splits(frames(tmp_path, [(f"{n}.png", s, n) for n, s in zip(names, splits, strict=True)]), workers=1)
    assert [(row[0], row[3]) for row in listed(tmp_path)] == [
        ("a.png", "c.png"),
        ("a.png", "d.png"),
        ("c.png", "d.png"),
    ]
    assert found["with_near_duplicate"] == {"val": 1, "test": 1}


def test_one_file_with_boxes_in_two_splits_is_listed(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    rows = [("a.png", "train", "a#1"), ("a.png", "train", "a#2"), ("a.png", "test", "a#3")]
    found = check_splits(frames(tmp_path, rows, "frames/frames.csv"), workers=1)
    assert listed(tmp_path, "frames") == [("a.png", "train", "a#1", "a.png", "test", "a#3", "0")]
    assert found["images"] == {"train": 1, "val": 0, "test": 1}


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    (tmp_path / "b.png").write_bytes(b"no picture")
    found = check_splits(frames(tmp_path, [("a.png", "train", "v1"), ("b.png", "test", "v2")]), workers=1)
    assert found["unreadable"] == 1
    assert "1 could not be compared" in summary(found, tmp_path)


def test_it_is_done_again_only_for_another_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    first = check_splits(frames(tmp_path, [("a.png", "train", "v1")]), workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(near_duplicates, "_hash", None)
        assert check_splits(tmp_path, workers=1) == first
    again = check_splits(frames(tmp_path, [("a.png", "train", "v1"), ("a.png", "test", "v2")]), workers=1)
    assert again["with_near_duplicate"]["test"] == 1


def test_regions_are_compared_without_what_the_scanner_draws_around(tmp_path: Path) -> None:
    canvas = picture(0, (200, 200))[..., 0]
    for name, inside in (("a", 1), ("b", 2), ("c", 1)):
        image = canvas.copy()
        image[60:120, 40:160] = picture(inside, (60, 120))[..., 0]
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    columns = ("roi_id", "group_id", "split", "path", "first_column_px", "columns", "top_px", "bottom_px")
    rows = [("a", "train"), ("b", "test"), ("c", "test")]
    (tmp_path / "rois").mkdir()
    values = ((name, name, split, f"{name}.png", 40, 120, 60, 120) for name, split in rows)
    write_csv(tmp_path / "rois" / "rois.csv", columns, (dict(zip(columns, row, strict=True)) for row in values))
    check_splits(tmp_path, workers=1)
    assert [(row[0], row[3], row[6]) for row in listed(tmp_path, "rois")] == [("a.png", "c.png", "0")]


def test_volumes_are_compared_by_their_middle_slice(tmp_path: Path) -> None:
    for name, number in (("a", 1), ("b", 2), ("c", 1)):
        hu = np.stack([picture(number + z * 10, (64, 64))[..., 0] for z in range(5)]).astype(np.int16)
        image = sitk.GetImageFromArray(hu)
        image.SetSpacing((0.7, 0.7, 1.5))
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    rows = [("a.nrrd", "train", "a"), ("b.nrrd", "test", "b"), ("c.nrrd", "test", "c")]
    check_splits(frames(tmp_path, rows, "candidates/volumes.csv"), workers=1)
    assert [(row[0], row[3], row[6]) for row in listed(tmp_path)] == [("a.nrrd", "c.nrrd", "0")]


def test_nearest_is_that_of_a_slow_search_and_the_first_of_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_ASKED_BLOCK", 7)
    monkeypatch.setattr(near_duplicates, "_KNOWN_BLOCK", 5)
    rng = np.random.default_rng(0)
    known, asked = rng.random((23, 8)) < 0.5, rng.random((30, 8)) < 0.5
    slow = (asked[:, None, :] != known[None]).sum(axis=2)
    nearest, distances = nearest_hashes(known, asked)
    np.testing.assert_array_equal(nearest, slow.argmin(axis=1))
    np.testing.assert_array_equal(distances, slow.min(axis=1))


def test_memory_is_that_of_one_block_of_distances() -> None:
    bits = np.random.default_rng(0).random((6000, 256)) < 0.5
    tracemalloc.start()
    try:
        nearest_hashes(bits, bits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20  # all distances at once would take 144 MB


@dataclass(frozen=True)
class Scale:
    name: str = "tiny"


def test_every_preparation_reports_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "set"
    raw.mkdir()
    cv2.imwrite(str(raw / "a.png"), picture(1))

    def first(dataset: Path, root: Path, options: stages.Options[Scale]) -> dict[str, Any]:
        frames(dataset, [(str(root / "a.png"), "train", "v1"), (str(root / "a.png"), "test", "v2")])
        return {}

    def second(dataset: Path, record: dict[str, Any], options: stages.Options[Scale]) -> dict[str, Any]:
        write_json(dataset / "second.json", record)
        return {}

    preparation = stages.Preparation("polyp", Path.iterdir, lambda *_: None, (), "candidates", first, second)
    options = stages.Options("polyp", raw, Scale(), 0, "alexnet_half", False, workers=1)
    preparation.run(options)
    assert "NOTE: 1 of 1 test images look like an image of an earlier split" in capsys.readouterr().out
