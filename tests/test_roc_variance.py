"""Variances, intervals and tests of ROC areas: R's pROC as recorded, Obuchowski's by hand, redraws by a slow loop."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.auc_replicates import auc_replicates, pairs_in_order
from eval.bootstrap import group_draws
from eval.delong import delong_covariance, normal_interval, normal_p, obuchowski_covariance, placements
from eval.roc import auc, partial_auc
from eval.roc_area import areas
from eval.roc_study import MOST_DRAWN, RocStudy, read_roc_study

RECORDED = json.loads((Path(__file__).parent / "recorded_proc.json").read_text(encoding="utf-8"))
PROC = RECORDED["values"]


@pytest.fixture(scope="module")
def proc(tmp_path_factory: pytest.TempPathFactory) -> RocStudy:
    path = tmp_path_factory.mktemp("proc") / "scores.csv"
    path.write_text("\n".join(RECORDED["scores_csv"]) + "\n")
    return read_roc_study(path)


def test_areas_and_partial_areas_are_those_of_proc(proc):
    a, b = proc.scores
    assert auc(proc.label, a) == pytest.approx(PROC["auc_a"], rel=1e-12)
    assert auc(proc.label, b) == pytest.approx(PROC["auc_b"], rel=1e-12)
    assert partial_auc(proc.label, a, 0.2) == pytest.approx(PROC["pauc20_a"], rel=1e-12)
    assert partial_auc(proc.label, b, 0.2) == pytest.approx(PROC["pauc20_b"], rel=1e-12)
    assert partial_auc(proc.label, a, 0.05) == pytest.approx(PROC["pauc05_a"], rel=1e-12)


def test_delongs_covariance_interval_and_paired_test_are_those_of_proc(proc):
    covariance = delong_covariance(placements(proc.label, proc.scores))
    expected = [[PROC["var_a"], PROC["cov"]], [PROC["cov"], PROC["var_b"]]]
    np.testing.assert_allclose(covariance, expected, rtol=1e-10)
    found = areas(proc.label, proc.scores, proc.group, n_replicates=10)
    assert found.intervals(0)["delong"] == pytest.approx([PROC["ci_a1"], PROC["ci_a2"]], rel=1e-10)
    assert found.intervals(1)["delong"] == pytest.approx([PROC["ci_b1"], PROC["ci_b2"]], rel=1e-10)
    assert found.comparison()["p_delong_paired"] == pytest.approx(PROC["p"], rel=1e-10)


def test_obuchowskis_is_delongs_where_every_group_has_one_case(proc):
    of = placements(proc.label, proc.scores)
    alone = obuchowski_covariance(of, proc.label, np.arange(len(proc.label)))
    np.testing.assert_allclose(alone, delong_covariance(of), rtol=1e-12)


# group 0: + 3  - 1     group 1: + 2  - 2     group 2: - 0
LABEL, SCORE, GROUP = np.array([1, 0, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 2.0, 0.0]), np.array([0, 0, 1, 1, 2])


def test_placements_of_a_drawn_case():
    """+3 beats 3 of 3 negatives, +2 beats 2 and is level with one: 2.5 / 3. -2 is beaten by one and a half of two."""
    of = placements(LABEL, [SCORE])
    np.testing.assert_allclose(of.positive, [[1, 2.5 / 3]])
    np.testing.assert_allclose(of.negative, [[1, 0.75, 1]])  # -1, -2, -0
    np.testing.assert_allclose([of.auc, of.negative.mean(axis=1)], [[5.5 / 6], [5.5 / 6]])


def test_obuchowskis_variance_of_a_drawn_case():
    """theta = 11/12. In units of 1/12 the positives are off by +1 and -1, the negatives by +1, -2, +1.
    S10 = 2/1 (1 + 1) / 2, S01 = 3/2 (1 + 4 + 1) / 3, S11 = 3/2 (1 * 1 + (-1)(-2) + 0 * 1), all / 144;
    variance = S10 / 2 + S01 / 3 + 2 S11 / 6 = (1 + 1 + 1.5) / 144."""
    variance = obuchowski_covariance(placements(LABEL, [SCORE]), LABEL, GROUP)
    np.testing.assert_allclose(variance, [[3.5 / 144]], rtol=1e-12)
    # DeLong: (1 + 1) / (2 * 1) + (1 + 4 + 1) / (3 * 2), without what the two kinds share.
    np.testing.assert_allclose(delong_covariance(placements(LABEL, [SCORE])), [[2 / 144]], rtol=1e-12)


def test_covariance_of_a_system_with_itself_is_its_variance():
    covariance = obuchowski_covariance(placements(LABEL, [SCORE, SCORE]), LABEL, GROUP)
    np.testing.assert_allclose(covariance, np.full((2, 2), 3.5 / 144), rtol=1e-12)


def test_cases_copied_within_their_groups_change_delongs_variance_but_not_obuchowskis():
    """Ten copies of each case say nothing new; DeLong takes them for ten times the cases."""
    random = np.random.default_rng(0)
    label, group = np.arange(40) % 2, np.arange(40)
    score = random.normal(label, 1.0)
    ten = [np.repeat(values, 10) for values in (label, score, group)]
    once, copied = placements(label, [score]), placements(ten[0], [ten[1]])
    obuchowski = obuchowski_covariance(copied, ten[0], ten[2])
    np.testing.assert_allclose(obuchowski, obuchowski_covariance(once, label, group), rtol=1e-12)
    assert delong_covariance(copied)[0, 0] < 0.11 * delong_covariance(once)[0, 0]


CASES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=40)


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_pairs_in_order_are_those_of_a_slow_loop(cases):
    expected = np.zeros((4, 4))
    for label, score, group in cases:
        for other_label, other_score, other_group in cases:
            if label == 1 and other_label == 0:
                expected[group, other_group] += (score > other_score) + 0.5 * (score == other_score)
    label, score, group = (np.array(column) for column in zip(*cases, strict=True))
    np.testing.assert_array_equal(pairs_in_order(label, score.astype(float), group, 4), expected)


@pytest.mark.parametrize("decimals", [1, 9])
def test_pairs_in_order_across_blocks(decimals):
    """300 cases are five blocks; with one decimal, ties cross their borders."""
    random = np.random.default_rng(0)
    label, group = random.integers(0, 2, 300), random.integers(0, 7, 300)
    score = np.round(random.normal(label, 1.0), decimals)
    above = (score[:, None] > score) + 0.5 * (score[:, None] == score)
    counted = above * ((label == 1)[:, None] & (label == 0))
    member = np.eye(7)[group]
    np.testing.assert_array_equal(pairs_in_order(label, score, group, 7), member.T @ counted @ member)


def test_redrawn_areas_are_those_of_repeated_rows():
    random = np.random.default_rng(0)
    label, group = random.integers(0, 2, 40), random.integers(0, 5, 40)
    score = np.round(random.normal(label, 1.0), 1)
    found = auc_replicates(label, [score, -score], group, 6, seed=3)
    draws = np.concatenate(list(group_draws(5, 6, 3)))
    for row, weights in zip(found, draws.astype(int), strict=True):
        times = weights[group]
        expected = auc(np.repeat(label, times), np.repeat(score, times))
        assert row == pytest.approx([expected, 1 - expected], abs=1e-12)


def test_a_redraw_with_one_class_has_no_area():
    label, score, group = np.array([1, 0]), np.array([1.0, 0.0]), np.array([0, 1])
    found = auc_replicates(label, [score], group, 50, seed=0)[:, 0]
    assert set(np.unique(found[~np.isnan(found)])) == {1.0} and np.isnan(found).any()


def test_perfect_order_has_no_interval_rather_than_one_to_one():
    label = np.arange(20) % 2
    found = areas(label, [label.astype(float)], np.arange(20) // 2, n_replicates=50)
    assert found.auc == (1.0,)
    assert found.intervals(0) == {"delong": None, "obuchowski": None, "group": None}


def test_one_positive_has_no_delong_interval_and_one_group_none_that_respects_groups():
    label, score = np.array([1, 0, 0, 0]), np.array([0.5, 0.1, 0.9, 0.2])
    found = areas(label, [score], np.zeros(4, dtype=np.int64), n_replicates=50).intervals(0)
    assert found == {"delong": None, "obuchowski": None, "group": None}


def test_interval_is_cut_to_what_an_area_can_be():
    assert normal_interval(0.95, 0.01) == [pytest.approx(0.95 - 0.196, abs=1e-4), 1.0]


def test_p_of_a_difference_of_1_96_standard_errors_is_5_percent():
    assert normal_p(0.1959963984540054, 0.01) == pytest.approx(0.05, abs=1e-12)
    assert normal_p(0.0, 0.0) == 1.0 and normal_p(0.1, 0.0) is None and normal_p(0.1, math.nan) is None


def test_a_system_against_itself_differs_by_nothing(proc):
    found = areas(proc.label, [proc.scores[0]] * 2, proc.group, n_replicates=50).comparison()
    assert found["auc_difference"] == 0 and found["auc_difference_ci95_group"] == [0, 0]
    assert found["p_delong_paired"] == found["p_obuchowski_paired"] == found["p_group_bootstrap"] == 1.0


def test_bags_of_many_groups_give_the_bars_of_the_groups_themselves():
    random = np.random.default_rng(0)
    n = 3 * MOST_DRAWN
    label = np.arange(n) % 2
    score = random.normal(label, 1.0)
    study = RocStudy(label, np.arange(n), tuple(map(str, range(n))), (score,))
    assert np.bincount(study.drawn).tolist() == [3] * MOST_DRAWN
    redrawn = auc_replicates(label, [score], study.drawn, 500, seed=0)
    expected = math.sqrt(delong_covariance(placements(label, [score]))[0, 0])
    assert redrawn.std() == pytest.approx(expected, rel=0.1)  # 500 redraws know it to 3 %, 1000 bags to 2 %
