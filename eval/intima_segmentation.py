"""From confidence maps to the two boundaries of the far wall: column argmax, then two open snakes.

Source: paper, section VI-D. It initialises the snakes (Liang, McInerney, Terzopoulos 2006) on the row of the largest
response in every column, and lets them deform until they come to rest; energies and weights are not stated.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.segmentation import active_contour

# chosen, all of them: with these a line of isolated slips of the argmax is smoothed away, and a bend of the wall's own
# is kept; see tests/test_boundary_segmentation.py. Lengths are in rows or columns of the maps.
SMOOTH_PX = 1.5  # a snake sees a slope only as far as the map is smooth
TENSION, RIGIDITY, ATTRACTION = 0.01, 0.1, 1.0
INERTIA, LARGEST_MOVE_PX, MOST_STEPS = 0.1, 0.5, 600
RUN_OUT = 8  # columns that the maps are continued by on both sides, since open ends draw back


def segment(li_map: np.ndarray, ma_map: np.ndarray, least_apart: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """LI and MA, (W,) float64 rows, MA at least `least_apart` below LI, from two (H, W) maps of confidence in [0, 1].

    Raises ValueError if the maps differ in shape, hold what is not finite, or have fewer than least_apart + 1 rows.
    """
    rows_li, rows_ma = argmax_rows(li_map, ma_map, least_apart)
    li, ma = relax_snake(li_map, rows_li), relax_snake(ma_map, rows_ma)
    too_near = np.maximum(least_apart - (ma - li), 0) / 2
    return li - too_near, ma + too_near


def argmax_rows(li_map: np.ndarray, ma_map: np.ndarray, least_apart: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Per column the rows (W,) int64 of the largest response, LI at least `least_apart` above MA.

    Where the two maxima are in order these are they; elsewhere the pair in order with the largest sum. The first of
    equals is taken.
    """
    height = _checked(li_map, ma_map)
    if height <= least_apart:
        raise ValueError(f"maps of {height} rows hold no two boundaries {least_apart} apart")
    # The best LI at or above every row, then the MA with which the sum is largest.
    best_li = np.maximum.accumulate(li_map, axis=0)[: height - least_apart]
    ma = least_apart + np.argmax(best_li + ma_map[least_apart:], axis=0)
    above = np.arange(height)[:, None] <= ma - least_apart
    return np.argmax(np.where(above, li_map, -np.inf), axis=0), ma


def relax_snake(confidence: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Let an open snake that starts on `rows` (W,) come to rest on the (H, W) map; returns its rows (W,) float64."""
    height, width = confidence.shape
    padded = np.pad(
        gaussian_filter(np.asarray(confidence, np.float64), SMOOTH_PX), ((0, 0), (RUN_OUT, RUN_OUT)), "edge"
    )
    start = np.pad(np.asarray(rows, np.float64), RUN_OUT, "edge")
    snake = active_contour(
        padded,
        np.column_stack([start, np.arange(width + 2 * RUN_OUT, dtype=np.float64)]),
        alpha=TENSION,
        beta=RIGIDITY,
        w_line=ATTRACTION,
        w_edge=0,
        gamma=INERTIA,
        max_px_move=LARGEST_MOVE_PX,
        max_num_iter=MOST_STEPS,
        boundary_condition="free",
    )
    order = np.argsort(snake[:, 1])
    found = np.interp(np.arange(width), snake[order, 1] - RUN_OUT, snake[order, 0])
    return np.clip(found, 0, height - 1)


def _checked(li_map: np.ndarray, ma_map: np.ndarray) -> int:
    if li_map.ndim != 2 or li_map.shape != ma_map.shape:
        raise ValueError(f"maps of LI {li_map.shape} and MA {ma_map.shape}: expected two of one shape (H, W)")
    for name, confidence in (("LI", li_map), ("MA", ma_map)):
        if not np.isfinite(confidence).all():
            raise ValueError(f"the map of {name} holds {np.sum(~np.isfinite(confidence))} values that are not finite")
    return li_map.shape[0]
