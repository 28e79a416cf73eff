"""Runs side by side in the same redraws of the test split's groups: what differs between them is then the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.bootstrap import percentile_interval
from eval.judged import WRITER
from eval.measured import Sample, Yardstick
from layerwise.errors import DataError


@dataclass(frozen=True)
class Difference:
    """By how much the first of two runs is better in the headline, whichever way is better, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """ahead or behind if the interval excludes 0, level if it does not, unknown without one."""
        if self.low is None or self.high is None:
            return "unknown"
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "level"


def mean_sample(samples: Sequence[Sample]) -> Sample:
    """Of runs that differ in their seed. DataError if they judged different things."""
    check_paired(samples)
    values = np.mean([sample.values for sample in samples], axis=0)
    return Sample(
        samples[0].ids, samples[0].n_groups, values, np.mean([sample.replicates for sample in samples], axis=0)
    )


def check_paired(samples: Sequence[Sample]) -> None:
    if any(sample.ids != samples[0].ids for sample in samples):
        raise DataError(
            "these runs were evaluated on different test splits, so they do not pair: report them again "
            f"({WRITER}) after their data set was last prepared"
        )


def difference(first: Sample, second: Sample, yardstick: Yardstick) -> Difference:
    """Paired: both in the same redraws."""
    check_paired([first, second])
    sign = 1.0 if yardstick.larger_is_better else -1.0
    low, high = interval(sign * (first.replicates[:, -1] - second.replicates[:, -1]))
    return Difference(sign * (first.headline - second.headline), low, high)


def interval(replicates: np.ndarray) -> tuple[float | None, float | None]:
    """95 % of (R,) replicates; None without any."""
    low, high = percentile_interval(replicates[:, None])
    return (None, None) if np.isnan(low[0]) else (float(low[0]), float(high[0]))


def shares_of_best(samples: Mapping[str, Sample], yardstick: Yardstick) -> dict[str, float]:
    """In which share of the redraws each has the best headline; equals share a redraw. Empty without redraws."""
    headlines = np.array([sample.replicates[:, -1] for sample in samples.values()])
    headlines = headlines[:, ~np.isnan(headlines).any(axis=0)]
    if not headlines.size:
        return {}
    best = headlines.max(axis=0) if yardstick.larger_is_better else headlines.min(axis=0)
    is_best = headlines == best
    return dict(zip(samples, (is_best / is_best.sum(axis=0)).mean(axis=1).tolist(), strict=True))
