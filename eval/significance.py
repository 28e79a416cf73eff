"""Which schemes differ: every two of them at every compared point, by the paper's rule and by paired tests beside it.

The paper calls two curves different where their 95 % bars do not overlap; of boundaries it prints p-values of a paired
test. Both forget that frames of one video, or regions of one subject, are alike. So redraws and exchanges of whole
groups stand beside them, with Holm's correction over all pairs of schemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from eval.bootstrap import redrawn_p
from eval.boundary import compare as compare_errors
from eval.evaluation import BOOTSTRAP_SEED
from eval.froc import sensitivity_at
from eval.froc_compare import permutation_p
from eval.holm import holm
from eval.judged import JudgedScores, judged_lines, judged_scores
from eval.measured import compared_rates
from eval.paired import interval
from eval.paper_bars import Bar, paper_bars, verdict_by_bars
from eval.run_results import in_order
from eval.study import ApplicationStudy

EXCHANGES = 2000  # chosen: 66 pairs then take seconds; a p value near 0.05 moves by 0.005 from seed to seed
TESTS = ("p_group_bootstrap", "p_permutation", "p_t", "p_wilcoxon")


@dataclass(frozen=True)
class Pair:
    """Two schemes in one column of the yardstick.

    better_by: how much `first` is ahead, whichever way is better; ci95 from redrawn groups, None with one group.
    by_bars: ahead, behind or level by the paper's rule; None of boundaries, and where a curve has no bars.
    p: by the names of TESTS, and holm: the same corrected over all pairs of this column; None where a test does not
    apply.
    """

    first: str
    second: str
    column: str
    better_by: float
    ci95: tuple[float | None, float | None]
    by_bars: str | None
    p: dict[str, float | None]
    holm: dict[str, float | None]

    def row(self) -> dict[str, Any]:
        """As a row of significance.csv; what is None stays empty."""
        return {
            **{key: getattr(self, key) for key in ("first", "second", "column", "better_by", "by_bars")},
            "ci95_low": self.ci95[0],
            "ci95_high": self.ci95[1],
            **self.p,
            **{f"{name}_holm": value for name, value in self.holm.items()},
        }


PAIR_COLUMNS = (
    "first", "second", "column", "better_by", "ci95_low", "ci95_high", "by_bars",
    *TESTS, *(f"{name}_holm" for name in TESTS),
)  # fmt: skip


@dataclass(frozen=True)
class Significance:
    """pairs: every two schemes in every column, the deeper scheme first. bars: of each scheme at each rate.

    without_bars: scheme -> why the paper's model fits no curve to it.
    """

    schemes: tuple[str, ...]
    columns: tuple[str, ...]
    pairs: tuple[Pair, ...]
    bars: dict[str, list[Bar | None]]
    without_bars: dict[str, str]

    def of(self, first: str, second: str) -> list[Pair]:
        return [pair for pair in self.pairs if (pair.first, pair.second) == (first, second)]


@dataclass(frozen=True)
class PairedScores:
    """Two runs on one test split, as `eval.froc_compare` takes them."""

    systems: tuple[JudgedScores, JudgedScores]

    @property
    def lesions_per_group(self) -> np.ndarray:
        return self.systems[0].lesions_per_group

    @property
    def images_per_group(self) -> np.ndarray:
        return self.systems[0].images_per_group

    @property
    def n_lesions(self) -> int:
        return self.systems[0].n_lesions

    @property
    def n_images(self) -> int:
        return self.systems[0].n_images


def significance(study: ApplicationStudy, fraction: float = 1.0, n_exchanges: int = EXCHANGES) -> Significance:
    """Of all schemes that were run on this share of the training set.

    Differences and redraws are of the mean over a scheme's seeds; bars and exchanges of its first seed.
    """
    schemes = tuple(in_order([scheme for scheme, part in study.cells if part == fraction]))
    columns = (*study.yardstick.columns, study.yardstick.headline)
    bars: dict[str, list[Bar | None]] = {}
    without: dict[str, str] = {}
    scores: dict[str, JudgedScores] = {}
    if study.application.curve != "boundary":
        scores = {name: judged_scores(study.cells[name, fraction].runs[0], study.application) for name in schemes}
        for name, judged in scores.items():
            rates, is_froc = compared_rates(study.application), study.application.curve == "froc"
            bars[name], reason = paper_bars(judged, rates, is_froc)
            without |= {name: reason} if reason else {}
    pairs = []
    for second, first in combinations(schemes, 2):
        p = _redrawn(study, first, second, fraction)
        if scores:
            p |= _exchanged(study, scores[first], scores[second], n_exchanges)
        else:
            p |= _of_regions(study, first, second, fraction)
        pairs += _pairs(study, first, second, fraction, columns, p, bars)
    return Significance(schemes, columns, tuple(_corrected(pairs, columns)), bars, without)


def smallest_p(n_groups: int) -> float:
    """The smallest p that exchanging whole groups can give: all or none exchanged, of 2^G ways."""
    return 2.0 ** (1 - n_groups)


def _pairs(
    study: ApplicationStudy,
    first: str,
    second: str,
    fraction: float,
    columns: Sequence[str],
    p: dict[str, list[float | None]],
    bars: dict[str, list[Bar | None]],
) -> list[Pair]:
    one, other = study.cells[first, fraction].sample, study.cells[second, fraction].sample
    sign = 1.0 if study.yardstick.larger_is_better else -1.0
    return [
        Pair(
            first,
            second,
            name,
            float(sign * (one.values[at] - other.values[at])),
            interval(sign * (one.replicates[:, at] - other.replicates[:, at])),
            verdict_by_bars(bars[first][at], bars[second][at]) if bars and at < len(bars[first]) else None,
            {test: p[test][at] if test in p else None for test in TESTS},
            {},
        )
        for at, name in enumerate(columns)
    ]


def _redrawn(study: ApplicationStudy, first: str, second: str, fraction: float) -> dict[str, list[float | None]]:
    one, other = study.cells[first, fraction].sample, study.cells[second, fraction].sample
    return {"p_group_bootstrap": redrawn_p(one.replicates - other.replicates)}


def _exchanged(
    study: ApplicationStudy, first: JudgedScores, second: JudgedScores, n_exchanges: int
) -> dict[str, list[float | None]]:
    """Every column, and last their mean."""
    rates = np.array(compared_rates(study.application))
    means = np.column_stack([np.eye(len(rates)), np.full(len(rates), 1 / len(rates))])
    observed = np.array([sensitivity_at(first.curve, rate) - sensitivity_at(second.curve, rate) for rate in rates])
    both = PairedScores((second, first))
    p = permutation_p(both, rates, means, observed @ means, n_exchanges, BOOTSTRAP_SEED)
    return {"p_permutation": p.tolist()}


def _of_regions(study: ApplicationStudy, first: str, second: str, fraction: float) -> dict[str, list[float | None]]:
    """Paired over regions: each boundary, and last the mean of the averaged ones; of several seeds their mean error."""
    errors = []
    for name in (first, second):
        of_seeds = np.mean([judged_lines(run).errors_um for run in study.cells[name, fraction].runs], axis=0)
        errors.append(np.column_stack([of_seeds, of_seeds[:, list(study.yardstick.averaged)].mean(axis=1)]))
    tests = [compare_errors(one, other) for one, other in zip(errors[0].T, errors[1].T, strict=True)]
    return {name: [test[name] for test in tests] for name in ("p_t", "p_wilcoxon")}


def _corrected(pairs: Sequence[Pair], columns: Sequence[str]) -> list[Pair]:
    """Holm over all pairs of one column."""
    holm_of: dict[tuple[str, str, str], dict[str, float | None]] = {}
    for column in columns:
        own = [pair for pair in pairs if pair.column == column]
        for pair in own:
            holm_of[pair.first, pair.second, column] = dict.fromkeys(TESTS)
        for test in TESTS:
            known = [(pair, value) for pair in own if (value := pair.p[test]) is not None]
            for (pair, _), value in zip(known, holm([value for _, value in known]), strict=True):
                holm_of[pair.first, pair.second, column][test] = value
    return [replace(pair, holm=holm_of[pair.first, pair.second, pair.column]) for pair in pairs]
