"""The ROC curve and its area, for patches and for candidates.

As a command, `python -m eval.roc scores.csv`, it is eval/roc_command.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score

from eval.thresholds import counts_at_levels, falling_levels
from layerwise.errors import DataError


@dataclass(frozen=True)
class RocCurve:
    """One point per distinct score, after the origin: (K + 1,) arrays, thresholds falling from inf."""

    thresholds: np.ndarray
    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """True positive rate against false positive rate as the threshold falls; equal scores form one point.

    labels: (M,) 0 or 1. scores: (M,) finite, larger is more positive.
    Starts at (0, 0) with threshold inf and ends at (1, 1).
    Raises DataError if only one class is present, a label is neither 0 nor 1, or a score is not finite.
    """
    positive, values = _checked(labels, scores)
    thresholds, level = falling_levels(values)
    true_positives = counts_at_levels(level, positive, len(thresholds))
    false_positives = counts_at_levels(level, ~positive, len(thresholds))
    return RocCurve(
        thresholds=np.concatenate([[np.inf], thresholds]),
        false_positive_rate=np.concatenate([[0.0], false_positives / false_positives[-1]]),
        true_positive_rate=np.concatenate([[0.0], true_positives / true_positives[-1]]),
    )


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve by scikit-learn: P(positive scores above negative) + P(equal) / 2.

    labels: (M,) 0 or 1. scores: (M,) finite, larger is more positive.
    Raises DataError if only one class is present (there is no area then, and 0.5 would look like a result),
    a label is neither 0 nor 1, or a score is not finite.
    """
    positive, values = _checked(labels, scores)
    return float(roc_auc_score(positive, values))


def partial_auc(labels: ArrayLike, scores: ArrayLike, max_false_positive_rate: float) -> float:
    """Area up to a false positive rate in (0, 1], standardised as McClish 1989 does: 0.5 by chance, 1 at best.

    By scikit-learn, which draws lines between the points of the curve. DataError as `auc`.
    """
    positive, values = _checked(labels, scores)
    return float(roc_auc_score(positive, values, max_fpr=max_false_positive_rate))


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """labels as (M,) bool and scores as (M,) float64, or the DataError that says what is wrong with them."""
    truth = np.asarray(labels)
    values = np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise DataError(f"ROC: labels {truth.shape} and scores {values.shape} must be two lists of the same length")
    foreign = truth[(truth != 0) & (truth != 1)]
    if len(foreign):
        raise DataError(f"ROC: label {foreign[0]} found, only 0 and 1 have a meaning; merge the classes first")
    not_finite = np.flatnonzero(~np.isfinite(values))
    if len(not_finite):
        raise DataError(
            f"ROC: {len(not_finite)} of {len(values)} scores are not finite (first at row {not_finite[0]}: "
            f"{values[not_finite[0]]}); the net has diverged: try a lower base_lr"
        )
    n_positive = int(np.count_nonzero(truth))
    if n_positive in (0, len(truth)):
        raise DataError(
            f"ROC: {n_positive} positive and {len(truth) - n_positive} negative examples; "
            "the area under the curve needs both classes: take more groups into this split, or another seed"
        )
    return truth == 1, values


if __name__ == "__main__":
    from eval.roc_command import main

    sys.exit(main())
