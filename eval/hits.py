"""Named rules by which a candidate hits a lesion of its image, for tables that give places instead of lesion ids.

A candidate is a point (x, y[, z]) or a box (x0, y0[, z0], x1, y1[, z1]), whose centre then is the point; a lesion is a
mask, a ball (x, y[, z], radius) or a box. All are in one unit; with a mask that is its pixel, pixel i reaching from i
to i + 1. A candidate hits one lesion at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from eval.columns import ColumnTable
from layerwise.errors import DataError, UsageError

POINT = ("x", "y", "z")
BOX_LOW, BOX_HIGH = ("x0", "y0", "z0"), ("x1", "y1", "z1")
GEOMETRY = (*POINT, *BOX_LOW, *BOX_HIGH, "radius", "mask", "mask_value")


@dataclass(frozen=True)
class HitCriterion:
    """name: as on the command line and in the results. hits: the rule, from both tables to (M,) int64, -1 for none.

    hits(candidates, image of each (M,), lesions, image of each (L,)).
    """

    name: str
    hits: Callable[[ColumnTable, np.ndarray, ColumnTable, np.ndarray], np.ndarray]


def hit_criterion(name: str) -> HitCriterion:
    """centre-in-mask, centre-within-radius, or iou-above-T with T in [0, 1), as in iou-above-0.5."""
    if name == "centre-in-mask":
        return HitCriterion(name, _centre_in_mask)
    if name == "centre-within-radius":
        return HitCriterion(name, _centre_within_radius)
    if name.startswith("iou-above-"):
        try:
            least = float(name.removeprefix("iou-above-"))
        except ValueError:
            least = -1.0
        if 0 <= least < 1:
            return HitCriterion(name, lambda *tables: _iou_above(least, *tables))
    raise UsageError(
        f"hit criterion {name!r}: there are centre-in-mask, centre-within-radius and iou-above-0.5 (or 0 .. 1)"
    )


def _centre_within_radius(
    candidates: ColumnTable, image: np.ndarray, lesions: ColumnTable, lesion_image: np.ndarray
) -> np.ndarray:
    """At most the lesion's radius from its centre; of several such lesions the one with the nearest centre."""
    points, centres = _points(candidates), _points(lesions)
    _same_axes(candidates, points, lesions, centres)
    _need(lesions, "radius")
    radius = lesions.numbers("radius")
    for row in np.flatnonzero(radius <= 0):
        lesions.fail(int(row), "radius", f"found {radius[row]:g}, expected more than 0")
    hit = np.full(len(candidates), -1, dtype=np.int64)
    for here, there in _by_image(image, lesion_image):
        distance = np.linalg.norm(points[here, None] - centres[None, there], axis=2)
        distance[distance > radius[there]] = np.inf
        nearest = np.argmin(distance, axis=1)
        hit[here] = np.where(np.isfinite(distance.min(axis=1)), there[nearest], -1)
    return hit


def _iou_above(
    least: float, candidates: ColumnTable, image: np.ndarray, lesions: ColumnTable, lesion_image: np.ndarray
) -> np.ndarray:
    """Intersection over union of the boxes above `least`; of several such lesions the one with the largest."""
    boxes, lesion_boxes = _boxes(candidates), _boxes(lesions)
    _same_axes(candidates, boxes[0], lesions, lesion_boxes[0])
    hit = np.full(len(candidates), -1, dtype=np.int64)
    for here, there in _by_image(image, lesion_image):
        low = np.maximum(boxes[0][here, None], lesion_boxes[0][None, there])
        high = np.minimum(boxes[1][here, None], lesion_boxes[1][None, there])
        both = np.prod(np.maximum(high - low, 0), axis=2)
        size = np.prod(boxes[1][here] - boxes[0][here], axis=1)
        lesion_size = np.prod(lesion_boxes[1][there] - lesion_boxes[0][there], axis=1)
        iou = both / (size[:, None] + lesion_size[None] - both)
        best = np.argmax(iou, axis=1)
        hit[here] = np.where(iou[np.arange(len(here)), best] > least, there[best], -1)
    return hit


def _centre_in_mask(
    candidates: ColumnTable, image: np.ndarray, lesions: ColumnTable, lesion_image: np.ndarray
) -> np.ndarray:
    """The pixel of the centre has the lesion's mask_value, or any but 0 where the lesion has none.

    mask: a file (.npy, or an image of one channel) beside lesions.csv, its axes (y, x) or (z, y, x). A centre outside
    hits nothing. Of several lesions that have the pixel, the first in the table is hit.
    """
    points = _points(candidates)
    _need(lesions, "mask")
    values = lesions.columns.get("mask_value", [""] * len(lesions))
    hit = np.full(len(candidates), -1, dtype=np.int64)
    for here, there in _by_image(image, lesion_image):
        masks: dict[str, np.ndarray] = {}
        whole: set[str] = set()
        for lesion in there[::-1].tolist():  # the first in the table comes last and stays
            file = lesions.columns["mask"][lesion]
            if file not in masks:
                masks[file] = _read_mask(lesions, lesion, points.shape[1])
            mask = masks[file]
            if not values[lesion]:
                if file in whole:
                    lesions.fail(lesion, "mask_value", f"is empty, but {file} has two lesions of this image")
                whole.add(file)
            pixel = np.floor(points[here])[:, ::-1]
            inside = np.all((pixel >= 0) & (pixel < mask.shape), axis=1)
            value = np.zeros(len(here))
            value[inside] = mask[tuple(pixel[inside].astype(np.int64).T)]
            on_lesion = value != 0 if not values[lesion] else value == _mask_value(lesions, lesion, values[lesion])
            hit[here[on_lesion]] = lesion
    return hit


def _mask_value(lesions: ColumnTable, row: int, text: str) -> int:
    """The number that marks a lesion in its mask; 0 is the background."""
    if not text.isdecimal() or int(text) == 0:
        lesions.fail(row, "mask_value", f"found {text!r}, expected a whole number above 0")
    return int(text)


def _read_mask(lesions: ColumnTable, row: int, n_axes: int) -> np.ndarray:
    name = lesions.columns["mask"][row]
    path = lesions.path.parent / name
    mask = None
    try:
        if path.suffix == ".npy":
            mask = np.load(path, mmap_mode="r", allow_pickle=False)
        elif path.is_file():
            mask = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error):
        mask = None
    if mask is None or mask.dtype.kind not in "biu":
        lesions.fail(row, "mask", f"{path} is missing, or no mask: expected .npy with whole numbers, or an image")
    if mask.ndim != n_axes:
        lesions.fail(row, "mask", f"{path} has {mask.ndim} axes {mask.shape}, and the candidates have {n_axes}")
    return mask


def _points(table: ColumnTable) -> np.ndarray:
    """(N, 2 or 3) float64: x, y[, z]."""
    if "x" in table:
        return _stack(table, POINT)
    if "x0" in table:
        low, high = _boxes(table)
        return (low + high) / 2
    raise DataError(f"{table.path}, line 1: there is neither a point (x, y) nor a box (x0, y0, x1, y1)")


def _boxes(table: ColumnTable) -> tuple[np.ndarray, np.ndarray]:
    """Two (N, 2 or 3) float64, the low and the high corner. DataError for a box without extent."""
    low, high = _stack(table, BOX_LOW), _stack(table, BOX_HIGH)
    _same_axes(table, low, table, high)
    for row, axis in np.argwhere(high <= low):
        table.fail(int(row), BOX_HIGH[axis], f"found {high[row, axis]:g}, expected more than {BOX_LOW[axis]}")
    return low, high


def _stack(table: ColumnTable, names: tuple[str, ...]) -> np.ndarray:
    _need(table, *names[:2])
    return np.stack([table.numbers(name) for name in names if name in table], axis=1)


def _need(table: ColumnTable, *names: str) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise DataError(f"{table.path}, line 1: column {', '.join(missing)} is missing; the hit criterion needs it")


def _same_axes(table: ColumnTable, places: np.ndarray, other: ColumnTable, other_places: np.ndarray) -> None:
    if places.shape[1] != other_places.shape[1]:
        raise DataError(
            f"{table.path} has {places.shape[1]} axes and {other.path} {other_places.shape[1]}: "
            "give z in both or in none"
        )


def _by_image(image: np.ndarray, lesion_image: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of the candidates and of the lesions of each image that has both."""
    order, lesion_order = np.argsort(image, kind="stable"), np.argsort(lesion_image, kind="stable")
    ranked, lesion_ranked = image[order], lesion_image[lesion_order]
    for both in np.intersect1d(image, lesion_image):
        start, end = np.searchsorted(ranked, [both, both + 1])
        first, last = np.searchsorted(lesion_ranked, [both, both + 1])
        yield order[start:end], lesion_order[first:last]
