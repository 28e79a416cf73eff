"""Bootstrap over groups, against a loop that really draws groups and builds every curve anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.bootstrap import percentile_interval, sensitivity_replicates
from eval.froc import Matches, froc_curve, sensitivity_at

RATES = (0.0, 0.1, 0.5, 2.0, np.inf)


def slow_replicates(matches, group, lesions_per_group, images_per_group, rates, n_replicates, seed):
    """Each drawn group is put in as a new group with its own lesions, then `froc_curve` is asked."""
    n_groups = len(images_per_group)
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_replicates)
    rows = []
    for draw in draws:
        score, lesion, n_lesions, n_images = [], [], 0, 0
        for copy, drawn in enumerate(np.repeat(np.arange(n_groups), draw)):
            for index in np.flatnonzero(group == drawn):
                score.append(matches.score[index])
                lesion.append(matches.lesion[index] + 1000 * copy if matches.lesion[index] >= 0 else -1)
            n_lesions += lesions_per_group[drawn]
            n_images += images_per_group[drawn]
        if n_lesions == 0:
            rows.append([np.nan] * len(rates))
            continue
        names, renamed = np.unique(lesion, return_inverse=True)
        renamed = renamed - int(len(names) > 0 and names[0] == -1)
        curve = froc_curve(Matches(np.array(score, dtype=float), renamed.astype(np.int64)), n_lesions, n_images)
        rows.append([sensitivity_at(curve, rate) for rate in rates])
    return np.array(rows)


def random_study(seed, n_candidates=40, n_groups=4, n_lesions=6):
    """Lesions belong to groups; a candidate on a lesion is in the lesion's group; some lesions have no candidate."""
    rng = np.random.default_rng(seed)
    home = rng.integers(0, n_groups, n_lesions)
    lesion = rng.integers(-1, n_lesions - 1, n_candidates) if n_lesions > 1 else np.full(n_candidates, -1)
    group = np.where(lesion >= 0, home[lesion], rng.integers(0, n_groups, n_candidates))
    score = rng.integers(0, 12, n_candidates) / 12 + 0.2 * (lesion >= 0)
    lesions_per_group = np.bincount(home, minlength=n_groups)
    return Matches(score, lesion), group, lesions_per_group, rng.integers(1, 8, n_groups)


@given(seed=st.integers(0, 10_000), n_groups=st.integers(1, 5), n_lesions=st.integers(1, 6))
def test_fast_bootstrap_equals_the_slow_loop(seed, n_groups, n_lesions):
    study = random_study(seed, n_groups=n_groups, n_lesions=n_lesions)
    fast = sensitivity_replicates(*study, RATES, n_replicates=8, seed=seed)
    slow = slow_replicates(*study, RATES, n_replicates=8, seed=seed)
    np.testing.assert_allclose(fast, slow, rtol=1e-15)


def test_same_seed_gives_the_same_replicates_and_another_seed_others():
    study = random_study(1)
    first, again, other = (sensitivity_replicates(*study, RATES, n_replicates=50, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_one_group_has_no_spread():
    """All from one video: redrawing it changes nothing, and the interval shows that it says nothing."""
    study = random_study(2, n_groups=1)
    replicates = sensitivity_replicates(*study, RATES, n_replicates=20)
    assert (replicates == replicates[0]).all()


def test_replicate_without_lesions_is_nan_and_left_out():
    """group 0: lesion A found       group 1: no lesion      drawing group 1 twice leaves nothing to find."""
    study = Matches(np.array([0.9]), np.array([0])), np.array([0]), np.array([1, 0]), np.array([1, 1])
    replicates = sensitivity_replicates(*study, (np.inf,), n_replicates=400, seed=3)
    without = np.isnan(replicates[:, 0])
    assert 0.15 < without.mean() < 0.35  # expected 1/4
    assert (replicates[~without] == 1.0).all()
    assert percentile_interval(replicates) == (np.array([1.0]), np.array([1.0]))


def test_no_candidates_gives_sensitivity_zero():
    nothing = Matches(np.zeros(0), np.zeros(0, dtype=np.int64))
    replicates = sensitivity_replicates(
        nothing, np.zeros(0, dtype=np.int64), np.array([2, 1]), np.array([5, 5]), (1.0,), n_replicates=10
    )
    assert (replicates == 0.0).all()


def test_a_draw_without_image_has_no_rate_and_is_left_out():
    """Group 0 has the only image and group 1 the only lesion: half of the draws have both, a quarter each one."""
    study = Matches(np.array([0.9]), np.array([0])), np.array([1]), np.array([0, 1]), np.array([1, 0])
    replicates = sensitivity_replicates(*study, (0.5,), n_replicates=400, seed=3)
    without = np.isnan(replicates[:, 0])
    assert 0.4 < without.mean() < 0.6
    assert (replicates[~without] == 1.0).all()


def test_interval_is_the_central_part_of_the_replicates():
    low, high = percentile_interval(np.arange(101.0)[:, None], level=0.9)
    assert (low.item(), high.item()) == (pytest.approx(5.0), pytest.approx(95.0))


def test_interval_of_nothing_is_nan():
    low, high = percentile_interval(np.full((3, 2), np.nan))
    assert np.isnan(low).all() and np.isnan(high).all()


def test_correlated_frames_widen_the_interval():
    """Ten videos of 30 frames, each video all found or all missed: as much is known as from ten frames, not from 300.

    One proportion of ten draws has a standard error of sqrt(0.5 * 0.5 / 10) = 0.158."""
    found_videos, frames = 5, 30
    lesion = np.arange(found_videos * frames)
    study = Matches(np.full(lesion.size, 0.9), lesion), lesion // frames, np.full(10, frames), np.full(10, frames)
    replicates = sensitivity_replicates(*study, (np.inf,), n_replicates=2000)
    assert replicates.std() == pytest.approx(0.158, abs=0.01)


def test_interval_covers_the_truth():
    """60 independent groups of one lesion each, found with probability 0.7: about 95 of 100 intervals hold 0.7."""
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        found = np.flatnonzero(rng.random(60) < 0.7)
        study = Matches(np.full(found.size, 0.5), np.arange(found.size)), found, np.ones(60, int), np.ones(60, int)
        low, high = percentile_interval(sensitivity_replicates(*study, (np.inf,), n_replicates=400, seed=trial))
        covered += low[0] <= 0.7 <= high[0]
    assert 0.91 <= covered / 300 <= 0.98
