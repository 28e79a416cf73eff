"""From a candidate's box to patches of the net's size.

Source: paper, section VI-A: three scales of the box, shifts by 10 % of the resized box, eight mirrorings and rotations.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from layerwise.records import BoxXYXY, PatchTransform

SCALES = (1.0, 1.2, 1.5)
SHIFT = 0.1
# chosen: the paper says "horizontally and vertically", not how many; the centre and one step each way are the fewest.
SHIFTS_XY = ((0.0, 0.0), (-SHIFT, 0.0), (SHIFT, 0.0), (0.0, -SHIFT), (0.0, SHIFT))
N_DIHEDRAL = 8

TRANSFORMS = tuple(
    PatchTransform(scale, shift_x, shift_y, dihedral)
    for scale, (shift_x, shift_y), dihedral in itertools.product(SCALES, SHIFTS_XY, range(N_DIHEDRAL))
)

# chosen, all three: the paper is silent. A square keeps the shape of what is seen; reflection continues the mucosa
# where a black or stretched border would be a cue of its own; the area mean does not alias when shrinking, and cubic
# keeps edges when growing.
GEOMETRY: dict[str, Any] = {
    "box": "square on the longer side, same centre",
    "border": "reflect_101",
    "shrink": "area",
    "grow": "cubic",
}


def choose_transforms(candidate_id: str, n: int, seed: int) -> list[PatchTransform]:
    """`n` of the 120 transforms: the untouched box first, the others drawn without repetition.

    The draw depends on the candidate's id and the seed only, not on the order of the work.
    """
    rng = np.random.default_rng([seed, crc32(candidate_id.encode())])
    others = rng.permutation(len(TRANSFORMS) - 1) + 1
    return [TRANSFORMS[0], *(TRANSFORMS[i] for i in others[: n - 1])]


def extract(image_rgb: np.ndarray, box_xyxy_px: BoxXYXY, transform: PatchTransform, size: int) -> np.ndarray:
    """Cut one patch: (size, size, 3) uint8 RGB.

    image_rgb: (H, W, 3) uint8. The box is made square, scaled about its centre, shifted by fractions of the scaled
    side, rounded to whole pixels, and cut; what lies outside the image is reflected. Order: cut, resize, dihedral.
    """
    x0, y0, x1, y1 = box_xyxy_px
    side = max(x1 - x0, y1 - y0) * transform.scale
    pixels = max(round(side), 1)
    left = round((x0 + x1) / 2 + transform.shift_x * side - pixels / 2)
    top = round((y0 + y1) / 2 + transform.shift_y * side - pixels / 2)
    height, width = image_rgb.shape[:2]
    if left >= 0 and top >= 0 and left + pixels <= width and top + pixels <= height:
        cut = image_rgb[top : top + pixels, left : left + pixels]
    else:
        rows = _reflected(np.arange(top, top + pixels), height)
        cut = image_rgb[np.ix_(rows, _reflected(np.arange(left, left + pixels), width))]
    interpolation = cv2.INTER_AREA if pixels > size else cv2.INTER_CUBIC
    return dihedral_variant(cv2.resize(cut, (size, size), interpolation=interpolation), transform.dihedral)


def dihedral_variant(patch: np.ndarray, number: int) -> np.ndarray:
    """One of the eight symmetries of the square: `number` % 4 quarter turns, then a left-right mirror if 4 or more."""
    turned = np.rot90(patch, number % 4)
    return np.ascontiguousarray(turned[:, ::-1] if number >= 4 else turned)


def geometry_record(size: int) -> dict[str, Any]:
    """The settings above, for the manifest."""
    return {"size_px": size, "scales": SCALES, "shifts_xy": SHIFTS_XY, "n_dihedral": N_DIHEDRAL, **GEOMETRY}


def transform_columns(transform: PatchTransform) -> dict[str, Any]:
    """The columns scale, shift_x, shift_y, dihedral of patches.csv."""
    return asdict(transform)


def _reflected(index: np.ndarray, length: int) -> np.ndarray:
    """Index outside 0..length-1 mirrored at the first and last pixel, which are not repeated."""
    if length == 1:
        return np.zeros_like(index)
    period = 2 * (length - 1)
    folded = np.mod(index, period)
    return np.minimum(folded, period - folded)
