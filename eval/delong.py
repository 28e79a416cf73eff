"""Variances of ROC areas without a model: DeLong's for independent cases, Obuchowski's for cases in groups.

Both rest on the placements: of each positive the share of negatives below it, of each negative the share of positives
above it. Ranks give them in one sort (Sun and Xu 2014), so a million cases are no matter.
Sources: DeLong, DeLong and Clarke-Pearson 1988; Obuchowski 1997.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.thresholds import counts_at_levels, falling_levels

Z95 = 1.959963984540054  # of the normal distribution


@dataclass(frozen=True)
class Placements:
    """Of S systems on the same cases, P positives and N negatives in the order of the rows; equal scores count half.

    positive: (S, P) float64, the share of negatives below each positive. negative: (S, N), the share of positives above
    each negative. The mean of either is the area under the ROC curve.
    """

    positive: np.ndarray
    negative: np.ndarray

    @property
    def auc(self) -> np.ndarray:
        """(S,)"""
        return self.positive.mean(axis=1)


def placements(label: np.ndarray, scores: Sequence[np.ndarray]) -> Placements:
    """label: (M,) 0 or 1, both present. scores: of each system (M,) finite."""
    is_positive = label == 1
    of_positive, of_negative = [], []
    for score in scores:
        thresholds, level = falling_levels(score)
        positives, negatives = (counts_at_levels(level, kind, len(thresholds)) for kind in (is_positive, ~is_positive))
        above = positives - np.diff(positives, prepend=0) / 2
        below = negatives[-1] - negatives + np.diff(negatives, prepend=0) / 2
        of_positive.append(below[level[is_positive]] / negatives[-1])
        of_negative.append(above[level[~is_positive]] / positives[-1])
    return Placements(np.stack(of_positive), np.stack(of_negative))


def delong_covariance(of: Placements) -> np.ndarray:
    """(S, S) of the areas, all cases independent; NaN with a single positive or negative, which has no spread."""
    total = np.zeros((len(of.positive), len(of.positive)))
    for values in (of.positive, of.negative):
        n = values.shape[1]
        off = values - values.mean(axis=1, keepdims=True)
        total += off @ off.T / (n * (n - 1)) if n > 1 else np.nan
    return total


def obuchowski_covariance(of: Placements, label: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(S, S) of the areas where only groups are independent.

    label, group: (M,), as `placements` saw them; groups are 0 .. G - 1, none empty. It is DeLong's where each group has
    one case. NaN where the positives, or the negatives, are all of one group.
    """
    is_positive = label == 1
    n_groups = int(group.max()) + 1
    positive, scale_positive = _by_group(of.positive, group[is_positive], of.auc, n_groups)
    negative, scale_negative = _by_group(of.negative, group[~is_positive], of.auc, n_groups)
    both = positive @ negative.T
    scale_both = n_groups / (n_groups - 1) if n_groups > 1 else np.nan
    return (
        scale_positive * (positive @ positive.T)
        + scale_negative * (negative @ negative.T)
        + scale_both * (both + both.T)
    )


def _by_group(values: np.ndarray, group: np.ndarray, auc: np.ndarray, n_groups: int) -> tuple[np.ndarray, float]:
    """(S, G) sums of placements less what the mean gives so many cases, as shares; and n / (n - 1) of n groups."""
    n_cases = np.bincount(group, minlength=n_groups)
    sums = np.stack([np.bincount(group, weights=row, minlength=n_groups) for row in values])
    n_with = int(np.count_nonzero(n_cases))
    return (sums - auc[:, None] * n_cases) / len(group), n_with / (n_with - 1) if n_with > 1 else np.nan


def normal_interval(area: float, variance: float) -> list[float] | None:
    """95 % of a normal distribution, cut to 0 .. 1. None without a variance above 0.

    Without a pair out of order the variance is 0, and 1 to 1 would promise what the cases cannot show.
    """
    if not variance > 0:
        return None
    reach = Z95 * math.sqrt(variance)
    return [max(0.0, area - reach), min(1.0, area + reach)]


def normal_p(difference: float, variance: float) -> float | None:
    """Two-sided, that a difference is 0. Without a variance above 0: 1 if nothing differs, else None."""
    if not variance > 0:
        return 1.0 if difference == 0 else None
    return math.erfc(abs(difference) / math.sqrt(2 * variance))
