"""Intervals that respect groups: frames of one video are alike, so whole videos are drawn, never single frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from eval.froc import Matches
from eval.weighted_froc import WeightedFroc

REPLICATES = 2000  # chosen: the end points of a 95 % interval then move by less than 0.01 from seed to seed
DRAWS_AT_ONCE = 1 << 19  # chosen: numbers in one block of draws (4 MB); it bounds the memory and changes no number


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
    candidates = WeightedFroc(matches, group, len(images_per_group))
    rates = np.asarray(fps_per_image, dtype=np.float64)
    read = [
        candidates.sensitivity_at(draws, draws @ lesions_per_group, draws @ images_per_group, rates)
        for draws in group_draws(len(images_per_group), n_replicates, seed)
    ]
    return np.concatenate(read)


def fps_per_image_replicates(
    matches: Matches,
    group: np.ndarray,
    lesions_per_group: np.ndarray,
    images_per_group: np.ndarray,
    sensitivity: Sequence[float],
    n_replicates: int = REPLICATES,
    seed: int = 0,
) -> np.ndarray:
    """The other axis: false positives per image at which each of S sensitivities is reached, in the same redraws.

    sensitivity: (S,) in (0, 1]. Returns (n_replicates, S) float64; inf where a redrawn curve never gets so far, and NaN
    rows as in `sensitivity_replicates`.
    """
    candidates = WeightedFroc(matches, group, len(images_per_group))
    wanted = np.asarray(sensitivity, dtype=np.float64)
    read = [
        candidates.fps_per_image_at(draws, draws @ lesions_per_group, draws @ images_per_group, wanted)
        for draws in group_draws(len(images_per_group), n_replicates, seed)
    ]
    return np.concatenate(read)


def group_draws(n_groups: int, n_replicates: int, seed: int) -> Iterator[np.ndarray]:
    """How often each group comes in each redraw, in blocks (R, n_groups) float64; R sums to `n_replicates`.

    Two systems that are read with the same seed are read in the same redraws: their differences are paired.
    """
    random = np.random.default_rng(seed)
    share = np.full(n_groups, 1 / n_groups)
    at_once = max(1, DRAWS_AT_ONCE // max(n_groups, 256))
    for start in range(0, n_replicates, at_once):
        size = min(at_once, n_replicates - start)
        yield random.multinomial(n_groups, share, size=size).astype(np.float64)


def percentile_interval(
    replicates: np.ndarray, level: float = 0.95, method: Literal["linear", "inverted_cdf"] = "linear"
) -> tuple[np.ndarray, np.ndarray]:
    """The central `level` of each column of (R, T) replicates: low (T,) and high (T,).

    NaN rows (no lesion drawn) are left out; where nothing is left, both ends are NaN.
    method: NumPy's; "inverted_cdf" takes values that occurred, and so also stands inf.
    """
    valid = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(valid):
        nothing = np.full(replicates.shape[1], np.nan)
        return nothing, nothing.copy()
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2], axis=0, method=method)
    return low, high


def redrawn_intervals(replicates: np.ndarray) -> list[list[float] | None]:
    """`percentile_interval` as [low, high] of each column of (R, K); None where nothing is left."""
    low, high = percentile_interval(replicates)
    return [None if np.isnan(start) else [float(start), float(end)] for start, end in zip(low, high, strict=True)]


def redrawn_p(differences: np.ndarray) -> list[float | None]:
    """Two-sided p of each column of (R, K) redrawn differences: how surely they lie on one side of 0.

    NaN rows are left out; where nothing is left p is None. A redraw with difference 0 counts for both sides.
    """
    valid = differences[~np.isnan(differences).any(axis=1)]
    if not len(valid):
        return [None] * differences.shape[1]
    one_side = np.minimum(np.count_nonzero(valid <= 0, axis=0), np.count_nonzero(valid >= 0, axis=0))
    return np.minimum(1.0, 2 * (one_side + 1) / (len(valid) + 1)).tolist()
