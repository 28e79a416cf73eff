"""The binormal fit and IDCA's intervals: derivatives by differences, known answers, and data drawn from the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from eval import binormal
from eval.binormal import NoFit, category_counts, fit_binormal
from eval.froc import Matches
from eval.froc_simulation import DetectorModel
from eval.idca import IdcaFit, fit_idca, wilson_interval

RANDOM_SCORES = st.integers(0, 10_000).map(np.random.default_rng)


def two_classes(random, n=80, p=40, digits=1):
    return random.normal(size=n).round(digits), random.normal(1.0, 1.3, p).round(digits)


def test_categories_join_neighbours_of_one_class():
    """rising:  - -   + -   +   + + +      the pair at one score stays a category of its own"""
    negative, positive = category_counts(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0, 6.0, 6.0]))
    assert (negative.tolist(), positive.tolist()) == ([2, 1, 0], [0, 1, 4])


@given(RANDOM_SCORES)
def test_categories_lose_no_score_and_are_few(random):
    negative, positive = two_classes(random, 500, 300, digits=6)
    below, above = category_counts(negative, positive)
    assert (below.sum(), above.sum()) == (500, 300)
    assert len(below) <= binormal.CATEGORIES
    assert (below + above > 0).all()


def test_derivatives_are_those_of_the_likelihood():
    counts = category_counts(*two_classes(np.random.default_rng(1)))
    at = binormal._start(*counts)
    gradient, information = binormal._derivatives(at, *counts, observed=True)
    steps = np.eye(len(at)) * 1e-6
    slope = [binormal._log_likelihood(at + s, *counts) - binormal._log_likelihood(at - s, *counts) for s in steps]
    np.testing.assert_allclose(gradient, np.array(slope) / 2e-6, rtol=1e-4, atol=1e-3)
    bend = [
        binormal._derivatives(at + s, *counts, observed=True)[0]
        - binormal._derivatives(at - s, *counts, observed=True)[0]
        for s in steps
    ]
    np.testing.assert_allclose(information, -np.array(bend) / 2e-6, rtol=1e-4, atol=1e-5 * np.abs(information).max())


def test_fit_is_where_a_search_without_derivatives_ends():
    negative, positive = two_classes(np.random.default_rng(2))
    counts = category_counts(negative, positive)
    fit = fit_binormal(negative, positive)

    def loss(parameters):
        value = binormal._log_likelihood(parameters, *counts)
        return -value if np.isfinite(value) else 1e12

    other = minimize(
        loss, binormal._start(*counts), method="Powell", options={"maxiter": 200_000, "xtol": 1e-9, "ftol": 1e-13}
    )
    assert (fit.a, fit.b) == pytest.approx(tuple(other.x[:2]), abs=2e-3)


@given(RANDOM_SCORES)
def test_only_the_order_of_scores_matters(random):
    negative, positive = two_classes(random)
    first, second = fit_binormal(negative, positive), fit_binormal(np.exp(negative), np.exp(positive))
    assert (first.a, first.b) == (second.a, second.b)


def test_many_scores_give_back_the_model():
    random = np.random.default_rng(5)
    fit = fit_binormal(random.normal(size=20_000), random.normal(1.5 / 0.8, 1 / 0.8, 20_000))
    error = np.sqrt(np.diag(fit.covariance))
    assert (np.abs([fit.a - 1.5, fit.b - 0.8]) < 3 * error).all()
    assert (error < 0.03).all()


@pytest.mark.parametrize(
    ("negative", "positive", "reason"),
    [
        ([1, 2, 3], [4, 5], "do not overlap"),
        ([4, 5], [1, 2, 3], "do not overlap"),
        ([1], [1, 2], "two of each"),
        ([1, 1, 1], [1, 1], "fewer than three categories"),
        ([1, 1, 2], [1, 2, 2], "fewer than three categories"),
        ([0, 1, 2, 2], [2, 3, 3, 3, 3, 3, 3, 5, 7], "runs away|does not depend"),
        ([0, 0, 0, 1, 1, 2, 2], [-1, 0, 0, 0, 0, 2, 2], "runs away"),
    ],
)
def test_scores_that_determine_no_curve_are_refused_with_the_reason(negative, positive, reason):
    with pytest.raises(NoFit, match=reason):
        fit_binormal(np.array(negative, dtype=float), np.array(positive, dtype=float))


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=4, max_size=25))
def test_fit_of_anything_is_a_curve_or_a_reason(scores):
    """Few scores, many ties, mirrored classes: no crash, no number that is none."""
    values = np.array([score for score, _ in scores], dtype=float)
    is_positive = np.array([positive for _, positive in scores])
    try:
        fit = fit_binormal(values[~is_positive], values[is_positive])
    except NoFit:
        return
    assert np.isfinite([fit.a, fit.b, *fit.covariance.ravel()]).all()
    assert fit.b > 0 and (np.diag(fit.covariance) > 0).all()


def test_sensitivity_ends_at_nu_from_lambda_on():
    """8 of 10 lesions have a candidate and 40 false positives are in 20 images: from 2 per image on it is 0.8."""
    fit = fit_idca(*ten_lesions())
    assert (fit.nu, fit.lambda_) == (0.8, 2.0)
    assert [fit.sensitivity_at(rate) for rate in (2.0, 5.0)] == [0.8, 0.8]
    assert 0.0 == fit.sensitivity_at(0.0) < fit.sensitivity_at(0.01) < fit.sensitivity_at(1.0) < 0.8
    assert fit.interval_at(2.0) == wilson_interval(0.8, 10, 1.959963984540054)


def test_every_bar_holds_its_value_and_lies_in_0_to_1():
    fit = fit_idca(*ten_lesions())
    for rate in (1e-6, 0.01, 0.5, 1.99, 2.0, 100.0):
        low, high = fit.interval_at(rate)
        assert 0 <= low < fit.sensitivity_at(rate) < high <= 1


def test_all_lesions_found_does_not_mean_that_all_will_be():
    fit = fit_idca(*ten_lesions(n_lesions=8))
    assert fit.nu == 1.0
    assert fit.interval_at(5.0)[0] < 0.7


def ten_lesions(n_lesions=10):
    random = np.random.default_rng(0)
    score = np.concatenate([random.normal(1, 1, 8), random.normal(size=40)])
    return Matches(score, np.concatenate([np.arange(8), np.full(40, -1)])), n_lesions, 20


@pytest.mark.parametrize("lesion", [[0, 1], [-1, -1]])
def test_only_hits_or_only_false_positives_have_no_fit(lesion):
    with pytest.raises(NoFit, match="needs both"):
        fit_idca(Matches(np.array([0.1, 0.2]), np.array(lesion)), 2, 1)


def test_a_wilson_interval_from_the_literature():
    """Newcombe 1998, table I: 81 of 263 and 15 of 148."""
    assert wilson_interval(81 / 263, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148, 1.959964) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def coverage(model, n_lesions, n_images, rates, n_draws):
    """The share of draws whose 95 % interval holds the truth, at each rate; every draw must have a fit."""
    random = np.random.default_rng(0)
    covered = np.zeros(len(rates))
    for _ in range(n_draws):
        matches, _ = model.draw(random, 1, n_images, n_lesions)
        fit = fit_idca(matches, n_lesions, n_images)
        ends = [fit.interval_at(rate) for rate in rates]
        covered += [low <= model.sensitivity_at(rate) <= high for (low, high), rate in zip(ends, rates, strict=True)]
    return covered / n_draws


def test_intervals_cover_the_truth_of_the_model():
    covered = coverage(DetectorModel(nu=0.9, lambda_=5, a=1.5, b=0.8), 100, 50, (0.1, 0.5, 2.0), 200)
    assert ((covered >= 0.90) & (covered <= 0.99)).all(), covered


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "n_lesions", "n_images"),
    [
        (DetectorModel(nu=0.9, lambda_=5, a=1.5, b=0.8), 100, 50),
        (DetectorModel(nu=0.8, lambda_=3, a=1.5, b=1.0), 60, 100),
        (DetectorModel(nu=0.95, lambda_=10, a=2.0, b=0.7), 200, 60),
        (DetectorModel(nu=0.9, lambda_=5, a=1.5, b=1.3), 100, 50),
    ],
)
def test_intervals_cover_93_to_97_percent_over_2000_draws(model, n_lesions, n_images):
    """Rates up to 0.8 of all candidates; beyond, the interval is that of a proportion, with a proportion's steps."""
    rates = [share * model.lambda_ for share in (0.02, 0.1, 0.2, 0.4, 0.8)]
    covered = coverage(model, n_lesions, n_images, rates, 2000)
    assert ((covered >= 0.93) & (covered <= 0.97)).all(), covered


def test_a_fit_with_the_range_of_floating_point_exhausted_still_has_an_interval():
    """a = 14, b = 20: at a rate of 0.001 the curve is 0 to the last digit; at 0.9 it is nu."""
    roc = binormal.Binormal(14.0, 20.0, np.eye(2))
    fit = IdcaFit(10, 10, 100, 100, roc)
    assert fit.interval_at(0.001)[0] == 0.0
    assert fit.interval_at(0.9) == wilson_interval(1.0, 10, 1.959963984540054)
