"""The binormal ROC curve, fitted by maximum likelihood to scores of any scale.

False positive fraction p and true positive fraction obey TPF = Phi(a + b Phi^-1(p)): on some rising transform of the
score the negatives are N(0, 1) and the positives N(a / b, 1 / b). The transform is not asked for. Scores are cut into
ordered categories, whose boundaries are fitted along with a and b, so only the order of the scores matters.
Source: Dorfman and Alf 1969 (the likelihood), Metz, Herman and Shen 1998 (categories for continuous scores).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from eval.thresholds import falling_levels
from layerwise.errors import DataError

CATEGORIES = 50  # chosen: with more, a and b move by less than a tenth of their standard errors
MAX_STEPS = 200
DECREMENT = 1e-9  # the log-likelihood that a further step could still gain, about
# chosen: a and b outside are the run-away of a fit without a maximum, not a curve.
LARGEST_A, SMALLEST_B, LARGEST_B = 15.0, 0.02, 50.0
SMALLEST_PROBABILITY = 1e-140  # of a category; its square still has an inverse


class NoFit(DataError):  # noqa: N818  it names what there is not
    """The likelihood has no maximum, or the scores do not determine a curve; says why."""


@dataclass(frozen=True)
class Binormal:
    """covariance: (2, 2) float64 of (a, b), the inverse of the observed information."""

    a: float
    b: float
    covariance: np.ndarray


def fit_binormal(negative: np.ndarray, positive: np.ndarray) -> Binormal:
    """negative: (N,), positive: (P,) finite scores. Raises NoFit where they determine no curve."""
    if len(negative) < 2 or len(positive) < 2:
        raise NoFit(f"{len(positive)} positive and {len(negative)} negative scores: two of each are needed")
    if positive.min() > negative.max() or positive.max() < negative.min():
        raise NoFit("the scores of the positives and of the negatives do not overlap: the fitted curve runs away")
    below, above = category_counts(negative, positive)
    if len(below) < 3:
        raise NoFit("the scores form fewer than three categories: a and b cannot both be told")
    return _maximum(below, above)


def category_counts(negative: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Negatives and positives in each of K <= CATEGORIES categories of rising score: two (K,) int64.

    Neighbouring scores of one class only are one category: nothing is lost by it. What is still too many is merged
    so that the categories share both classes about evenly. Equal scores always stay together.
    """
    _, level = falling_levels(-np.concatenate([negative, positive]))
    is_positive = np.arange(len(level)) >= len(negative)
    n_levels = int(level.max()) + 1
    counts = np.stack(
        [np.bincount(level[~is_positive], minlength=n_levels), np.bincount(level[is_positive], minlength=n_levels)]
    )
    pure = np.where(counts[1] == 0, 0, np.where(counts[0] == 0, 1, 2))
    starts = np.flatnonzero(np.concatenate([[True], (pure[1:] != pure[:-1]) | (pure[1:] == 2)]))
    counts = np.add.reduceat(counts, starts, axis=1)
    if counts.shape[1] > CATEGORIES:
        middle = np.cumsum(counts, axis=1) - counts / 2
        share = (middle / counts.sum(axis=1, keepdims=True)).mean(axis=0)
        bins = np.minimum((share * CATEGORIES).astype(np.int64), CATEGORIES - 1)
        counts = np.add.reduceat(counts, np.flatnonzero(np.concatenate([[True], np.diff(bins) > 0])), axis=1)
    return counts[0], counts[1]


def _maximum(negative: np.ndarray, positive: np.ndarray) -> Binormal:
    """Fisher scoring with halved steps, from the line through the smoothed empirical points."""
    parameters = _start(negative, positive)
    value = _log_likelihood(parameters, negative, positive)
    if value == -np.inf:
        raise NoFit("the two classes are too far from a binormal curve to begin with")
    for _ in range(MAX_STEPS):
        gradient, information = _derivatives(parameters, negative, positive, observed=False)
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            raise NoFit("the likelihood does not depend on all of a, b and the categories") from None
        if gradient @ step < DECREMENT:
            break
        size = 1.0
        while (proposed := _log_likelihood(parameters + size * step, negative, positive)) < value and size > 1e-10:
            size /= 2
        parameters = parameters + size * step
        value = proposed
        a, b = parameters[:2]
        if abs(a) > LARGEST_A or not SMALLEST_B < b < LARGEST_B:
            raise NoFit(f"the fit runs away (a = {a:.3g}, b = {b:.3g}): too few scores overlap to determine a curve")
    else:
        raise NoFit(f"no maximum of the likelihood after {MAX_STEPS} steps")
    _, information = _derivatives(parameters, negative, positive, observed=True)
    if np.linalg.eigvalsh(information)[0] <= 0:
        raise NoFit("the likelihood is flat at its maximum: the scores do not determine a and b")
    return Binormal(float(parameters[0]), float(parameters[1]), np.linalg.inv(information)[:2, :2])


def _start(negative: np.ndarray, positive: np.ndarray) -> np.ndarray:
    def survival(counts: np.ndarray) -> np.ndarray:
        return 1 - (np.cumsum(counts)[:-1] + 0.5) / (counts.sum() + 1)

    pooled = survival(negative + positive)
    # chosen: a little of the pooled counts, so that no two boundaries coincide where a class has no score between.
    x = ndtri(0.9 * survival(negative) + 0.1 * pooled)
    y = ndtri(0.9 * survival(positive) + 0.1 * pooled)
    spread = np.sum((x - x.mean()) ** 2)
    b = np.clip(np.sum((x - x.mean()) * (y - y.mean())) / spread, 0.2, 5.0)
    return np.concatenate([[y.mean() - b * x.mean(), b], -x])


def _log_likelihood(parameters: np.ndarray, negative: np.ndarray, positive: np.ndarray) -> float:
    """-inf outside the model: boundaries out of order, b not positive, or a category without probability."""
    a, b, cuts = parameters[0], parameters[1], parameters[2:]
    if b <= 0 or np.any(np.diff(cuts) <= 0):
        return -np.inf
    p, q = _between(cuts), _between(b * cuts - a)
    if min(p.min(), q.min()) < SMALLEST_PROBABILITY:
        return -np.inf
    return float(negative @ np.log(p) + positive @ np.log(q))


def _between(cuts: np.ndarray) -> np.ndarray:
    """(K,) normal probabilities of the categories between K - 1 rising cuts; the upper tail keeps its digits."""
    low, high = np.concatenate([[-np.inf], cuts]), np.concatenate([cuts, [np.inf]])
    return np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))


def _derivatives(
    parameters: np.ndarray, negative: np.ndarray, positive: np.ndarray, observed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (2 + K - 1,) of the log-likelihood, and its information matrix, expected or observed."""
    a, b, cuts = parameters[0], parameters[1], parameters[2:]
    n_cuts = len(cuts)
    in_u = np.zeros((n_cuts, 2 + n_cuts))  # derivatives of u = b z - a at each boundary
    in_u[:, 0], in_u[:, 1] = -1.0, cuts
    in_u[np.arange(n_cuts), 2 + np.arange(n_cuts)] = b
    in_z = np.zeros((n_cuts, 2 + n_cuts))
    in_z[np.arange(n_cuts), 2 + np.arange(n_cuts)] = 1.0

    gradient = np.zeros(2 + n_cuts)
    information = np.zeros((2 + n_cuts, 2 + n_cuts))
    for counts, place, inner in ((negative, cuts, in_z), (positive, b * cuts - a, in_u)):
        probability = _between(place)
        density = np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi)
        edge = density[:, None] * inner
        none = np.zeros((1, 2 + n_cuts))
        jacobian = np.concatenate([edge, none]) - np.concatenate([none, edge])
        ratio = counts / probability
        gradient += jacobian.T @ ratio
        weight = ratio / probability if observed else counts.sum() / probability
        information += jacobian.T @ (weight[:, None] * jacobian)
        if observed:
            pull = (ratio[:-1] - ratio[1:]) * density  # of moving each boundary
            information += inner.T @ ((pull * place)[:, None] * inner)
            if inner is in_u:  # u has one second derivative: d2u / db dz = 1
                information[1, 2:] -= pull
                information[2:, 1] -= pull
    return gradient, information
