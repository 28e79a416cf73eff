"""Bootstrap over groups, against a loop that really draws groups and builds every curve anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import bootstrap, weighted_froc
from eval.bootstrap import fps_per_image_replicates, group_draws, percentile_interval, sensitivity_replicates
from eval.froc import Matches, froc_curve, sensitivity_at

RATES = (0.0, 0.1, 0.5, 2.0, np.inf)


def slow_replicates(matches, group, lesions_per_group, images_per_group, read, n_replicates, seed):
    """Each drawn group is put in as a new group with its own lesions, then `read` reads its `froc_curve`."""
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
            rows.append(None)
            continue
        names, renamed = np.unique(lesion, return_inverse=True)
        renamed = renamed - int(len(names) > 0 and names[0] == -1)
        rows.append(
            read(froc_curve(Matches(np.array(score, dtype=float), renamed.astype(np.int64)), n_lesions, n_images))
        )
    width = len(next(row for row in rows if row is not None)) if any(rows) else 1
    return np.array([row or [np.nan] * width for row in rows])


def smallest_rate(curve, sensitivity):
    reached = curve.fps_per_image[curve.sensitivity >= sensitivity]
    return reached[0] if len(reached) else np.inf


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
    slow = slow_replicates(*study, lambda curve: [sensitivity_at(curve, rate) for rate in RATES], 8, seed)
    np.testing.assert_array_equal(fast, np.broadcast_to(slow, fast.shape))


@given(seed=st.integers(0, 10_000), n_groups=st.integers(1, 5), n_lesions=st.integers(1, 6))
def test_rate_at_a_sensitivity_equals_the_slow_loop(seed, n_groups, n_lesions):
    study = random_study(seed, n_groups=n_groups, n_lesions=n_lesions)
    wanted = (0.1, 0.5, 1.0)
    fast = fps_per_image_replicates(*study, wanted, n_replicates=8, seed=seed)
    slow = slow_replicates(*study, lambda curve: [smallest_rate(curve, value) for value in wanted], 8, seed)
    np.testing.assert_array_equal(fast, np.broadcast_to(slow, fast.shape))


@pytest.mark.parametrize(("block", "draws_at_once"), [(1, 256), (7, 2048), (16, 1 << 19)])
def test_sizes_of_blocks_change_no_number(monkeypatch, block, draws_at_once):
    study = random_study(4, n_candidates=200, n_groups=9, n_lesions=30)
    expected = sensitivity_replicates(*study, RATES, n_replicates=40), fps_per_image_replicates(*study, (0.5, 0.9), 40)
    monkeypatch.setattr(weighted_froc, "BLOCK_EVENTS", block)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", draws_at_once)
    np.testing.assert_array_equal(sensitivity_replicates(*study, RATES, n_replicates=40), expected[0])
    np.testing.assert_array_equal(fps_per_image_replicates(*study, (0.5, 0.9), 40), expected[1])


def test_draws_are_numpys_multinomial_whatever_the_block(monkeypatch):
    """The intervals of reports that exist were drawn in one piece with this generator: they must not move."""
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 256 * 3)
    expected = np.random.default_rng(8).multinomial(5, np.full(5, 0.2), size=10)
    np.testing.assert_array_equal(np.concatenate(list(group_draws(5, 10, seed=8))), expected)


def test_sensitivity_that_is_never_reached_has_rate_infinity():
    """group 0: lesion A found at 0.9, x 0.8      group 1: (B) without candidate: 0.6 needs both."""
    study = Matches(np.array([0.9, 0.8]), np.array([0, -1])), np.zeros(2, np.int64), np.array([1, 1]), np.array([1, 1])
    replicates = fps_per_image_replicates(*study, (0.5, 0.6), n_replicates=400, seed=3)
    # group 0 twice: both reached at rate 0; one of each: the first only; group 1 twice: neither.
    assert set(map(tuple, replicates.tolist())) == {(0.0, 0.0), (0.0, np.inf), (np.inf, np.inf)}
    low, high = percentile_interval(replicates, method="inverted_cdf")
    assert low.tolist() == [0.0, 0.0] and high.tolist() == [np.inf, np.inf]


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
