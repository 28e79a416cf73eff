"""FROC: cases a person can draw. Every picture is one row per image; `A 0.9` is a candidate on lesion A with its score,
`x 0.5` a candidate that hits nothing, `(B)` a lesion without candidate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.froc import Matches, froc_curve, sensitivity_at

NONE, A, B, C = -1, 0, 1, 2
# Few distinct scores, so that ties are common.
CANDIDATES = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 4)), max_size=30)


def matches(*candidates: tuple[float, int]) -> Matches:
    score, lesion = zip(*candidates, strict=True) if candidates else ((), ())
    return Matches(np.array(score, dtype=np.float64), np.array(lesion, dtype=np.int64))


def points(curve):
    return list(zip(curve.thresholds.tolist(), curve.fps_per_image.tolist(), curve.sensitivity.tolist(), strict=True))


def test_one_point_per_score_and_the_last_is_kept():
    """image 1:  A 0.9   x 0.7
    image 2:     B 0.4   x 0.2      the false positive at 0.2 adds a point although it adds no lesion."""
    curve = froc_curve(matches((0.9, A), (0.7, NONE), (0.4, B), (0.2, NONE)), n_lesions=2, n_images=2)
    assert points(curve) == [(0.9, 0.0, 0.5), (0.7, 0.5, 0.5), (0.4, 0.5, 1.0), (0.2, 1.0, 1.0)]


def test_ties_form_one_point():
    """image 1:  A 0.6   x 0.6
    image 2:     x 0.6   B 0.3      nobody can accept A and refuse the x beside it."""
    curve = froc_curve(matches((0.6, A), (0.6, NONE), (0.6, NONE), (0.3, B)), n_lesions=2, n_images=2)
    assert points(curve) == [(0.6, 1.0, 0.5), (0.3, 1.0, 1.0)]


def test_second_hit_on_a_lesion_counts_neither_way():
    """image 1:  A 0.9   A 0.8   A 0.7      not three lesions found, and not two false positives."""
    curve = froc_curve(matches((0.9, A), (0.8, A), (0.7, A)), n_lesions=1, n_images=1)
    assert points(curve) == [(0.9, 0.0, 1.0), (0.8, 0.0, 1.0), (0.7, 0.0, 1.0)]


def test_lesion_is_found_by_its_best_candidate():
    """image 1:  A 0.2   A 0.8   x 0.5      A is found at 0.8, before the false positive."""
    curve = froc_curve(matches((0.2, A), (0.8, A), (0.5, NONE)), n_lesions=1, n_images=1)
    assert points(curve)[0] == (0.8, 0.0, 1.0)


def test_missed_lesion_is_a_count_and_never_a_score():
    """image 1:  A 0.9   (B)        B has no candidate: no threshold finds it, and score 0 is no place for it."""
    curve = froc_curve(matches((0.9, A), (0.0, NONE)), n_lesions=2, n_images=1)
    assert points(curve) == [(0.9, 0.0, 0.5), (0.0, 1.0, 0.5)]


def test_lesion_found_with_score_zero_is_found():
    """image 1:  A 0.0   B 0.0   C 0.0      all three have a candidate: sensitivity reaches 1, at score 0."""
    assert points(froc_curve(matches((0, A), (0, B), (0, C)), n_lesions=3, n_images=1)) == [(0.0, 0.0, 1.0)]


def test_none_found_stays_at_zero():
    """image 1:  x 0.9   (A)        image 2:  x 0.1"""
    assert points(froc_curve(matches((0.9, NONE), (0.1, NONE)), n_lesions=1, n_images=2)) == [
        (0.9, 0.5, 0.0),
        (0.1, 1.0, 0.0),
    ]


def test_all_found_without_false_positive_stays_on_the_axis():
    """image 1:  A 0.9   B 0.5      image 2:  nothing"""
    assert points(froc_curve(matches((0.9, A), (0.5, B)), n_lesions=2, n_images=2)) == [
        (0.9, 0.0, 0.5),
        (0.5, 0.0, 1.0),
    ]


def test_no_candidates_is_a_curve_without_points_and_sensitivity_zero():
    """image 1:  (A)                nothing was proposed: nothing to accept, nothing found."""
    curve = froc_curve(matches(), n_lesions=1, n_images=1)
    assert points(curve) == []
    assert sensitivity_at(curve, 10.0) == 0.0


def test_sensitivity_at_takes_the_largest_with_at_most_that_many_false_positives():
    """image 1:  A 0.9   x 0.7      2 images: rates 0, 0.5, 0.5, 1
    image 2:     B 0.4   x 0.2"""
    curve = froc_curve(matches((0.9, A), (0.7, NONE), (0.4, B), (0.2, NONE)), n_lesions=2, n_images=2)
    assert [sensitivity_at(curve, rate) for rate in (0.0, 0.49, 0.5, 100.0)] == [0.5, 0.5, 1.0, 1.0]


def test_sensitivity_is_zero_where_the_best_score_is_already_a_false_positive():
    """image 1:  x 0.9   A 0.8      no threshold has fewer than 1 false positive per image."""
    curve = froc_curve(matches((0.9, NONE), (0.8, A)), n_lesions=1, n_images=1)
    assert sensitivity_at(curve, 0.99) == 0.0
    assert sensitivity_at(curve, 1.0) == 1.0


def test_rate_that_is_a_decimal_fraction_is_reached_exactly():
    """29 false positives in 100 images are at most 0.29, although 0.29 * 100 is below 29 in binary."""
    curve = froc_curve(matches(*[(0.9, NONE)] * 29, (0.8, A)), n_lesions=1, n_images=100)
    assert sensitivity_at(curve, 0.29) == 1.0


@pytest.mark.parametrize(("n_lesions", "n_images", "named"), [(0, 1, "n_lesions"), (1, 0, "n_images")])
def test_zero_lesions_or_images_is_an_error(n_lesions, n_images, named):
    with pytest.raises(ValueError, match=named):
        froc_curve(matches((0.5, NONE)), n_lesions, n_images)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_score_that_is_not_finite_is_an_error(score):
    with pytest.raises(ValueError, match="not finite"):
        matches((0.5, NONE), (score, A))


def test_lesion_that_is_not_among_the_lesions_is_an_error():
    with pytest.raises(ValueError, match="expected -1"):
        froc_curve(matches((0.5, B)), n_lesions=1, n_images=1)


@given(CANDIDATES)
def test_curve_is_the_count_at_every_threshold(candidates):
    """Oracle: for each distinct score, look at every candidate again."""
    curve = froc_curve(matches(*candidates), n_lesions=5, n_images=3)
    expected = []
    for threshold in sorted({score for score, _ in candidates}, reverse=True):
        accepted = [lesion for score, lesion in candidates if score >= threshold]
        expected.append((float(threshold), accepted.count(-1) / 3, len(set(accepted) - {-1}) / 5))
    assert points(curve) == expected


@given(CANDIDATES)
def test_curve_never_falls(candidates):
    curve = froc_curve(matches(*candidates), n_lesions=5, n_images=3)
    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.fps_per_image) >= 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()


@given(CANDIDATES.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_order_of_candidates_does_not_matter(rows):
    first, second = (froc_curve(matches(*order), n_lesions=5, n_images=3) for order in rows)
    assert points(first) == points(second)


@given(CANDIDATES)
def test_only_the_order_of_scores_matters(candidates):
    stretched = [(np.exp(score), lesion) for score, lesion in candidates]
    first = froc_curve(matches(*candidates), n_lesions=5, n_images=3)
    second = froc_curve(matches(*stretched), n_lesions=5, n_images=3)
    np.testing.assert_array_equal(first.fps_per_image, second.fps_per_image)
    np.testing.assert_array_equal(first.sensitivity, second.sensitivity)
