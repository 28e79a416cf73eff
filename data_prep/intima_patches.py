"""Patches of the far wall: centred on lumen-intima (1), on media-adventitia (2), or far from both (0).

Source: paper, section VI-D: three classes, grey copied three times, no augmentation of positives. A region is first
resampled to a raster of its own, whatever the scanner's pixel; every patch is then a plain cut of that raster, and a
net that runs over the raster sees what it saw in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.databases import PlannedPatch, patch_key
from data_prep.fractions import Fraction
from data_prep.intima_readers import read_grey
from data_prep.intima_rois import PlannedRoi
from data_prep.splits import SPLITS, balance, check_labels
from layerwise.applications import APPLICATIONS, VALIDATION_FRACTION

BACKGROUND, LUMEN_INTIMA, MEDIA_ADVENTITIA = range(APPLICATIONS["intima"].n_classes)

# chosen: the paper does not say how large a patch is. 3 mm, 50 of CUBS' pixels, shows both boundaries from either for
# every thickness up to 1.5 mm, and lies in the range of 32 to 64 pixels that the group used for its own nets later.
WINDOW_UM = 3000.0
# chosen: "far" from both boundaries. It stays clear of WIDEST_BAND_PX of CUBS' 60 um pixels, and leaves few rows beside
# the boundaries of which a net learns nothing.
FAR_UM = 150.0
# chosen: the paper's 66,667 patches per boundary are five times the columns of its 144 regions, so it must have taken
# rows beside the line. Here they are taken only where the columns do not suffice, the nearest first, at most two.
WIDEST_BAND_PX = 2


def raster_um(size: int) -> float:
    """Micrometres per pixel of the rasters from which patches of `size` pixels are cut."""
    return WINDOW_UM / size


@dataclass(frozen=True)
class Raster:
    """A resampled piece of an image.

    pixels: (h, w) uint8; pixel (i, j) lies at row top_px + i * step_px, column left_px + j * step_px of the image.
    """

    pixels: np.ndarray
    top_px: float
    left_px: float
    step_px: float

    def nearest(self, row_px: float, column_px: float) -> tuple[int, int]:
        return round((row_px - self.top_px) / self.step_px), round((column_px - self.left_px) / self.step_px)

    def patch(self, row_px: float, column_px: float, size: int) -> np.ndarray:
        """(size, size) uint8 about the raster's pixel nearest to a place in the image; size is odd."""
        i, j = self.nearest(row_px, column_px)
        half = size // 2
        return self.pixels[i - half : i + half + 1, j - half : j + half + 1]


def resample(
    image: np.ndarray, pixel_um: float, rows_px: tuple[float, float], columns_px: tuple[float, float], size: int
) -> Raster:
    """The raster on which patches of `size` pixels can be centred anywhere between two rows and two columns, included.

    image: (H, W) uint8. Cubic between pixels; what lies outside the image is reflected.
    """
    step = raster_um(size) / pixel_um
    margin = (size // 2 + 1) * step
    top, left = rows_px[0] - margin, columns_px[0] - margin
    height = round((rows_px[1] - rows_px[0] + 2 * margin) / step) + 1
    width = round((columns_px[1] - columns_px[0] + 2 * margin) / step) + 1
    to_image = np.array([[step, 0, left], [0, step, top]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(image, to_image, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return Raster(np.asarray(pixels, np.uint8), top, left, step)


def cut(source: tuple[Path, float], specs: Sequence[tuple[float, float]], size: int) -> Iterator[np.ndarray]:
    """The patches of one region, (size, size, 3) uint8 each. source: image, um per pixel. specs: row, column in px."""
    path, pixel_um = source
    rows, columns = zip(*specs, strict=True)
    raster = resample(read_grey(path), pixel_um, (min(rows), max(rows)), (min(columns), max(columns)), size)
    return (np.repeat(raster.patch(row, column, size)[..., None], 3, axis=2) for row, column in specs)


@dataclass(frozen=True)
class Places:
    """Where patches of one split may be centred. roi: (K,) index of the region; the others (K,) too, in pixels.

    offset_px: rows below the boundary that the patch is of, 0 for background.
    """

    roi: np.ndarray
    label: np.ndarray
    row_px: np.ndarray
    column_px: np.ndarray
    offset_px: np.ndarray


def find_places(rois: Sequence[PlannedRoi], n_per_class: int, rng: np.random.Generator) -> Places:
    """The places on the boundaries, with rows beside them if `n_per_class` needs it, and as many far from both."""
    n_columns = sum(len(roi.columns_px) for roi in rois)
    enough = (band for band in range(WIDEST_BAND_PX) if (2 * band + 1) * n_columns >= n_per_class)
    band = next(enough, WIDEST_BAND_PX)
    offsets = np.arange(-band, band + 1.0)
    parts: list[tuple[np.ndarray, ...]] = []
    for index, roi in enumerate(rois):
        columns = np.tile(roi.columns_px, len(offsets))
        beside = np.repeat(offsets, len(roi.columns_px))
        for label, line in ((LUMEN_INTIMA, roi.li_px), (MEDIA_ADVENTITIA, roi.ma_px)):
            rows = np.tile(line, len(offsets)) + beside
            parts.append((np.full(len(rows), index), np.full(len(rows), label), rows, columns, beside))
        rows, columns = far_places(roi)
        drawn = np.sort(rng.choice(len(rows), min(len(rows), len(beside)), replace=False))
        none = np.zeros(len(drawn))
        parts.append((none.astype(int) + index, none.astype(int), rows[drawn], columns[drawn], none))
    return Places(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def far_places(roi: PlannedRoi) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (K,) of the region's pixels that are FAR_UM or more above or below both boundaries."""
    rows = np.arange(roi.top_px, roi.bottom_px)[:, None]
    far = np.minimum(np.abs(rows - roi.li_px), np.abs(rows - roi.ma_px)) * roi.pixel_um >= FAR_UM
    row, column = np.nonzero(far)
    return row + roi.top_px, roi.columns_px[column]


def plan_patches(
    rois: Sequence[PlannedRoi],
    limits: dict[str, int],
    seed: int,
    patch_level_validation: bool,
    reduced: Fraction | None = None,
) -> dict[str, list[PlannedPatch]]:
    """The patches of every split, in the order of its keys: as many of each class, in train and val shuffled once.

    limits: split -> most patches of all classes. patch_level_validation: 20 % of the train groups' patches validate.
    reduced: of the whole set's patches, train and val keep those of these subjects, about as many of each class.
    Raises DataError if a split is empty or lacks a class.
    """
    planned: dict[str, list[PlannedPatch]] = {}
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, number])  # of its own: what is left of train does not change test
        if patch_level_validation and split == "val":
            continue
        own = [roi for roi in rois if roi.split == split]
        check_labels("regions", {split: np.zeros(len(own), int)}, n_classes=1)
        shared = patch_level_validation and split == "train"
        limit = limits["train"] + limits["val"] if shared else limits[split]
        places = find_places(own, limit // APPLICATIONS["intima"].n_classes, rng)
        wanted = balance(places.label, limit, rng, APPLICATIONS["intima"].n_classes)
        if split != "test":
            wanted = rng.permutation(wanted)
        kept = np.array([reduced is None or reduced.keeps(split, roi.group_id) for roi in own])
        wanted = wanted[kept[places.roi[wanted]]]
        if shared:
            n_val = round(VALIDATION_FRACTION * len(wanted))
            planned["val"] = _planned(own, places, wanted[:n_val])
            wanted = wanted[n_val:]
        planned[split] = _planned(own, places, wanted)
    check_labels(
        "patches",
        {split: np.array([p.label for p in planned[split]]) for split in SPLITS},
        APPLICATIONS["intima"].n_classes,
    )
    return planned


def _planned(rois: Sequence[PlannedRoi], places: Places, wanted: np.ndarray) -> list[PlannedPatch]:
    planned = []
    for position, k in enumerate(wanted.tolist()):
        roi, row, column = rois[int(places.roi[k])], float(places.row_px[k]), int(places.column_px[k])
        planned.append(
            PlannedPatch(
                patch_key(position, f"{roi.roi_id}-x{column}-y{row:.1f}"),
                int(places.label[k]),
                roi.group_id,
                roi.roi_id,
                {
                    "roi_id": roi.roi_id,
                    "column_px": column,
                    "row_px": round(row, 3),
                    "offset_px": int(places.offset_px[k]),
                },
                (row, float(column)),
            )
        )
    return planned


def geometry_record(size: int) -> dict[str, Any]:
    """The settings above, for the manifest."""
    return {
        "size_px": size,
        "window_um": WINDOW_UM,
        "raster_um": raster_um(size),
        "far_um": FAR_UM,
        "widest_band_px": WIDEST_BAND_PX,
        "border": "reflect_101",
        "interpolation": "cubic",
    }
