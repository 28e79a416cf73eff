"""One volume's proposals: a point in each dark basin of its vessels, and numbers that describe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_prep.embolism_detector.axis import gradient_per_mm, vessel_axis
from data_prep.embolism_detector.toboggan import toboggan
from data_prep.embolism_detector.vessels import SOLID_HU, VesselVolume, distance_mm, find_vessels

# chosen: smoothed over 1 mm, the noise of a chest CT spreads by 5 to 10 HU; a clot's hollow is deeper. With 25 HU
# 0.959 of the phantom's training emboli had a basin of their own, and long clots were one basin each.
LEAST_DEPTH_HU = 14.0
# chosen: a spot that lost less than this part of the way from blood to clot is uneven mixing.
LEAST_LOSS = 0.22
CLOT_HU = 50.0
LEAST_VOLUME_MM3 = 3.0
SHELL_MM = 4.0  # what surrounds a spot
REACH_MM = 9.0  # how far from its point a spot is looked at

FEATURES = (
    *("log_volume", "lowest_share", "mean_share", "contrast_share", "bright_shell", "air_shell", "tissue_shell"),
    *("bright_wide", "air_wide", "air_mm", "elongation", "edge", "shell_level", "wide_spread"),
)


@dataclass(frozen=True)
class Proposed:
    """Of one volume, all float64. points: (N, 3), voxels (z, y, x) of the volume, whole numbers; points_mm: in mm.

    features: (N, F). axes: (N, 3), unit vectors (z, y, x) in mm along the vessel at each point.
    """

    points: np.ndarray
    points_mm: np.ndarray
    features: np.ndarray
    axes: np.ndarray


_NOTHING = Proposed(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, len(FEATURES))), np.zeros((0, 3)))


def propose(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Proposed:
    """Every dark basin of the vessels. hu: (z, y, x) int16. A volume without lungs or contrast has none."""
    vessels = find_vessels(hu, spacing_mm)
    if vessels is None:
        return _NOTHING
    basins = toboggan(vessels.smooth_hu, vessels.inside, LEAST_DEPTH_HU)
    reach = [int(np.ceil(REACH_MM / step)) for step in spacing_mm]
    gradient = ndimage.gaussian_gradient_magnitude(vessels.smooth_hu, [0.7 / step for step in spacing_mm])
    points, rows = [], []
    for number, part in enumerate(ndimage.find_objects(basins), start=1):
        spot = _spot(vessels, basins[part] == number, part, spacing_mm)
        if spot is not None:
            points.append(spot[0])
            rows.append(_describe(vessels, gradient, *spot, reach, spacing_mm))
    if not points:
        return _NOTHING
    walls = gradient_per_mm(hu, spacing_mm)
    where = np.array(points, float) + vessels.origin
    axes = np.array([vessel_axis(walls, point, spacing_mm) for point in where])
    return Proposed(where, where * spacing_mm, np.array(rows), axes)


def _spot(
    vessels: VesselVolume, basin: np.ndarray, part: tuple[slice, ...], spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(point (3,), voxels (M, 3) of the dark part) in the vessels' box, or None for a basin that is no dark spot.

    The point is the voxel of the dark part that is nearest to its middle, weighted by darkness.
    """
    values = vessels.smooth_hu[part]
    lowest = float(values[basin].min())
    highest = CLOT_HU + (1 - LEAST_LOSS) * (vessels.blood_hu - CLOT_HU)
    if lowest > highest:
        return None
    dark = basin & (values < min(highest, lowest + 0.5 * max(vessels.blood_hu - lowest, 2 * LEAST_DEPTH_HU)))
    voxels = np.argwhere(dark)
    if len(voxels) * float(np.prod(spacing_mm)) < LEAST_VOLUME_MM3:
        return None
    weight = vessels.blood_hu - values[dark] + 1.0
    middle = np.average(voxels, axis=0, weights=np.maximum(weight, 1e-3))
    nearest = voxels[np.argmin(np.sum(((voxels - middle) * spacing_mm) ** 2, axis=1))]
    start = np.array([one.start for one in part])
    return nearest + start, voxels + start


def _describe(
    vessels: VesselVolume,
    gradient: np.ndarray,
    point: np.ndarray,
    voxels: np.ndarray,
    reach: list[int],
    spacing_mm: tuple[float, float, float],
) -> list[float]:
    """The numbers named in FEATURES."""
    box = tuple(slice(max(p - r, 0), p + r + 1) for p, r in zip(point, reach, strict=True))
    start = np.array([one.start for one in box])
    values, air = vessels.smooth_hu[box], vessels.air_mm[box] == 0
    spot = np.zeros(values.shape, bool)
    near = voxels - start
    near = near[np.all((near >= 0) & (near < values.shape), axis=1)]
    spot[tuple(near.T)] = True
    away = distance_mm(~spot, spacing_mm)
    shell, wide = _within(away, SHELL_MM), _within(away, REACH_MM)
    bright = vessels.blood[box]
    inner = vessels.smooth_hu[tuple(voxels.T)]
    span = max(vessels.blood_hu - CLOT_HU, 50.0)
    around = float(np.percentile(values[shell], 85))
    offsets = (voxels - voxels.mean(axis=0)) * spacing_mm
    spread = np.sqrt(np.linalg.eigvalsh(offsets.T @ offsets / len(voxels) + 0.1 * np.eye(3)))
    return [
        float(np.log(len(voxels) * np.prod(spacing_mm))),
        float(np.clip((inner.min() - CLOT_HU) / span, -2, 2)),
        float(np.clip((inner.mean() - CLOT_HU) / span, -2, 2)),
        (around - float(inner.mean())) / span,
        float(bright[shell].mean()),
        float(air[shell].mean()),
        float(((values[shell] > SOLID_HU) & ~bright[shell]).mean()),
        float(bright[wide].mean()),
        float(air[wide].mean()),
        float(vessels.air_mm[tuple(point)]),
        float(spread[2] / spread[1]),
        float(gradient[tuple(voxels.T)].mean()) / span,
        around / span,
        float(values[wide].std()) / span,
    ]


def _within(away_mm: np.ndarray, reach_mm: float) -> np.ndarray:
    """Bool: what lies round a spot, up to `reach_mm` from it; all that was cut out where nothing does."""
    around = (away_mm > 0) & (away_mm <= reach_mm)
    return around if around.any() else np.ones_like(around)
