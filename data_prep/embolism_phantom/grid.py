"""The voxels of a volume as points in mm, soft-edged painting, and smooth random fields on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

Array = np.ndarray
Box = tuple[slice, slice, slice]
WHOLE: Box = (slice(None), slice(None), slice(None))


@dataclass(frozen=True)
class Grid:
    """shape: voxels (z, y, x). spacing_mm, origin_mm: (z, y, x); origin is the centre of the first voxel."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    @property
    def edge_mm(self) -> float:
        """Width over which a boundary passes from one side to the other: a voxel's mean side."""
        return float(np.cbrt(np.prod(self.spacing_mm)))

    def axes(self, box: Box = WHOLE) -> tuple[Array, Array, Array]:
        """z, y, x in mm of the voxels in `box`, float32, shaped to broadcast: (Z, 1, 1), (1, Y, 1), (1, 1, X)."""
        lines = (
            (start + step * np.arange(n, dtype=np.float32))[part]
            for start, step, n, part in zip(self.origin_mm, self.spacing_mm, self.shape, box, strict=True)
        )
        z, y, x = lines
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def box(self, low_mm: Array, high_mm: Array) -> Box | None:
        """The voxels between two corners, cut to the volume; None if there are none."""
        spacing, origin = np.array(self.spacing_mm), np.array(self.origin_mm)
        first = np.maximum(np.ceil((low_mm - origin) / spacing), 0).astype(int)
        last = np.minimum(np.floor((high_mm - origin) / spacing) + 1, self.shape).astype(int)
        if np.any(first >= last):
            return None
        return slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2])

    def points(self, box: Box) -> Array:
        """(N, 3) mm of the voxels in `box`, in their order in memory."""
        return np.stack([part.ravel() for part in np.broadcast_arrays(*self.axes(box))], axis=1)

    def inside(self, points_mm: Array) -> Array:
        """(N,) bool: which of the points (N, 3) lie in the volume."""
        relative = (points_mm - self.origin_mm) / self.spacing_mm
        return np.all((relative >= 0) & (relative <= np.array(self.shape) - 1), axis=1)


def cover(distance_mm: Array, edge_mm: float) -> Array:
    """How much of a voxel is inside, 0 to 1, for a signed distance of its centre to the boundary (negative inside)."""
    return np.clip(0.5 - distance_mm / edge_mm, 0.0, 1.0)


def paint(canvas: Array, coverage: Array, value: Array | float) -> None:
    """Blend `value` into the canvas, in place."""
    canvas += coverage * (value - canvas)


def ellipsoid(grid: Grid, box: Box, centre_mm: Array, radii_mm: Array) -> Array:
    """Signed distance (near the surface) to an ellipsoid along the axes."""
    z, y, x = grid.axes(box)
    norm = np.sqrt(
        ((z - centre_mm[0]) / radii_mm[0]) ** 2
        + ((y - centre_mm[1]) / radii_mm[1]) ** 2
        + ((x - centre_mm[2]) / radii_mm[2]) ** 2
    )
    return (norm - 1.0) * float(np.min(radii_mm))


def paint_ellipsoid(
    grid: Grid, canvas: Array, centre_mm: Array, radii_mm: Array, value: float, soft: float = 1
) -> None:
    """Fill an ellipsoid with one value; soft: width of its edge in voxels."""
    reach = np.asarray(radii_mm) * (1.0 + soft * grid.edge_mm / float(np.min(radii_mm)))
    box = grid.box(np.asarray(centre_mm) - reach, np.asarray(centre_mm) + reach)
    if box is not None:
        paint(canvas[box], cover(ellipsoid(grid, box, centre_mm, radii_mm), soft * grid.edge_mm), value)


def smooth_noise(rng: np.random.Generator, grid: Grid, cell_mm: float) -> Array:
    """A smooth random field of unit spread whose features are about `cell_mm` wide. float32, the grid's shape."""
    coarse = [max(4, int(np.ceil(n * step / cell_mm)) + 3) for n, step in zip(grid.shape, grid.spacing_mm, strict=True)]
    small = ndimage.gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), 0.7)
    size = (grid.shape[2], grid.shape[1])
    planes = [cv2.resize(np.asarray(plane), size, interpolation=cv2.INTER_CUBIC) for plane in small]
    field = _stretch(np.stack(planes), grid.shape[0])
    return field / max(float(field.std()), 1e-6)


def _stretch(planes: Array, n: int) -> Array:
    """Linear interpolation between planes (K, Y, X) to n of them."""
    at = np.linspace(0.5, len(planes) - 1.5, n, dtype=np.float32)
    low = at.astype(int)
    share = (at - low)[:, None, None]
    return planes[low] * (1 - share) + planes[low + 1] * share
