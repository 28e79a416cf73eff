"""The direction of the vessel at a point, from the way its walls stand: the structure tensor of its neighbourhood."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SMOOTH_MM = 1.0
# chosen: wide enough to hold the walls of a segmental artery, narrow enough to leave its neighbours out.
WINDOW_MM = 3.5
# chosen: the step from vessel to lung then counts little more than that from vessel to fat, and bone as much as blood.
LOWEST_HU, HIGHEST_HU = -200.0, 350.0


def gradient_per_mm(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """(3, z, y, x) float32: the gradient of the smoothed, limited volume along z, y, x in HU per mm."""
    limited = np.clip(hu.astype(np.float32), LOWEST_HU, HIGHEST_HU)
    smooth = ndimage.gaussian_filter(limited, [SMOOTH_MM / step for step in spacing_mm], truncate=3.0)
    return np.stack([np.gradient(smooth, step, axis=k) for k, step in enumerate(spacing_mm)]).astype(np.float32)


def vessel_axis(gradient: np.ndarray, point: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Unit vector (3,) along the vessel, (z, y, x) in mm; its largest part is positive.

    gradient: of the volume, as gradient_per_mm gives it. point: voxel (z, y, x). Along a vessel the values change
    least, so the axis is the structure tensor's direction of least change, under a Gaussian window round the point.
    Where nothing changes it is z.
    """
    reach = [int(np.ceil(2 * WINDOW_MM / step)) for step in spacing_mm]
    centre = np.rint(point).astype(int)
    box = tuple(slice(max(c - r, 0), c + r + 1) for c, r in zip(centre, reach, strict=True))
    local = gradient[(slice(None), *box)]
    lines = [
        (np.arange(part.start, part.start + n) - p) * step
        for part, n, p, step in zip(box, local.shape[1:], point, spacing_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*lines, indexing="ij")
    window = np.exp(-0.5 * (z**2 + y**2 + x**2) / WINDOW_MM**2)
    window[z**2 + y**2 + x**2 > (2 * WINDOW_MM) ** 2] = 0
    flat = local.reshape(3, -1).astype(np.float64)
    values, vectors = np.linalg.eigh((flat * window.ravel()) @ flat.T)
    if values[2] <= 1e-9:
        return np.array([1.0, 0.0, 0.0])
    axis = vectors[:, 0]
    return axis * np.sign(axis[np.argmax(np.abs(axis))])
