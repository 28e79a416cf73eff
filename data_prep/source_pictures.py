"""One grey picture of every source of images, by which two sources can be compared: the image, the far wall, a slice.

The first stage of every application leaves a table of its sources with the columns path, group_id and split; which
table there is says what the sources are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from data_prep.intima_readers import read_grey
from data_prep.polyp_readers import read_image_rgb

# (path, row of the table) -> (h, w) uint8. DataError if it cannot be read.
Picture = Callable[[Path, Mapping[str, str]], np.ndarray]


def whole_frame(path: Path, row: Mapping[str, str]) -> np.ndarray:
    """A video frame."""
    return cv2.cvtColor(read_image_rgb(path), cv2.COLOR_RGB2GRAY)


def any_image(path: Path, row: Mapping[str, str]) -> np.ndarray:
    """An image of any kind that `custom` reads; whole, whatever boxes are judged in it."""
    from data_prep.custom_images import read_picture

    return cv2.cvtColor(read_picture(path)[0], cv2.COLOR_RGB2GRAY)


def far_wall(path: Path, row: Mapping[str, str]) -> np.ndarray:
    """The region that is traced: around it scanners draw the same scales and letters in every image."""
    left = int(row["first_column_px"])
    return read_grey(path)[int(row["top_px"]) : int(row["bottom_px"]), left : left + int(row["columns"])]


def middle_slice(path: Path, row: Mapping[str, str]) -> np.ndarray:
    """The axial slice half way up, through the window that patches have: a volume saved again has the same."""
    from data_prep.embolism_patches import window
    from data_prep.embolism_readers import read_image

    hu = read_image(path)[0]
    return window(hu[len(hu) // 2])


# Relative to the data set's folder. A data set has one of them.
TABLES: Mapping[str, Picture] = {
    "candidates/frames.csv": whole_frame,
    "frames/frames.csv": any_image,
    "rois/rois.csv": far_wall,
    "candidates/volumes.csv": middle_slice,
}
