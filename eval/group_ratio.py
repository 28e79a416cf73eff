"""Shares (of hits, of errors) with intervals that respect groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.bootstrap import group_draws, redrawn_intervals


def group_sums(group: np.ndarray, columns: Sequence[np.ndarray]) -> np.ndarray:
    """(G, K) float64: the sum of each of K columns of (M,) values over each group 0 .. G - 1."""
    return np.stack([np.bincount(group, weights=values) for values in columns], axis=1)


def ratio_intervals(
    numerator: np.ndarray, denominator: np.ndarray, n_replicates: int, seed: int
) -> list[list[float] | None]:
    """95 % of the ratio of two sums, for each of K columns, in redraws of the G rows.

    numerator, denominator: (G, K), each group's part of both sums. None with one group, or where no redraw has a
    ratio. A redraw whose denominator is 0 is left out of its column.
    """
    if len(numerator) < 2:
        return [None] * numerator.shape[1]
    redrawn = []
    for draws in group_draws(len(numerator), n_replicates, seed):
        counts = draws @ denominator
        redrawn.append(np.divide(draws @ numerator, counts, out=np.full(counts.shape, np.nan), where=counts > 0))
    return [redrawn_intervals(column[:, None])[0] for column in np.concatenate(redrawn).T]
