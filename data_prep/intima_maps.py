"""A region's pixels for a net that maps it in one pass, and found rows of the maps back on the image's columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.intima_patches import Raster, raster_um, resample
from data_prep.intima_readers import read_grey
from data_prep.intima_rois import PlannedRoi


@dataclass(frozen=True)
class MapGrid:
    """Where the cells of a region's maps lie in the image. rows_px: (H,), columns_px: (W,) float64, even steps."""

    rows_px: np.ndarray
    columns_px: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows_px), len(self.columns_px)

    def on_columns(self, found: np.ndarray, columns_px: np.ndarray) -> np.ndarray:
        """A line found in the maps, (W,) rows of the grid, as rows of the image at columns_px (N,): (N,) float64."""
        step = self.rows_px[1] - self.rows_px[0]
        return np.interp(columns_px, self.columns_px, self.rows_px[0] + step * found)


def region_grid(roi: PlannedRoi, size: int, stride: int) -> MapGrid:
    """Every `stride`-th pixel of the raster of patches of `size` pixels, both ways, over the whole region.

    The last row and column may lie just beyond the region.
    """
    step = stride * raster_um(size) / roi.pixel_um
    first_row, last_row = roi.top_px, roi.bottom_px - 1
    first_column, last_column = float(roi.columns_px[0]), float(roi.columns_px[-1])
    return MapGrid(
        np.arange(first_row, last_row + step, step),
        np.arange(first_column, last_column + step, step),
    )


def region_raster(roi: PlannedRoi, grid: MapGrid, size: int) -> Raster:
    """The pixels on which a patch about any place of the grid can be cut, resampled as those of the databases."""
    rows, columns = grid.rows_px, grid.columns_px
    return resample(read_grey(roi.path), roi.pixel_um, (rows[0], rows[-1]), (columns[0], columns[-1]), size)


def region_pixels(roi: PlannedRoi, grid: MapGrid, size: int) -> np.ndarray:
    """(3, H, W) uint8, grey copied three times: its first `size` square is the patch about the grid's first place."""
    raster = region_raster(roi, grid, size)
    i, j = raster.nearest(grid.rows_px[0], grid.columns_px[0])
    pixels = raster.pixels[i - size // 2 :, j - size // 2 :]
    return np.broadcast_to(pixels, (3, *pixels.shape))
