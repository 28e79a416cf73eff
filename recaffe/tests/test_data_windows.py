"""Window files, and what is cut out of an image for a window."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from recaffe.data.errors import DataError
from recaffe.data.window_loader import Region, WindowLoader, plan_region
from recaffe.data.windows import read_windows
from recaffe.proto import caffe_pb2, text
from recaffe.random_stream import RandomStream

HEAD = "# 0\na.png\n3\n10\n20\n"
GOOD = HEAD + "3\n5 0.5 1 2 3 4\n6 0.3 0 0 9 9\n7 0.4 5 5 6 6\n# 1\nb.png\n3\n8\n8\n1\n2 1 0 0 7 7\n"


def _write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "windows"
    path.write_text(content)
    return path


def test_windows_are_parted_by_their_overlap(tmp_path: Path):
    windows = read_windows(_write(tmp_path, GOOD), 0.5, 0.4, "root/")
    assert windows.paths == ["root/a.png", "root/b.png"] and windows.channels == 3
    assert windows.foreground.tolist() == [[0, 5, 1, 2, 3, 4], [1, 2, 0, 0, 7, 7]]
    assert windows.background.tolist() == [[0, 0, 0, 0, 9, 9]]  # 0.4 is not below 0.4


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (GOOD.replace("# 1", "# 2"), 10, "'# 2', expected `# 1`"),
        (GOOD.replace("# 1", "1"), 10, "'1', expected `# 1`"),
        (GOOD.replace("\n10\n", "\nten\n"), 4, "'ten', expected its height in px"),
        (GOOD.replace("\n10\n", "\n0\n"), 4, "'0', expected its height in px"),
        (GOOD.replace("0 0 9 9", "0 0 9"), 8, "5 values, expected a window"),
        (GOOD.replace("0 0 9 9", "0 0 9.5 9"), 8, "'6 0.3 0 0 9.5 9', expected a window"),
        (GOOD.replace("0 0 9 9", "0 0 x 9"), 8, "'6 0.3 0 0 x 9', expected a window"),
        (GOOD.replace("0.3", "nan"), 8, "'6 nan 0 0 9 9', expected a window"),
        (GOOD.replace("0 0 9 9", "0 0 9 99999999999"), 8, "expected a window"),
        (GOOD.replace("5 0.5", "0 0.5"), 7, "a foreground window has the label 0, expected 1 or more"),
        (HEAD + "2000000000\n1 1 0 0 1 1\n", 7, "ends after 1 windows of image 0, which says that it has 2000000000"),
        (HEAD + "9" * 5000, 6, "expected its number of windows"),
        ("# 0\na.png\n3\n", 3, "the file ends here, expected its height in px"),
    ],
)
def test_a_bad_window_file_is_refused_with_its_line(tmp_path: Path, content: str, line: int, problem: str):
    path = _write(tmp_path, content)
    with pytest.raises(DataError, match=rf"{path}:{line}: .*{problem}"):
        read_windows(path, 0.5, 0.5)


@pytest.mark.parametrize(("fg_threshold", "kind"), [(2, "foreground"), (0, "background")])
def test_a_file_without_one_of_the_kinds_is_refused(tmp_path: Path, fg_threshold: float, kind: str):
    with pytest.raises(DataError, match=f"has no {kind} window"):
        read_windows(_write(tmp_path, GOOD), fg_threshold, 0.4)
    with pytest.raises(DataError, match="none: the window file cannot be read: No such file"):
        read_windows(tmp_path / "none", 0.5, 0.5)


def test_a_window_without_surroundings_is_cut_as_it_is():
    assert plan_region([2, 3, 5, 7], (20, 30), 10, 0, False, True) == Region(2, 3, 5, 7, 10, 10)


def test_surroundings_inside_of_the_image_fill_the_crop():
    # 8 px wide and high, widened by 10 / (10 - 2 * 1): from center 14 by 5 to each side, 9 to 19 both included.
    assert plan_region([10, 10, 17, 17], (40, 40), 10, 1, False, False) == Region(9, 9, 19, 19, 10, 10)


@pytest.mark.parametrize(("is_mirrored", "left"), [(False, 2), (True, 0)])
def test_what_lies_outside_of_the_image_stays_empty(is_mirrored: bool, left: int):
    # As above around center 2.. 4: from -1 to 9; one of 11 columns and rows is missing: round(10 / 11) = 1.
    # Shifted by one more: center 3, from -2 to 8, two of 11 missing: round(20 / 11) = 2, round(9 * 10 / 11) = 8.
    region = plan_region([-1, 10, 6, 17], (40, 40), 10, 1, False, is_mirrored)
    assert region == Region(0, 9, 8, 19, 10, 8, top=0, left=left)


def test_a_square_is_made_of_the_longer_side():
    # 4 x 8 px: 8 x 8 around the same center (4, 8).
    assert plan_region([2, 4, 5, 11], (40, 40), 9, 0, True, False) == Region(0, 4, 8, 12, 9, 9)


def _loader(tmp_path: Path, window: str, options: str = "") -> WindowLoader:
    image = np.full((10, 20, 3), 100, dtype=np.uint8)
    image[:, :, 1] = 50
    cv2.imwrite(str(tmp_path / "a.png"), image)
    path = _write(tmp_path, HEAD.replace("a.png", f"{tmp_path}/a.png") + f"2\n4 1 {window}\n0 0 0 0 3 3\n")
    content = f"""name: "data" transform_param {{ crop_size: 4 mean_value: 20 }}
        window_data_param {{ source: "{path}" batch_size: 1 fg_fraction: 1 {options} }}"""
    return WindowLoader(text.parse(content, caffe_pb2.LayerParameter), caffe_pb2.TRAIN, RandomStream(1))


def test_scale_is_that_of_window_data_param(tmp_path: Path):
    batch = _loader(tmp_path, "1 1 5 5", "scale: 0.5").load()
    assert batch.labels.tolist() == [4]
    assert [channel.tolist() for channel in batch.data[0]] == [[[value] * 4] * 4 for value in (40, 15, 40)]


@pytest.mark.parametrize("window", ["10 0 25 5", "0 0 3 10", "-1 0 3 3", "5 5 4 4"])
def test_a_window_that_is_not_in_its_image_is_refused(tmp_path: Path, window: str):
    loader = _loader(tmp_path, window)
    with pytest.raises(DataError, match=r"windows: image 0 \(.*a\.png\) (of 20 x 10 px does not hold|has) the window"):
        loader.load()
