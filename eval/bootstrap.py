"""Intervals that respect groups: frames of one video are alike, so whole videos are drawn, never single frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.froc import Matches
from eval.thresholds import falling_levels

REPLICATES = 2000  # chosen: the end points of a 95 % interval then move by less than 0.01 from seed to seed


def sensitivity_replicates(
    matches: Matches,
    group: np.ndarray,
    lesions_per_group: np.ndarray,
    images_per_group: np.ndarray,
    fps_per_image: Sequence[float],
    n_replicates: int = REPLICATES,
    seed: int = 0,
) -> np.ndarray:
    """Sensitivity at each rate of false positives, in `n_replicates` redraws of the G groups with replacement.

    matches: M candidates. group: (M,) int, the group 0 .. G-1 of each candidate.
    lesions_per_group, images_per_group: (G,) int; they are drawn with their group, as the candidates are, and a group
    drawn twice counts as two. A group may have no lesion, no image or no candidate.
    fps_per_image: (T,) rates at which to read each redrawn curve, as `froc.sensitivity_at`; inf accepts everything.
    Returns (n_replicates, T) float64. A replicate that drew no lesion has no sensitivity, and one that drew no image no
    rate of false positives: its row is NaN.
    """
    n_groups = len(images_per_group)
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_replicates)

    thresholds, level = falling_levels(matches.score)
    false = _counts_per_group(level, group, matches.false, (len(thresholds), n_groups))
    found = _counts_per_group(level, group, matches.first_hits, (len(thresholds), n_groups))
    images = draws @ images_per_group
    lesions = draws @ lesions_per_group

    result = np.full((n_replicates, len(fps_per_image)), np.nan)
    for column, rate in enumerate(fps_per_image):
        accepted = _last_row_within(false, draws, images, rate)
        hits = np.einsum("rg,rg->r", draws, found[accepted])
        np.divide(hits, lesions, out=result[:, column], where=(lesions > 0) & (images > 0))
    return result


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The central `level` of each column of (R, T) replicates: low (T,) and high (T,).

    NaN rows (no lesion drawn) are left out; where nothing is left, both ends are NaN.
    """
    valid = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(valid):
        nothing = np.full(replicates.shape[1], np.nan)
        return nothing, nothing.copy()
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _counts_per_group(level: np.ndarray, group: np.ndarray, selected: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(K + 1, G) int32: row k counts each group's selected candidates among the k highest thresholds; row 0 is 0."""
    n_levels, n_groups = shape
    flat = np.bincount(level[selected] * n_groups + group[selected], minlength=n_levels * n_groups)
    counts = np.zeros((n_levels + 1, n_groups), dtype=np.int32)
    np.cumsum(flat.reshape(n_levels, n_groups), axis=0, out=counts[1:])
    return counts


def _last_row_within(false: np.ndarray, draws: np.ndarray, images: np.ndarray, rate: float) -> np.ndarray:
    """(R,) the last row of `false` at which each redrawn curve still has at most `rate` false positives per image.

    The counts never fall from row to row, so each replicate's row is found by bisection, all replicates at once:
    log2(K) looks at G numbers instead of a sum over all candidates.
    """
    low = np.zeros(len(draws), dtype=np.int64)  # row 0 accepts nothing and is always within the rate
    high = np.full(len(draws), len(false) - 1)
    while np.any(low < high):
        middle = (low + high + 1) // 2
        within = np.einsum("rg,rg->r", draws, false[middle]) / np.maximum(images, 1) <= rate
        low = np.where(within, middle, low)
        high = np.where(within, high, middle - 1)
    return low
