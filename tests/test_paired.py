"""Measures of runs and their paired differences: against the reports' own numbers, and on samples drawn by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.measured import Sample, Yardstick, measure, yardstick_of
from eval.paired import check_paired, difference, mean_sample, shares_of_best
from eval.run_results import read_result
from layerwise.applications import APPLICATIONS
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv
from tests.made_up_run import make_run, make_volume_run, reported
from tests.test_boundary_report import OFF_PX, make_regions_run
from tests.test_roc_report import make_frames_run

SENSITIVITY = Yardstick(("at 1 FP",), "mean sensitivity", (0,))
ERROR_UM = Yardstick(("LI",), "mean error", (0,), larger_is_better=False, digits=1, unit=" um")


def sample(value: float, replicates: list[float]) -> Sample:
    """One column, which is the headline too."""
    column = np.array(replicates, dtype=np.float64)
    return Sample(("a", "b"), 2, np.array([value, value]), np.column_stack([column, column]))


@pytest.mark.parametrize(
    ("make", "name"), [(make_run, "polyp"), (make_volume_run, "embolism"), (make_frames_run, "frames")]
)
def test_sensitivities_and_intervals_are_those_of_the_report(make, name: str, tmp_path: Path) -> None:
    run = make(tmp_path)
    reported(run)
    found = measure(read_result(run), APPLICATIONS[name])
    points = [row for row in read_csv(run / "operating_points.csv") if next(iter(row.values())) != "inf"]
    assert found.values[:-1].tolist() == [float(row["sensitivity"]) for row in points]
    assert found.headline == pytest.approx(np.mean(found.values[:-1]))
    low, high = np.quantile(found.replicates[:, :-1], [0.025, 0.975], axis=0)
    assert low.tolist() == pytest.approx([float(row["ci95_low"]) for row in points])
    assert high.tolist() == pytest.approx([float(row["ci95_high"]) for row in points])
    assert len(yardstick_of(APPLICATIONS[name]).columns) == len(points)


def test_boundary_errors_are_those_of_the_report_and_the_headline_is_of_both_lines(tmp_path: Path) -> None:
    """LI 40 um, MA 80 um, thickness 80 um, as test_boundary_report says: headline 60 um."""
    run = make_regions_run(tmp_path)
    reported(run)
    found = measure(read_result(run), APPLICATIONS["intima"])
    assert found.values.tolist() == pytest.approx([40, 80, 80, 60])
    of = read_json(run / "evaluation.json")["boundaries"]
    low, high = np.quantile(found.replicates[:, 0], [0.025, 0.975])
    assert of["LI"]["mean_ci95_group"] == pytest.approx([low, high])


def test_a_redraw_of_two_subjects_has_the_mean_of_one_of_them_or_of_both(tmp_path: Path) -> None:
    """MA of subject 1: 50, 50 and 100 um, mean 66.7; of subject 2: 0; of both 200 / 4 = 50."""
    run = make_regions_run(tmp_path, OFF_PX[:4], ("s1", "s1", "s1", "s2"))
    reported(run)
    found = measure(read_result(run), APPLICATIONS["intima"])
    assert sorted(set(np.round(found.replicates[:, 1], 6))) == pytest.approx([0, 50, 200 / 3], abs=1e-5)


def test_runs_are_read_in_the_same_redraws(tmp_path: Path) -> None:
    """The same run twice never differs, though each redraw does."""
    run = make_frames_run(tmp_path)
    reported(run)
    first, second = (measure(read_result(run), APPLICATIONS["frames"]) for _ in range(2))
    assert np.ptp(first.replicates[:, -1]) > 0
    apart = difference(first, second, SENSITIVITY)
    assert (apart.value, apart.low, apart.high, apart.verdict) == (0, 0, 0, "level")


def test_a_single_group_gives_a_difference_without_an_interval(tmp_path: Path) -> None:
    run = make_regions_run(tmp_path, OFF_PX[:2], ("s1", "s1"))
    reported(run)
    found = measure(read_result(run), APPLICATIONS["intima"])
    assert found.replicates.shape == (0, 4)
    assert difference(found, found, ERROR_UM).verdict == "unknown"
    assert shares_of_best({"a": found, "b": found}, ERROR_UM) == {}


@pytest.mark.parametrize(
    ("replicates", "verdict"), [([0.6, 0.7, 0.8], "ahead"), ([0.2, 0.3, 0.1], "behind"), ([0.4, 0.7, 0.8], "level")]
)
def test_ahead_is_better_in_all_but_the_rarest_redraws(replicates: list[float], verdict: str) -> None:
    assert difference(sample(0.6, replicates), sample(0.5, [0.5, 0.5, 0.5]), SENSITIVITY).verdict == verdict


def test_of_errors_less_is_better() -> None:
    apart = difference(sample(20.0, [19, 20, 21]), sample(30.0, [30, 30, 30]), ERROR_UM)
    assert (apart.value, apart.verdict) == (10.0, "ahead")
    assert apart.low == pytest.approx(9.05) and apart.high == pytest.approx(10.95)
    assert shares_of_best({"a": sample(1, [1, 3, 5]), "b": sample(2, [2, 2, 2])}, ERROR_UM) == pytest.approx(
        {"a": 1 / 3, "b": 2 / 3}
    )


def test_equals_share_a_redraw_and_redraws_without_lesions_count_for_none() -> None:
    three = {"a": sample(1, [1, 1, np.nan]), "b": sample(1, [1, 0, np.nan]), "c": sample(0, [0, 0, np.nan])}
    assert shares_of_best(three, SENSITIVITY) == {"a": 0.75, "b": 0.25, "c": 0.0}


def test_seeds_are_averaged_redraw_by_redraw() -> None:
    mean = mean_sample([sample(0.4, [0.1, 0.5]), sample(0.6, [0.3, 0.9])])
    assert mean.headline == 0.5
    assert mean.replicates[:, -1].tolist() == pytest.approx([0.2, 0.7])


def test_runs_of_different_test_splits_do_not_pair() -> None:
    one = sample(0.5, [0.5])
    with pytest.raises(DataError, match="different test splits"):
        check_paired([one, replace(one, ids=("a", "c"))])


def test_scores_of_other_candidates_than_the_data_set_has_are_refused(tmp_path: Path) -> None:
    run = make_volume_run(tmp_path)
    reported(run)
    rows = read_csv(run / "candidate_scores.csv")
    write_csv(run / "candidate_scores.csv", list(rows[0]), rows[1:])
    with pytest.raises(DataError, match="has other candidates than"):
        measure(read_result(run), APPLICATIONS["embolism"])
