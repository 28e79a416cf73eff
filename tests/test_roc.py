"""ROC: hand-drawn cases, scikit-learn as the oracle of the curve, pair counting as the oracle of the area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from eval.roc import auc, roc_curve
from layerwise.errors import DataError

# Few distinct scores, so that ties are common.
EXAMPLES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=30).filter(
    lambda pairs: len({label for label, _ in pairs}) == 2
)


def test_perfect_order_has_area_one_and_reversed_order_zero():
    assert auc([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == 1.0
    assert auc([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]) == 0.0


def test_single_score_level_is_the_diagonal():
    """score 0.5:  + - + -      one point: everything is accepted, or nothing."""
    curve = roc_curve([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5])
    assert curve.thresholds.tolist() == [np.inf, 0.5]
    assert curve.false_positive_rate.tolist() == [0.0, 1.0]
    assert curve.true_positive_rate.tolist() == [0.0, 1.0]
    assert auc([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5]) == 0.5


def test_tie_moves_both_rates_in_one_step():
    """score  0.9  0.7  0.4
    label     +    + -   -      the step at 0.7 is slanted: up and right at once."""
    curve = roc_curve([1, 1, 0, 0], [0.9, 0.7, 0.7, 0.4])
    assert curve.true_positive_rate.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert curve.false_positive_rate.tolist() == [0.0, 0.0, 0.5, 1.0]


@given(EXAMPLES)
def test_curve_has_every_point_of_scikit_learn(pairs):
    labels, scores = np.array(pairs).T
    curve = roc_curve(labels, scores)
    fpr, tpr, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.false_positive_rate, fpr, rtol=1e-15)
    np.testing.assert_allclose(curve.true_positive_rate, tpr, rtol=1e-15)


@given(EXAMPLES)
def test_area_is_the_share_of_pairs_in_order(pairs):
    positive = [score for label, score in pairs if label]
    negative = [score for label, score in pairs if not label]
    in_order = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    assert auc(*zip(*pairs, strict=True)) == pytest.approx(in_order / (len(positive) * len(negative)), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_is_an_error_that_counts_both(label):
    with pytest.raises(DataError, match=r"[03] positive and [03] negative"):
        auc([label] * 3, [0.1, 0.2, 0.3])


def test_score_that_is_not_finite_is_an_error_with_its_row():
    with pytest.raises(DataError, match="row 2: nan"):
        auc([0, 1, 1], [0.1, 0.2, np.nan])


def test_label_of_a_third_class_is_an_error():
    with pytest.raises(DataError, match="label 2"):
        roc_curve([0, 1, 2], [0.1, 0.2, 0.3])


def test_lists_of_different_length_are_an_error():
    with pytest.raises(DataError, match="same length"):
        auc([0, 1], [0.1, 0.2, 0.3])
