"""Do scores mean what they say? Of the cases scored about 0.8, are 80 % positive? Reliability curve and Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.group_ratio import group_sums, ratio_intervals

N_BINS = 10  # chosen: as reliability diagrams usually have


@dataclass(frozen=True)
class Bin:
    """The n cases scored from `low` on and below `high` (the last bin: up to it).

    mean_score, share_positive: None in an empty bin. ci95_group: of the share, None where it could not be redrawn.
    """

    low: float
    high: float
    n: int
    mean_score: float | None
    share_positive: float | None
    ci95_group: list[float] | None


@dataclass(frozen=True)
class Calibration:
    """brier: mean squared distance of score and label, 0 is best. ci95_group: of it.

    brier_base_rate: what a score gets that is always the share of positives.
    """

    brier: float
    brier_base_rate: float
    ci95_group: list[float] | None
    bins: list[Bin]


def is_probability(score: np.ndarray) -> bool:
    """Whether all scores are in 0 .. 1."""
    return bool(score.min() >= 0 and score.max() <= 1)


def calibration(
    label: np.ndarray, score: np.ndarray, group: np.ndarray, n_replicates: int, seed: int, n_bins: int = N_BINS
) -> Calibration:
    """label: (M,) 0 or 1. score: (M,) in 0 .. 1. group: (M,) 0 .. G - 1, none empty."""
    place = np.minimum((score * n_bins).astype(np.int64), n_bins - 1)
    squared = (score - label) ** 2
    inside = [place == at for at in range(n_bins)]
    numerator, denominator = [*(label * chosen for chosen in inside), squared], [*inside, np.ones(len(label))]
    *of_bins, of_brier = ratio_intervals(
        group_sums(group, numerator), group_sums(group, denominator), n_replicates, seed
    )
    bins = []
    for at, (chosen, interval) in enumerate(zip(inside, of_bins, strict=True)):
        n = int(np.count_nonzero(chosen))
        bins.append(
            Bin(
                low=at / n_bins,
                high=(at + 1) / n_bins,
                n=n,
                mean_score=float(score[chosen].mean()) if n else None,
                share_positive=float(label[chosen].mean()) if n else None,
                ci95_group=interval,
            )
        )
    base_rate = float(label.mean())
    return Calibration(float(squared.mean()), base_rate * (1 - base_rate), of_brier, bins)
