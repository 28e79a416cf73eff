"""From a candidate's point and vessel axis to patches of the net's size: a cross-section and a longitudinal view.

Source: paper, section VI-B: widths of 10, 15 and 20 mm, three places along the vessel up to 20 % of the width, and
rotations about its axis; two channels, the second repeated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import numpy as np
from scipy import ndimage

from data_prep.embolism_readers import VolumeRef, read_image

WIDTHS_MM = (10.0, 15.0, 20.0)
# chosen: the paper says "3 times" and "up to 20 %"; the centre and one step each way.
SHIFTS = (0.0, -0.2, 0.2)
# chosen: "5 further variations" beside the unrotated one, in even steps of half a turn, after which a longitudinal view
# is its own mirror image.
ROTATIONS_DEG = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0)
# chosen, the paper is silent: the window in which readers look for emboli; clots are grey, blood white, lung black.
WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = 100.0, 700.0

GEOMETRY: dict[str, Any] = {
    "channels": ["cross-section", "longitudinal", "longitudinal"],
    "window_level_hu": WINDOW_LEVEL_HU,
    "window_width_hu": WINDOW_WIDTH_HU,
    "resampling": "trilinear",
    "border": "nearest voxel",
}


@dataclass(frozen=True)
class VesselTransform:
    """How a patch is cut: its width, how far along the vessel (a part of the width), turned how far about the axis."""

    width_mm: float = 15.0
    shift: float = 0.0
    rotation_deg: float = 0.0


TRANSFORMS = tuple(VesselTransform(*values) for values in itertools.product(WIDTHS_MM, SHIFTS, ROTATIONS_DEG))
_PLAIN = TRANSFORMS.index(VesselTransform())


@dataclass(frozen=True)
class PatchSpec:
    """point: voxel (z, y, x), fractions allowed. axis: unit vector (z, y, x) in mm."""

    point: tuple[float, float, float]
    axis: tuple[float, float, float]
    transform: VesselTransform


def choose_transforms(candidate_id: str, n: int, seed: int) -> list[VesselTransform]:
    """`n` of the 54 transforms: the plain one of 15 mm first, the others drawn without repetition.

    The draw depends on the candidate's id and the seed only, not on the order of the work.
    """
    rng = np.random.default_rng([seed, crc32(candidate_id.encode())])
    others = rng.permutation([k for k in range(len(TRANSFORMS)) if k != _PLAIN])
    return [TRANSFORMS[_PLAIN], *(TRANSFORMS[k] for k in others[: n - 1])]


def cut(ref: VolumeRef, specs: Sequence[PatchSpec], size: int) -> Iterator[np.ndarray]:
    """The patches of one volume, (size, size, 3) uint8 each. Opens the volume once."""
    hu, spacing_mm = read_image(ref.image_path)
    return (extract(hu, spacing_mm, spec, size) for spec in specs)


def extract(hu: np.ndarray, spacing_mm: tuple[float, float, float], spec: PatchSpec, size: int) -> np.ndarray:
    """One patch: (size, size, 3) uint8, the cross-section, then the longitudinal view twice.

    hu: (z, y, x). In the cross-section the vessel comes out of the picture; in the longitudinal view it runs from left
    to right, and up is the direction that is right in the cross-section. Both show the same width in mm.
    """
    along, right, up = vessel_frame(np.array(spec.axis), spec.transform.rotation_deg)
    width = spec.transform.width_mm
    centre = np.array(spec.point) * spacing_mm + spec.transform.shift * width * along
    steps = ((np.arange(size) + 0.5) / size - 0.5) * width
    cross = _plane(hu, spacing_mm, centre, -up, right, steps)
    longitudinal = _plane(hu, spacing_mm, centre, -right, along, steps)
    return np.dstack([cross, longitudinal, longitudinal])


def vessel_frame(axis: np.ndarray, rotation_deg: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three unit vectors (z, y, x), at right angles: along the vessel, and two across, turned about it.

    The first across, unturned, is the one that lies in the axial plane; for a vessel along z it is x.
    """
    along = axis / np.linalg.norm(axis)
    z = np.array([1.0, 0.0, 0.0])
    level = np.cross(along, z)
    if np.linalg.norm(level) < 1e-3:
        level = np.array([0.0, 0.0, 1.0])
    level = level - (level @ along) * along
    level = level / np.linalg.norm(level)
    other = np.cross(along, level)
    turn = np.deg2rad(rotation_deg)
    right = np.cos(turn) * level + np.sin(turn) * other
    return along, right, np.cross(along, right)


def window(hu: np.ndarray) -> np.ndarray:
    """HU to uint8: 0 at the window's lower end and below, 255 at its upper end and above."""
    low = WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2
    return np.rint(np.clip((hu - low) * (255 / WINDOW_WIDTH_HU), 0, 255)).astype(np.uint8)


def _plane(
    hu: np.ndarray,
    spacing_mm: tuple[float, float, float],
    centre_mm: np.ndarray,
    down: np.ndarray,
    right: np.ndarray,
    steps_mm: np.ndarray,
) -> np.ndarray:
    """(size, size) uint8: the volume on a plane through the centre."""
    spacing = np.array(spacing_mm)
    rows, columns = np.outer(down / spacing, steps_mm), np.outer(right / spacing, steps_mm)
    at = (centre_mm / spacing)[:, None, None] + rows[:, :, None] + columns[:, None, :]
    return window(ndimage.map_coordinates(hu, at, output=np.float32, order=1, mode="nearest"))


def geometry_record(size: int) -> dict[str, Any]:
    """The settings above, for the manifest."""
    sets = {"widths_mm": WIDTHS_MM, "shifts_of_width": SHIFTS, "rotations_deg": ROTATIONS_DEG}
    return {"size_px": size, **sets, **GEOMETRY}


def transform_columns(transform: VesselTransform) -> dict[str, Any]:
    """The columns width_mm, shift, rotation_deg of patches.csv."""
    return asdict(transform)
