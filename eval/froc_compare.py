"""Two detectors on the same images: does one find more lesions at the same rate of false positives?

The paper calls two curves different at a rate where their 95 % bars do not overlap. That asks for more than a test at
5 % and forgets that both saw the same images, so two paired tests stand beside it: groups redrawn for both detectors
alike, and detectors exchanged within whole groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eval.bootstrap import REPLICATES, group_draws, redrawn_intervals, redrawn_p
from eval.froc import Matches, froc_curve
from eval.thresholds import falling_levels
from eval.weighted_froc import WeightedFroc

EXCHANGES = 10_000  # chosen: a p value near 0.05 then moves by 0.004 from seed to seed


class Scored(Protocol):
    """One detector's candidates; group: (M,) int, of each."""

    @property
    def matches(self) -> Matches: ...

    @property
    def group(self) -> np.ndarray: ...


class TwoDetectors(Protocol):
    """Two on the same images and lesions, a `froc_study.FrocStudy` say. lesions_per_group, images_per_group: (G,)."""

    @property
    def systems(self) -> Sequence[Scored]: ...

    @property
    def lesions_per_group(self) -> np.ndarray: ...

    @property
    def images_per_group(self) -> np.ndarray: ...

    @property
    def n_lesions(self) -> int: ...

    @property
    def n_images(self) -> int: ...


@dataclass(frozen=True)
class PairedTest:
    """One statistic of both detectors. difference: b - a. ci95: by redrawn groups; None where none could be drawn.

    p_group_bootstrap: two-sided, how surely the redrawn differences lie on one side of 0. p_permutation: the share of
    exchanges with at least as large a difference.
    """

    difference: float
    ci95: tuple[float, float] | None
    p_group_bootstrap: float | None
    p_permutation: float


def compare(
    study: TwoDetectors,
    fps_per_image: Sequence[float],
    mean_over: Sequence[Sequence[float]] = (),
    n_replicates: int = REPLICATES,
    n_exchanges: int = EXCHANGES,
    seed: int = 0,
) -> list[PairedTest]:
    """The sensitivity at each of `fps_per_image`, then the mean sensitivity over each list of rates in `mean_over`."""
    rates, means = _statistics(fps_per_image, mean_over)
    a, b = study.systems
    both = [WeightedFroc(system.matches, system.group, len(study.images_per_group)) for system in (a, b)]

    def difference(weights: np.ndarray) -> np.ndarray:
        lesions, images = weights @ study.lesions_per_group, weights @ study.images_per_group
        of_a, of_b = (froc.sensitivity_at(weights, lesions, images, rates) @ means for froc in both)
        return of_b - of_a

    observed = difference(np.ones((1, len(study.images_per_group))))[0]
    p_permutation = permutation_p(study, rates, means, observed, n_exchanges, seed)
    intervals: list[list[float] | None] = [None] * len(observed)
    p_bootstrap: list[float | None] = [None] * len(observed)
    if len(study.images_per_group) > 1:
        draws = group_draws(len(study.images_per_group), n_replicates, seed)
        redrawn = np.concatenate([difference(weights) for weights in draws])
        intervals, p_bootstrap = redrawn_intervals(redrawn), redrawn_p(redrawn)
    return [
        PairedTest(float(delta), None if ends is None else (ends[0], ends[1]), p, float(q))
        for delta, ends, p, q in zip(observed, intervals, p_bootstrap, p_permutation, strict=True)
    ]


def permutation_p(
    study: TwoDetectors, rates: np.ndarray, means: np.ndarray, observed: np.ndarray, n_exchanges: int, seed: int
) -> np.ndarray:
    """(S,) two-sided. The detectors keep or exchange all their candidates of a group, each as likely as the other.

    With few groups all 2^G exchanges are looked at, else `n_exchanges` drawn ones and the observed. Scores of two
    detectors are on two scales, so each candidate takes the false positives per image of its own detector's curve at
    its score: that is what a threshold stands for here, and nothing depends on either scale.
    """
    a, b = study.systems
    n_groups = len(study.images_per_group)
    rank = [_rate_rank(system.matches, study) for system in (a, b)]
    lesion_b = np.where(b.matches.false, -1, b.matches.lesion + study.n_lesions)
    merged = Matches(np.concatenate(rank), np.concatenate([a.matches.lesion, lesion_b]))
    froc = WeightedFroc(merged, np.concatenate([a.group, b.group + n_groups]), 2 * n_groups)

    at_least, total = np.zeros(len(observed)), 0
    for swapped in _exchanges(n_groups, n_exchanges, seed):
        lesions, images = np.full(len(swapped), study.n_lesions), np.full(len(swapped), study.n_images)
        of_a = froc.sensitivity_at(np.concatenate([1 - swapped, swapped], axis=1), lesions, images, rates)
        of_b = froc.sensitivity_at(np.concatenate([swapped, 1 - swapped], axis=1), lesions, images, rates)
        at_least += np.count_nonzero(np.abs((of_b - of_a) @ means) >= np.abs(observed) - 1e-12, axis=0)
        total += len(swapped)
    return at_least / total


def _exchanges(n_groups: int, n_exchanges: int, seed: int) -> Iterator[np.ndarray]:
    """(R, G) 0 or 1 per block: which groups are exchanged. The one that exchanges nothing is among them."""
    if 2**n_groups <= n_exchanges:
        yield (np.arange(2**n_groups)[:, None] >> np.arange(n_groups) & 1).astype(np.float64)
        return
    yield np.zeros((1, n_groups))
    random = np.random.default_rng(seed)
    at_once = max(1, (1 << 18) // max(n_groups, 256))
    for start in range(0, n_exchanges, at_once):
        yield random.integers(0, 2, (min(at_once, n_exchanges - start), n_groups)).astype(np.float64)


def _rate_rank(matches: Matches, study: TwoDetectors) -> np.ndarray:
    """(M,) minus the rate of false positives at each candidate's score: rises with the score."""
    curve = froc_curve(matches, study.n_lesions, study.n_images)
    return -curve.fps_per_image[falling_levels(matches.score)[1]]


def _statistics(fps_per_image: Sequence[float], mean_over: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """All rates to read (T,), and the (T, S) matrix that makes the statistics of the sensitivities there."""
    rates = list(dict.fromkeys([*fps_per_image, *(rate for several in mean_over for rate in several)]))
    means = np.zeros((len(rates), len(fps_per_image) + len(mean_over)))
    for column, several in enumerate([*([rate] for rate in fps_per_image), *mean_over]):
        for rate in several:
            means[rates.index(rate), column] += 1 / len(several)
    return np.array(rates), means
