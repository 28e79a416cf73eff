"""Operating points that move: a threshold chosen on the validation split, and what it obtains on the test split.

A threshold read off the test curve itself is the best for the very cases that judge it. Whoever uses a classifier has
to choose before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.group_ratio import group_sums, ratio_intervals
from eval.roc import roc_curve


@dataclass(frozen=True)
class Transferred:
    """One threshold. rate: the false positive rate asked for.

    threshold: the lowest with at most `rate` on validation; None where even the highest score has more: nothing is
    accepted then. val_*: on validation, where it was chosen. The others are obtained on test, with 95 % intervals over
    redraws of the test groups (None with one group); the threshold stays in them what it is.
    """

    rate: float
    threshold: float | None
    val_sensitivity: float
    val_false_positive_rate: float
    sensitivity: float
    sensitivity_ci95_group: list[float] | None
    false_positive_rate: float
    false_positive_rate_ci95_group: list[float] | None


def transfer(
    val_label: np.ndarray,
    val_score: np.ndarray,
    label: np.ndarray,
    score: np.ndarray,
    group: np.ndarray,
    rates: Sequence[float],
    n_replicates: int,
    seed: int,
) -> list[Transferred]:
    """val_label, val_score: (V,). label, score, group: (M,), of the test split. Both splits have labels 0 and 1."""
    curve = roc_curve(val_label, val_score)
    at = np.searchsorted(curve.false_positive_rate, rates, side="right") - 1
    positive = label == 1
    accepted = [score >= threshold for threshold in curve.thresholds[at]]  # the first threshold is inf: nothing is
    obtained, intervals = [], []
    for kind in (positive, ~positive):
        part, whole = group_sums(group, [each & kind for each in accepted]), group_sums(group, [kind] * len(accepted))
        obtained.append((part.sum(axis=0) / whole.sum(axis=0)).tolist())
        intervals.append(ratio_intervals(part, whole, n_replicates, seed))
    return [
        Transferred(
            rate=rate,
            threshold=float(curve.thresholds[index]) if index else None,
            val_sensitivity=float(curve.true_positive_rate[index]),
            val_false_positive_rate=float(curve.false_positive_rate[index]),
            sensitivity=obtained[0][column],
            sensitivity_ci95_group=intervals[0][column],
            false_positive_rate=obtained[1][column],
            false_positive_rate_ci95_group=intervals[1][column],
        )
        for column, (rate, index) in enumerate(zip(rates, at, strict=True))
    ]
