"""The places of a region that a net scores, as maps of confidence, and found rows back on the image's columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_prep.intima_patches import WINDOW_UM, resample
from data_prep.intima_readers import read_grey
from data_prep.intima_rois import PlannedRoi

# chosen: the paper scores every pixel. AlexNet's first layer steps by four pixels, so finer rows see little new; along
# the wall, which changes slowly, half as many do. In um, 92 and 183 with patches of 131 pixels, 53 and 106 with 227.
ROW_STEP, COLUMN_STEP = 4, 8


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


def region_grid(roi: PlannedRoi, size: int) -> MapGrid:
    """The grid over a region for patches of `size` pixels; its last row and column may lie just beyond."""
    step = WINDOW_UM / size / roi.pixel_um
    first_row, last_row = roi.top_px, roi.bottom_px - 1
    first_column, last_column = float(roi.columns_px[0]), float(roi.columns_px[-1])
    return MapGrid(
        np.arange(first_row, last_row + ROW_STEP * step, ROW_STEP * step),
        np.arange(first_column, last_column + COLUMN_STEP * step, COLUMN_STEP * step),
    )


def region_patches(roi: PlannedRoi, size: int) -> Iterator[np.ndarray]:
    """The patch of every cell of `region_grid`, row by row: (size, size, 3) uint8, as those of the databases."""
    grid = region_grid(roi, size)
    rows, columns = grid.rows_px, grid.columns_px
    raster = resample(read_grey(roi.path), roi.pixel_um, (rows[0], rows[-1]), (columns[0], columns[-1]), size)
    for row in rows:
        for column in columns:
            yield np.repeat(raster.patch(row, column, size)[..., None], 3, axis=2)
