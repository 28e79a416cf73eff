"""Lists of images with labels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recaffe.data.errors import DataError
from recaffe.data.image_list import read_image_list


def test_the_last_blank_parts_path_and_label(tmp_path: Path):
    path = tmp_path / "list"
    path.write_bytes(b"a.jpg 3\nfolder/b c.png -1\r\nd\xff.bmp 0\n\n\n")
    assert read_image_list(path) == [("a.jpg", 3), ("folder/b c.png", -1), (os.fsdecode(b"d\xff.bmp"), 0)]


@pytest.mark.parametrize("line", ["b.jpg", "b.jpg x", "b.jpg 1.5", "b.jpg\t1", " 7", "", "b.jpg 3000000000"])
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str):
    path = tmp_path / "list"
    path.write_text(f"a.jpg 1\n{line}\nc.jpg 2\n")
    with pytest.raises(DataError, match=rf"{path}:2: .* expected a path, a blank and a label, like `image.jpg 7`"):
        read_image_list(path)


def test_a_missing_and_an_empty_list_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="none: the list of images cannot be read: No such file"):
        read_image_list(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(DataError, match="empty: the list of images is empty"):
        read_image_list(tmp_path / "empty")
