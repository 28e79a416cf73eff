"""Two detectors on the same images: hand-counted exchanges, a slow loop, and the level of both tests."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.froc import Matches, froc_curve, sensitivity_at
from eval.froc_compare import compare
from eval.froc_study import FrocStudy, System


def study(a, b, image_group, lesion_image):
    """a, b: (score, lesion, image) of each candidate; lesion -1 for none."""
    image_group = np.array(image_group)
    systems = []
    for candidates in (a, b):
        score, lesion, image = (np.array(column) for column in zip(*candidates, strict=True))
        systems.append(System(Matches(score.astype(float), lesion), image, image_group[image]))
    return FrocStudy(tuple(systems), image_group, np.array(lesion_image))


def lucky_b(n_groups):
    """One image and lesion a group. b finds all lesions before its false positives, a none of them."""
    a = [(0.9, -1, g) for g in range(n_groups)] + [(0.1, g, g) for g in range(n_groups)]
    b = [(0.1, -1, g) for g in range(n_groups)] + [(0.9, g, g) for g in range(n_groups)]
    return study(a, b, range(n_groups), range(n_groups))


def test_all_exchanges_of_few_groups_are_counted():
    """Four groups, in each b is better: of 16 exchanges only none and all give a difference as large: p = 2/16."""
    test = compare(lucky_b(4), [0.0])[0]
    assert (test.difference, test.p_permutation) == (1.0, 2 / 16)


def test_drawn_exchanges_of_many_groups_never_give_p_zero():
    test = compare(lucky_b(30), [0.0], n_exchanges=999)[0]
    assert test.p_permutation == 1 / 1000
    assert test.p_group_bootstrap == pytest.approx(2 / 2001)
    assert test.ci95 == (1.0, 1.0)


def test_a_detector_against_itself_shows_nothing():
    both = [(0.9, 0, 0), (0.8, -1, 1), (0.7, 1, 2), (0.6, -1, 2)]
    test = compare(study(both, both, [0, 1, 2], [0, 2]), [0.0, 1.0])[0]
    assert (test.difference, test.ci95, test.p_group_bootstrap, test.p_permutation) == (0.0, (0.0, 0.0), 1.0, 1.0)


def test_one_group_cannot_be_redrawn_and_its_exchange_says_nothing():
    """p = 1: with everything exchanged the difference is as large, the other way."""
    test = compare(study([(0.1, 0, 0)], [(0.9, -1, 0)], [0], [0]), [0.5])[0]
    assert (test.ci95, test.p_group_bootstrap, test.p_permutation) == (None, None, 1.0)


def test_means_stand_behind_the_rates():
    first, second, mean = compare(lucky_b(3), [0.0, 1.0], [[0.0, 1.0]])
    assert (first.difference, second.difference, mean.difference) == (1.0, 0.0, 0.5)


def rate_score(candidates, score, n_images):
    """Minus the false positives per image at a score."""
    return -sum(s >= score and lesion < 0 for s, lesion, _ in candidates) / n_images


def slow_p(systems, image_group, lesion_image, rate):
    """Every exchange, its two curves built anew from lists."""
    n_images, n_lesions, groups = len(image_group), len(lesion_image), sorted(set(image_group))
    ranked = [[(rate_score(c, s, n_images), lesion, image) for s, lesion, image in c] for c in systems]

    def sensitivity(candidates):
        if not candidates:
            return 0.0
        score, lesion, _ = (np.array(column) for column in zip(*candidates, strict=True))
        return sensitivity_at(froc_curve(Matches(score.astype(float), lesion), n_lesions, n_images), rate)

    differences = []
    for swapped in itertools.product([False, True], repeat=len(groups)):
        first, second = ([], [])
        for group, swap in zip(groups, swapped, strict=True):
            own = [[c for c in system if image_group[c[2]] == group] for system in ranked]
            first += own[swap]
            second += own[not swap]
        differences.append(sensitivity(second) - sensitivity(first))
    return np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)


@given(seed=st.integers(0, 10_000))
def test_permutation_equals_the_slow_loop_and_knows_no_scale(seed):
    random = np.random.default_rng(seed)
    image_group, lesion_image = random.permutation([0, 1, 2, 2, 0, 1]), np.array([0, 1, 2, 3])
    systems = []
    for _ in range(2):
        lesion = random.integers(-1, 4, 12)
        image = np.where(lesion >= 0, lesion_image[lesion], random.integers(0, 6, 12))
        systems.append(list(zip(random.integers(0, 8, 12), lesion.tolist(), image.tolist(), strict=True)))
    tests = compare(study(*systems, image_group, lesion_image), [0.5], n_replicates=50)
    assert tests[0].p_permutation == slow_p(systems, image_group.tolist(), lesion_image.tolist(), 0.5)
    other_scale = [(np.exp(score), lesion, image) for score, lesion, image in systems[1]]
    assert compare(study(systems[0], other_scale, image_group, lesion_image), [0.5], n_replicates=50) == tests


@pytest.mark.slow
def test_both_tests_keep_their_level_where_groups_are_alike():
    """40 groups of 3 images and 3 lesions, each group easy or hard for both equally good detectors: of 500 comparisons
    about 25 are called different at 5 %. 41 is the 99.9 % point of chance, and the tests may be a little careful."""
    random = np.random.default_rng(0)
    image_group, lesion_image = np.repeat(np.arange(40), 3), np.arange(120)
    called = np.zeros(2)
    for _ in range(500):
        hard = random.normal(size=40)
        systems = []
        for _ in range(2):
            false_image = np.repeat(np.arange(120), random.poisson(2.0, 120))
            hit = 1.0 + random.normal(size=120) - hard[image_group]
            miss = random.normal(size=len(false_image)) + hard[image_group[false_image]]
            lesion = np.concatenate([lesion_image, np.full(len(false_image), -1)])
            image = np.concatenate([lesion_image, false_image])
            systems.append(System(Matches(np.concatenate([hit, miss]), lesion), image, image_group[image]))
        test = compare(FrocStudy(tuple(systems), image_group, lesion_image), [0.5], (), 400, 400)[0]
        called += [test.p_permutation <= 0.05, (test.p_group_bootstrap or 1) <= 0.05]
    assert (called >= 8).all() and (called <= 41).all(), called
