"""Readers of CUBS, on folders laid out by hand with the traps of the public files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.intima_readers import RoiRef, find_reader, load_roi
from data_prep.intima_readers.profiles import read_pixel_mm, read_profile, read_rect
from layerwise.errors import DataError

SHAPE = (80, 120)
X = np.arange(10, 110)


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def put_image(path: Path, image: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(SHAPE, 90, np.uint8) if image is None else image)


def two_rows(x: np.ndarray, y: np.ndarray) -> str:
    return "".join(" ".join(f"{value:g}" for value in row) + " \n" for row in (x, y))


def points(x: np.ndarray, y: np.ndarray) -> str:
    return "".join(f"{a:g} {b:g}\n" for a, b in zip(x, y, strict=True))


def clinical(root: Path, name: str = "clin_0001_L", li: float = 40, ma: float = 51, factor: str = "0.06") -> Path:
    put_image(root / "IMAGES" / f"{name}.tiff")
    put(root / "CF" / f"{name}_CF.txt", factor)
    home = root / "SEGMENTATIONS" / "Manual-A1"
    put(home / f"{name}-LI.txt", two_rows(X, np.full(len(X), li)))
    put(home / f"{name}-MA.txt", two_rows(X, np.full(len(X), ma)))
    return root


def only(root: Path) -> RoiRef:
    (ref,) = find_reader(root).index(root)
    return ref


@pytest.mark.parametrize(
    "text",
    [
        two_rows(X, 40 + 0.1 * X),
        points(X, 40 + 0.1 * X),
        points(X[::-1], (40 + 0.1 * X)[::-1]),
        points(X, 40 + 0.1 * X).replace(".", ","),
        two_rows(X, 40 + 0.1 * X).replace(".", ",").replace(" ", ";"),
        points(X, 40 + 0.1 * X).replace(" ", ","),
        "﻿" + points(X, 40 + 0.1 * X).replace("\n", "\r\n"),
    ],
    ids=["two rows", "points", "right to left", "decimal commas", "commas and semicolons", "x,y", "BOM and CRLF"],
)
def test_every_shape_of_a_profile_is_the_same_line(tmp_path: Path, text: str) -> None:
    x, y = read_profile(put(tmp_path / "profile.txt", text))
    assert np.array_equal(x, X)
    assert y == pytest.approx(40 + 0.1 * X, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("1 2\n3 4\n", "2 points"),
        ("1 2 3 4 5 6\n1 2 3\n", "expected two lines"),
        ("x y\n" + points(X, X), "line 1"),
        (points(X, np.where(X == 50, np.nan, X)), "point 41 is not finite"),
        (two_rows(40 + np.sin(X), X), "no line y"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_profile(put(tmp_path / "profile.txt", text))


@pytest.mark.parametrize(("text", "value"), [("0.0611", 0.0611), ("0,0611 \n", 0.0611)])
def test_pixel_size_with_point_or_comma(tmp_path: Path, text: str, value: float) -> None:
    assert read_pixel_mm(put(tmp_path / "CF.txt", text)) == value


@pytest.mark.parametrize("text", ["61.1", "0", "nan", "-0.06", "0.06 mm", ""])
def test_a_pixel_size_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"CF\.txt"):
        read_pixel_mm(put(tmp_path / "CF.txt", text))


def test_rect_is_optional_but_must_be_one(tmp_path: Path) -> None:
    assert read_rect(tmp_path / "no.txt") is None
    assert read_rect(put(tmp_path / "rect.txt", "12 30 92 60")) == (12, 30, 92, 60)
    with pytest.raises(DataError, match="x y w h"):
        read_rect(put(tmp_path / "bad.txt", "12 30 92"))


def test_clinical_images_of_one_patient_are_one_group(tmp_path: Path) -> None:
    for name in ("clin_0002_R", "clin_0001_L", "clin_0001_R"):
        clinical(tmp_path / "cubs", name)
    refs = find_reader(tmp_path).index(tmp_path)
    assert find_reader(tmp_path).name == "CUBS clinical"
    assert [(ref.roi_id, ref.group_id) for ref in refs] == [
        ("clin_0001_L", "clin_0001"),
        ("clin_0001_R", "clin_0001"),
        ("clin_0002_R", "clin_0002"),
    ]


def test_technical_images_are_their_own_groups_and_say_so(tmp_path: Path) -> None:
    put_image(tmp_path / "images" / "tech_001.tiff")
    put(tmp_path / "CF" / "tech_001_CF.txt", "0.06")
    for line, row in (("LI", 40), ("MA", 50)):
        put(tmp_path / "LIMA-Profiles" / "Manual-A1" / f"tech_001-{line}.txt", points(X, np.full(len(X), row)))
    reader = find_reader(tmp_path)
    assert (reader.name, only(tmp_path).group_id) == ("CUBS technical", "tech_001")
    assert "no subject ids" in reader.note
    roi = load_roi(only(tmp_path))
    assert (roi.top_px, roi.bottom_px) == (20, 71)  # 1200 um above 40 and below 50, at 60 um


def test_truth_is_the_mean_of_two_experts_where_both_traced(tmp_path: Path) -> None:
    clinical(tmp_path, li=40, ma=51)
    home = tmp_path / "SEGMENTATIONS" / "Manual-A2"
    x = np.arange(20.3, 100, 1.0)
    put(home / "clin_0001_L-LI.txt", points(x, np.full(len(x), 41.0)))
    put(home / "clin_0001_L-MA.txt", points(x, np.full(len(x), 50.0)))
    put(tmp_path / "SEGMENTATIONS" / "Manual-A1'" / "clin_0001_L-LI.txt", "not looked at")
    roi = load_roi(only(tmp_path))
    assert roi.experts == ("Manual-A1", "Manual-A2")
    assert (roi.first_column, len(roi.li_px)) == (21, 79)
    assert np.all(roi.li_px == 40.5)
    assert np.all(roi.ma_px == 50.5)
    assert roi.observers_um == pytest.approx((60, 60))


def test_rect_bounds_columns_and_rows_but_never_cuts_a_line(tmp_path: Path) -> None:
    clinical(tmp_path)
    put(tmp_path / "SEGMENTATIONS" / "Manual-A1" / "clin_0001_L_rect.txt", "30 45 40 20")
    roi = load_roi(only(tmp_path))
    assert (roi.first_column, len(roi.li_px), roi.top_px, roi.bottom_px) == (30, 40, 40, 65)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
def test_colour_copies_of_grey_images_are_read_as_grey(tmp_path: Path, suffix: str) -> None:
    clinical(tmp_path)
    (tmp_path / "IMAGES" / "clin_0001_L.tiff").unlink()
    grey = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(np.uint8)
    put_image(tmp_path / "IMAGES" / f"clin_0001_L{suffix}", np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(load_roi(only(tmp_path)).image, grey)


def test_wrong_images_are_refused(tmp_path: Path) -> None:
    clinical(tmp_path)
    image = tmp_path / "IMAGES" / "clin_0001_L.tiff"
    for content in (np.zeros(SHAPE, np.uint16), np.full(SHAPE, np.nan, np.float32)):
        put_image(image, content)
        with pytest.raises(DataError, match="expected 8 bits"):
            load_roi(only(tmp_path))
    image.write_bytes(b"II*\0 cut short")
    with pytest.raises(DataError, match="cannot be decoded"):
        load_roi(only(tmp_path))


def test_wrong_lines_are_refused(tmp_path: Path) -> None:
    for case, (li, ma, said) in enumerate(
        [(51, 40, "MA is not below LI"), (40, 200, "the image has 80"), (40, 40, "MA is not below LI")]
    ):
        clinical(tmp_path / str(case), li=li, ma=ma)
        with pytest.raises(DataError, match=said):
            load_roi(only(tmp_path / str(case)))


def test_missing_files_are_named(tmp_path: Path) -> None:
    clinical(tmp_path)
    (tmp_path / "SEGMENTATIONS" / "Manual-A1" / "clin_0001_L-MA.txt").unlink()
    with pytest.raises(DataError, match=r"clin_0001_L-MA\.txt"):
        load_roi(only(tmp_path))
    (tmp_path / "SEGMENTATIONS" / "Manual-A1" / "clin_0001_L-LI.txt").unlink()
    with pytest.raises(DataError, match="no image in IMAGES has lines of Manual-A1"):
        find_reader(tmp_path).index(tmp_path)


def test_lines_too_short_for_a_wall_are_refused(tmp_path: Path) -> None:
    clinical(tmp_path)
    put(tmp_path / "SEGMENTATIONS" / "Manual-A1" / "clin_0001_L_rect.txt", "0 30 20 20")
    with pytest.raises(DataError, match="10 columns"):
        load_roi(only(tmp_path))


def test_unknown_folders_list_what_was_looked_for(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / "a.txt", "")
    with pytest.raises(DataError, match=r"(?s)CUBS clinical: .*CUBS technical: .*pictures/"):
        find_reader(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        find_reader(tmp_path / "nowhere")
