"""Where the vessels of the lungs are, clots included: bright blood, what it encloses, and solid strands in the lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import measure

AIR_HU = -450.0  # chosen: halfway between lung and soft tissue
SOLID_HU = -30.0  # chosen: above it a voxel is soft tissue or blood and not fat or part lung; a clot has 30 to 80 HU
BLOOD_HU = 150.0  # chosen: no tissue of the chest reaches it without contrast, but bone
# chosen: the vessels of the lungs end where the heart begins; the pulmonary trunk is 20 to 30 mm from the lungs.
FAR_FROM_LUNG_MM = 30.0
ENCLOSED_MM = 5.0  # chosen: half of the thickest clot that blood closes around; thicker ones have a rim of their own
STRAND_MM = 9.0  # chosen: how far from blood a vessel that is stopped up is still looked for
SMOOTH_MM = 1.0  # chosen: about a voxel; it halves the noise and leaves a clot of 3 mm
RIM_MM = 1.0  # chosen: what is mixed with lung in one voxel is dark without a clot
OUTSIDE_HU = -940.0  # chosen: emphysema on the mean reaches -920
SMALLEST_LUNG_MM3 = 50_000.0


@dataclass(frozen=True)
class VesselVolume:
    """smooth_hu: (z, y, x) float32. inside: bool, where tobogganing runs. blood: bool, bright voxels.

    air_mm: float32, distance to lung. blood_hu: the level of contrast. All over one box of the volume: origin is its
    first voxel (z, y, x).
    """

    smooth_hu: np.ndarray
    inside: np.ndarray
    blood: np.ndarray
    air_mm: np.ndarray
    blood_hu: float
    origin: tuple[int, int, int]


def find_vessels(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> VesselVolume | None:
    """None where there is no lung, or no blood beside it that is brighter than BLOOD_HU."""
    lung = find_lung(hu, spacing_mm)
    if lung is None:
        return None
    box = _bounds(lung)
    lung = lung[box]
    solid = hu[box] > SOLID_HU
    smooth = _smooth_within(hu[box], solid, spacing_mm)
    air_mm = distance_mm(~lung, spacing_mm)
    near = (air_mm < FAR_FROM_LUNG_MM) & _between_lungs(lung)
    blood = (smooth > BLOOD_HU) & solid & near
    if not blood.any():
        return None
    level = float(np.percentile(smooth[blood & (air_mm < 12)], 75)) if np.any(blood & (air_mm < 12)) else BLOOD_HU
    bright = (smooth > max(BLOOD_HU, 0.5 * level)) & blood
    from_blood = distance_mm(~bright, spacing_mm)
    closed = distance_mm(from_blood <= ENCLOSED_MM, spacing_mm) > ENCLOSED_MM
    strand = (from_blood <= STRAND_MM) & (air_mm < ENCLOSED_MM)
    inside = (bright | closed | strand) & solid & (air_mm > RIM_MM) & near
    return VesselVolume(smooth, inside, bright, air_mm, level, tuple(part.start for part in box))


def find_lung(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray | None:
    """Bool (z, y, x): air inside the chest, in pieces as large as a lung; the windpipe may be among them.

    Air round the body touches the edge of the slices, as does a lung where the field of view is narrow: the lung has
    tissue in it, the air has not.
    """
    labels = np.asarray(measure.label(hu < AIR_HU, connectivity=1))
    edge = set(np.unique(labels[:, [0, -1], :])) | set(np.unique(labels[:, :, [0, -1]]))
    count = np.bincount(labels.ravel())
    mean_hu = np.bincount(labels.ravel(), weights=hu.ravel()) / np.maximum(count, 1)
    kept = count * float(np.prod(spacing_mm)) >= SMALLEST_LUNG_MM3
    kept[[label for label in edge if mean_hu[label] < OUTSIDE_HU]] = False
    kept[0] = False
    return kept[labels] if kept.any() else None


def _smooth_within(hu: np.ndarray, solid: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """HU smoothed over SMOOTH_MM with what is not solid left out, so that lung does not darken a vessel's edge."""
    sigma = [SMOOTH_MM / step for step in spacing_mm]
    weight = ndimage.gaussian_filter(solid.astype(np.float32), sigma, truncate=3.0)
    total = ndimage.gaussian_filter(np.where(solid, hu, 0).astype(np.float32), sigma, truncate=3.0)
    return np.where(weight > 0.02, total / np.maximum(weight, 0.02), hu).astype(np.float32)


def _bounds(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """The smallest box that holds all of a mask."""
    ends = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))[[0, -1]] for axis in range(3)]
    z, y, x = (slice(int(first), int(last) + 1) for first, last in ends)
    return z, y, x


def distance_mm(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """mm from each voxel of `mask` to the nearest one outside it, float32."""
    return np.asarray(ndimage.distance_transform_edt(mask, spacing_mm), np.float32)


def _between_lungs(lung: np.ndarray) -> np.ndarray:
    """Bool, (z, y, x): in a slice, what has lung on both sides along x or lies behind and before lung along y."""
    left = np.logical_or.accumulate(lung, axis=2)
    right = np.logical_or.accumulate(lung[..., ::-1], axis=2)[..., ::-1]
    front = np.logical_or.accumulate(lung, axis=1)
    back = np.logical_or.accumulate(lung[:, ::-1], axis=1)[:, ::-1]
    return (left & right) | (front & back)
