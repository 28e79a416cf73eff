"""The volume around a candidate, resampled so that the vessel runs along the first axis: what all features look at."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from data_prep.embolism_patches import vessel_frame

SIDE = 32  # chosen: a power of two for the wavelets
STEP_MM = 0.6  # chosen: finer than the voxels, so that nothing is lost; the cube is 19 mm wide, as the widest patch
_OFFSETS_MM = (np.arange(SIDE) - (SIDE - 1) / 2) * STEP_MM


def aligned_cube(
    hu: np.ndarray, spacing_mm: tuple[float, float, float], point: np.ndarray, axis: np.ndarray
) -> np.ndarray:
    """(SIDE, SIDE, SIDE) float32 HU round a point; axes: along the vessel, and the two across it.

    hu: (z, y, x). point: (3,), voxels. axis: unit vector (3,), (z, y, x) in mm. Beyond the volume its nearest voxel.
    """
    spacing = np.array(spacing_mm)
    along, right, up = (direction / spacing for direction in vessel_frame(axis, 0.0))
    at = (
        point[:, None, None, None]
        + np.multiply.outer(along, _OFFSETS_MM)[:, :, None, None]
        + np.multiply.outer(up, _OFFSETS_MM)[:, None, :, None]
        + np.multiply.outer(right, _OFFSETS_MM)[:, None, None, :]
    )
    return ndimage.map_coordinates(hu, at, output=np.float32, order=1, mode="nearest")


def cross_section(cube: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): the middle of the cube, the vessel coming out of the picture."""
    return cube[SIDE // 2]


def longitudinal(cube: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): the plane through the middle that holds the vessel."""
    return cube[:, SIDE // 2]


def distances_mm() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(SIDE, SIDE, SIDE) each: from the middle; from the axis; along the axis, with its sign."""
    along, up, right = np.meshgrid(_OFFSETS_MM, _OFFSETS_MM, _OFFSETS_MM, indexing="ij")
    return np.sqrt(along**2 + up**2 + right**2), np.hypot(up, right), along
