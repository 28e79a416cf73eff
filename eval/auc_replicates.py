"""Areas under ROC curves in redraws of whole groups, without sorting the cases again for each.

In a redraw every pair of a positive of group g and a negative of group h counts weight g times weight h. So all that a
redraw needs to know of the cases is, for each two groups, how many pairs are in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.bootstrap import group_draws

BLOCK = 64  # chosen: then pairs within a block and sums over whole blocks cost about the same with 200 groups
LARGEST_TABLE = 1 << 23  # chosen: numbers in a table (64 MB); with many groups blocks grow instead


def auc_replicates(
    label: np.ndarray, scores: Sequence[np.ndarray], group: np.ndarray, n_replicates: int, seed: int
) -> np.ndarray:
    """(n_replicates, S): the area of each system in the same redraws; NaN rows where a redraw has one class only.

    label: (M,) 0 or 1. scores: of each of S systems (M,). group: (M,) 0 .. G - 1.
    """
    n_groups = int(group.max()) + 1
    in_order = [pairs_in_order(label, score, group, n_groups) for score in scores]
    n_positive = np.bincount(group[label == 1], minlength=n_groups)
    n_negative = np.bincount(group[label == 0], minlength=n_groups)
    blocks = []
    for draws in group_draws(n_groups, n_replicates, seed):
        n_pairs = (draws @ n_positive) * (draws @ n_negative)
        counts = np.stack([np.einsum("rg,rg->r", draws @ pairs, draws) for pairs in in_order], axis=1)
        areas = np.full(counts.shape, np.nan)
        blocks.append(np.divide(counts, n_pairs[:, None], out=areas, where=n_pairs[:, None] > 0))
    return np.concatenate(blocks)


def pairs_in_order(label: np.ndarray, score: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """(G, G) float64: pairs of a positive of group g (row) that scores above a negative of group h; equal ones half."""
    positive = label == 1
    above, above_or_equal = np.lexsort((~positive, score)), np.lexsort((positive, score))
    strictly = _negatives_before(positive[above], group[above], n_groups)
    if np.array_equal(positive[above], positive[above_or_equal]) and np.array_equal(above, above_or_equal):
        return strictly
    return (strictly + _negatives_before(positive[above_or_equal], group[above_or_equal], n_groups)) / 2


def _negatives_before(positive: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """(G, G): pairs of a positive (row: its group) and a negative (column) that stands before it in the list."""
    size = max(BLOCK, -(-len(group) * n_groups // LARGEST_TABLE))
    n_blocks = -(-len(group) // size)
    place = np.arange(len(group)) // size * n_groups + group
    of_positive, of_negative = (
        np.bincount(place[kind], minlength=n_blocks * n_groups).reshape(n_blocks, n_groups).astype(np.float64)
        for kind in (positive, ~positive)
    )
    before = np.cumsum(of_negative, axis=0) - of_negative
    table = (of_positive.T @ before).reshape(-1)

    padding = n_blocks * size - len(group)  # of neither kind
    kinds = [np.pad(kind, (0, padding)).reshape(n_blocks, size) for kind in (positive, ~positive)]
    own_group = np.pad(group, (0, padding)).reshape(n_blocks, size)
    earlier = np.tri(size, k=-1, dtype=bool)
    at_once = max(1, LARGEST_TABLE // size**2)
    for start in range(0, n_blocks, at_once):
        here = slice(start, start + at_once)
        block, of, above = np.nonzero(kinds[0][here, :, None] & kinds[1][here, None, :] & earlier)
        pair = own_group[here][block, of] * n_groups + own_group[here][block, above]
        table += np.bincount(pair, minlength=n_groups**2)
    return table.reshape(n_groups, n_groups)
