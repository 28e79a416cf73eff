"""The rival without a net: both boundaries as steps from dark to bright, found together by dynamic programming.

Every pair of rows (LI above MA) of a column has a score from the grey levels above and below each; the best sequence of
pairs from the first to the last column, of which no row moves by more than one per column, is the result. In the
spirit of the gradient methods with dynamic programming that CUBS compares (Meiburger et al. 2021); the paper's own
rival, Sharma et al. 2014, is another. Lengths are in um, so one setting serves all pixel sizes. Nothing is fitted.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from data_prep.intima_readers import read_grey
from data_prep.intima_rois import LINE_COLUMNS, PlannedRoi, line_rows, read_rois
from data_prep.parallel import ordered_map
from handcrafted.rival import BOUNDARIES, Rated, RivalInputs
from layerwise.errors import DataError

# chosen, all of them: on phantoms of seeds 1 and 2, by the mean error of both boundaries. The phantom of seed 0, on
# which results are shown, was not looked at.
SMOOTH_DOWN_UM, SMOOTH_ALONG_UM = 45.0, 260.0
LUMEN_UM, INTIMA_UM = 450.0, 180.0  # LI: darkness above, brightness below
MEDIA_UM, ADVENTITIA_UM = 200.0, 150.0  # MA: the same
CLEAR_LUMEN = 0.0
THICKNESS_UM = (280.0, 1700.0)
MOVE_COST = 0.15
SMOOTH_LINE_UM = 330.0


def rate(inputs: RivalInputs) -> Rated:
    """Both boundaries of every test region; DataError for a region that is too low for them."""
    rois = [roi for roi in read_rois(inputs.dataset_dir / "rois") if roi.split == "test"]
    rows = [row for found in ordered_map(trace, rois, inputs.workers, "regions") for row in found]
    facts = {
        "description": "Gradients and dynamic programming on every region by itself; its settings are fixed, so "
        "nothing is fitted and a reduced training set changes nothing.",
        "fitted_on": {"train": 0, "val": 0},
        "settings": {"thickness_um": THICKNESS_UM, "move_cost": MOVE_COST, "smooth_line_um": SMOOTH_LINE_UM},
    }
    return Rated(BOUNDARIES, LINE_COLUMNS, rows, facts)


def trace(roi: PlannedRoi) -> list[dict[str, Any]]:
    """Rows of boundaries.csv of one region, one per column of the experts' lines."""
    image = read_grey(roi.path)
    try:
        found = detect_boundaries(image[roi.top_px : roi.bottom_px, roi.columns_px], roi.pixel_um)
    except ValueError as error:
        raise DataError(f"{roi.roi_id}: {error}") from error
    li, ma = (line + roi.top_px for line in found)
    return list(line_rows(roi.roi_id, roi.columns_px, li, ma))


def detect_boundaries(region: np.ndarray, pixel_um: float) -> tuple[np.ndarray, np.ndarray]:
    """LI and MA, (W,) float64 rows of the region, whole numbers at pixel centres; MA below LI in every column.

    region: (H, W) uint8, rows of the far wall with some lumen above it. The rows are refined between pixels.
    Raises ValueError if the region is lower than the least thickness.
    """
    grey = gaussian_filter(region.astype(np.float64), (SMOOTH_DOWN_UM / pixel_um, SMOOTH_ALONG_UM / pixel_um))
    low, high = np.percentile(grey, (2, 98))
    grey = np.clip((grey - low) / max(high - low, 1e-9), 0, 1)
    li_above, li_below = _beside(grey, LUMEN_UM / pixel_um, INTIMA_UM / pixel_um)
    ma_above, ma_below = _beside(grey, MEDIA_UM / pixel_um, ADVENTITIA_UM / pixel_um)
    # LI is the first bright thing below the lumen: what is bright far above it speaks against a row.
    far_above, _ = _beside(grey, 2 * LUMEN_UM / pixel_um, 1)
    li_score, ma_score = li_below - li_above - CLEAR_LUMEN * far_above, ma_below - ma_above
    thinnest, thickest = (round(um / pixel_um) for um in THICKNESS_UM)
    li_rows, ma_rows = best_pairs(li_score, ma_score, thinnest, thickest, MOVE_COST)
    sigma = SMOOTH_LINE_UM / pixel_um
    # The step that scores in row r lies at the upper edge of its pixel.
    li, ma = (
        gaussian_filter1d(_between_rows(score, rows), sigma, mode="nearest") - 0.5
        for score, rows in ((li_score, li_rows), (ma_score, ma_rows))
    )
    return li, np.maximum(ma, li + 1)


def best_pairs(
    li_score: np.ndarray, ma_score: np.ndarray, thinnest: int, thickest: int, move_cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (W,) int64 of LI and MA with the largest sum of scores along the columns.

    li_score, ma_score: (H, W). MA lies `thinnest` to `thickest` rows below LI; from column to column each row moves by
    at most one, which costs `move_cost`. Raises ValueError if no pair of rows is so far apart.
    """
    height, width = li_score.shape
    apart = np.arange(height)[None] - np.arange(height)[:, None]
    allowed = (apart >= thinnest) & (apart <= thickest)
    if not allowed.any():
        raise ValueError(f"a region of {height} rows has no two that are {thinnest} to {thickest} rows apart")
    moves = list(itertools.product((-1, 0, 1), repeat=2))
    came_by = np.zeros((width, height, height), np.int8)
    total = np.where(allowed, li_score[:, :1] + ma_score[:, 0], -np.inf)
    for column in range(1, width):
        before = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack(
            [before[1 + a : 1 + a + height, 1 + b : 1 + b + height] - move_cost * (abs(a) + abs(b)) for a, b in moves]
        )
        came_by[column] = options.argmax(axis=0)
        gained = li_score[:, column][:, None] + ma_score[:, column]
        total = np.where(allowed, options.max(axis=0) + gained, -np.inf)
    rows = np.empty((2, width), np.int64)
    rows[:, -1] = np.unravel_index(int(total.argmax()), total.shape)
    for column in range(width - 1, 0, -1):
        rows[:, column - 1] = rows[:, column] + moves[came_by[column, rows[0, column], rows[1, column]]]
    return rows[0], rows[1]


def _beside(grey: np.ndarray, above_px: float, below_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean grey of the rows above every row, and of the row itself with those below: (H, W) each."""
    height = len(grey)
    means = []
    for length, is_below in ((above_px, False), (below_px, True)):
        n = max(round(length), 1)
        padded = np.pad(grey, ((n, n), (0, 0)), mode="edge")
        sums = np.cumsum(np.pad(padded, ((1, 0), (0, 0))), axis=0)
        first = n if is_below else 0
        means.append((sums[first + n : first + n + height] - sums[first : first + height]) / n)
    return means[0], means[1]


def _between_rows(score: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The top of the parabola through the scores of each row and its neighbours: (W,) float64."""
    inner = np.clip(rows, 1, len(score) - 2)
    columns = np.arange(len(rows))
    up, here, down = (score[inner + step, columns] for step in (-1, 0, 1))
    bend = up - 2 * here + down
    shift = np.where(bend < -1e-12, 0.5 * (up - down) / np.where(bend < -1e-12, bend, 1), 0)
    return inner + np.clip(shift, -0.5, 0.5)
