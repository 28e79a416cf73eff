"""AFROC and weighted AFROC: pictures as in test_froc, and a loop over all pairs with one unit left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.afroc import afroc_areas
from eval.froc import Matches
from layerwise.errors import DataError

NONE, A, B, C = -1, 0, 1, 2


def areas(candidates, lesion_image, n_images, unit=None):
    """candidates: (score, lesion, image) each."""
    score, lesion, image = (np.array(column) for column in zip(*candidates, strict=True)) if candidates else [[]] * 3
    matches = Matches(np.array(score, dtype=np.float64), np.array(lesion, dtype=np.int64))
    unit = np.arange(n_images) if unit is None else np.array(unit)
    return afroc_areas(matches, np.array(image, dtype=np.int64), np.array(lesion_image), n_images, unit)


def slow_areas(candidates, lesion_image, images):
    """Both areas over the images kept, pair by pair."""
    won, pairs, weighted, weights = 0.0, 0, 0.0, 0.0
    kept = [lesion for lesion, image in enumerate(lesion_image) if image in images]
    for normal in [image for image in images if image not in lesion_image]:
        strongest = max([s for s, lesion, image in candidates if image == normal and lesion < 0], default=-np.inf)
        for wanted in kept:
            best = max([score for score, lesion, _ in candidates if lesion == wanted], default=-np.inf)
            beats = 1.0 if best > strongest else 0.5 if best == strongest else 0.0
            weight = 1 / list(lesion_image).count(lesion_image[wanted])
            won, pairs, weighted, weights = won + beats, pairs + 1, weighted + weight * beats, weights + weight
    return (won / pairs, weighted / weights) if pairs else None


def test_lesion_must_beat_the_strongest_false_positive_of_a_healthy_image():
    """image 0:  A 0.5              image 1, no lesion:  x 0.4  x 0.3        image 2, no lesion:  x 0.9
    A beats image 1 and loses to image 2: 1 of 2."""
    area, weighted = areas([(0.5, A, 0), (0.4, NONE, 1), (0.3, NONE, 1), (0.9, NONE, 2)], [0], 3)
    assert area.area == weighted.area == 0.5


def test_equal_scores_count_half():
    """image 0:  A 0.5              image 1:  x 0.5"""
    assert areas([(0.5, A, 0), (0.5, NONE, 1)], [0], 2)[0].area == 0.5


def test_missed_lesion_loses_to_every_mark_and_equals_an_image_without_any():
    """image 0:  (A)                image 1:  x -7              image 2:  nothing        0 and 1/2 of 2."""
    assert areas([(-7.0, NONE, 1)], [0], 3)[0].area == 0.25


def test_false_positive_beside_a_lesion_does_not_enter():
    """image 0:  A 0.5  x 0.9       image 1:  x 0.4"""
    assert areas([(0.5, A, 0), (0.9, NONE, 0), (0.4, NONE, 1)], [0], 2)[0].area == 1.0


def test_weighted_area_gives_images_and_not_lesions_the_same_weight():
    """image 0:  A 0.9  (B)  (C)    image 1:  D 0.9            image 2:  x 0.5
    Of four lesions two are above: 1/2. Of image 0 a third is above, of image 1 all: (1/3 + 1) / 2 = 2/3."""
    area, weighted = areas([(0.9, A, 0), (0.9, 3, 1), (0.5, NONE, 2)], [0, 0, 0, 1], 3)
    assert area.area == 0.5
    assert weighted.area == pytest.approx(2 / 3)


def test_nothing_to_compare_is_an_error():
    with pytest.raises(DataError, match="0 images without lesion"):
        areas([(0.5, A, 0)], [0], 1)


def test_variance_needs_two_units_on_either_side():
    """One image with a lesion: leaving it out leaves no lesion."""
    area, _ = areas([(0.5, A, 0), (0.4, NONE, 1)], [0], 3)
    assert area.area == 1.0
    assert area.variance is None and area.interval() is None


@given(seed=st.integers(0, 10_000), n_units=st.integers(2, 9))
def test_area_and_jackknife_equal_the_loop_over_all_pairs(seed, n_units):
    random = np.random.default_rng(seed)
    n_images = 9
    lesion_image = random.integers(0, 5, 6)
    lesion = random.integers(-1, 5, 20)
    image = np.where(lesion >= 0, lesion_image[lesion], random.integers(0, n_images, 20))
    score = random.integers(0, 6, 20).astype(float)
    candidates = list(zip(score, lesion, image, strict=True))
    unit = random.integers(0, n_units, n_images)

    found = areas(candidates, lesion_image, n_images, unit)
    assert tuple(area.area for area in found) == pytest.approx(slow_areas(candidates, lesion_image, range(n_images)))
    left_out = [
        slow_areas(candidates, lesion_image, [image for image in range(n_images) if unit[image] != leave])
        for leave in np.unique(unit)
    ]
    if None in left_out or len(left_out) < 2:
        assert found[0].variance is None
        return
    n = len(left_out)
    for column, area in enumerate(found):
        replicates = np.array([values[column] for values in left_out])
        assert area.variance == pytest.approx((n - 1) / n * np.sum((replicates - replicates.mean()) ** 2), abs=1e-12)


def test_jackknife_interval_covers_the_truth():
    """60 images without and 40 with one lesion; N(0, 1) against N(1, 1): the area is Phi(1 / sqrt 2) = 0.7602."""
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        score = np.concatenate([random.normal(size=60), random.normal(1, 1, 40)])
        lesion = np.concatenate([np.full(60, -1), np.arange(40)])
        area, _ = afroc_areas(Matches(score, lesion), np.arange(100), np.arange(60, 100), 100, np.arange(100))
        low, high = area.interval() or (1.0, 0.0)
        covered += low <= 0.760250 <= high
    assert 0.92 <= covered / 400 <= 0.98
