"""Lists of images: a line each, a path, a blank and a label. Source: ImageDataLayer::DataLayerSetUp."""

from __future__ import annotations

import os
import re
from pathlib import Path

from recaffe.data.errors import DataError
from recaffe.data.files import read_bytes

_LABEL = re.compile(r"[+-]?[0-9]{1,10}")
_LABELS = range(-(2**31), 2**31)


def read_image_list(path: str | Path) -> list[tuple[str, int]]:
    """[(path, label)] of a list file, line by line; a path may have blanks in it. Empty lines at the end do not count.

    Raises DataError, with file and line, for a line without a label that is a whole number (where Caffe reads 0), and
    for a list that is missing or empty.
    """
    lines = os.fsdecode(read_bytes(path, "the list of images")).rstrip("\r\n").split("\n")
    if lines == [""]:
        raise DataError(f"{path}: the list of images is empty, expected lines like `folder/image.jpg 7`")
    entries = []
    for number, line in enumerate(lines, start=1):
        name, _, label = line.rstrip().rpartition(" ")
        if not name or not _LABEL.fullmatch(label) or int(label) not in _LABELS:
            raise DataError(f"{path}:{number}: {line!r}, expected a path, a blank and a label, like `image.jpg 7`")
        entries.append((name, int(label)))
    return entries
