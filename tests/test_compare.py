"""The table of runs side by side, from results written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eval.compare import comparison, mean_and_range
from eval.run_results import RunResult, read_result, run_folders
from layerwise.errors import DataError
from layerwise.files import read_csv
from tests.made_up_run import make_rival, make_volume_run, reported
from tests.test_boundary_report import make_regions_run


def result(scheme: str, seed: int, test_auc: float, database: str = "a", is_phantom: bool = True, **other) -> RunResult:
    is_net = scheme != "handcrafted"
    values = {
        "folder": Path(scheme),
        "application": "polyp",
        "scheme": scheme,
        "engine": "recaffe" if is_net else "scikit-learn",
        "net": "alexnet_half" if is_net else None,
        "seed": seed,
        "fraction": 1.0,
        "dataset_dir": "data/polyp/x",
        "database": database,
        "is_phantom": is_phantom,
        "best_iteration": 10 * seed if is_net else None,
        "val_auc": 0.9 if is_net else None,
        "measures": {"candidate AUC": test_auc, "sens. at 0.1 FP": 0.5},
    }
    return RunResult(**{**values, **other})


def test_seeds_of_one_scheme_share_a_line_with_mean_and_range():
    lines = comparison([result("finetune-conv4", 1, 0.8), result("finetune-conv4", 2, 0.9)]).splitlines()
    assert len(lines) == 3  # warning, heads, one scheme
    assert "0.850 (0.800-0.900)" in lines[2]
    assert "10-20" in lines[2]


def test_schemes_stand_in_the_order_of_depth():
    lines = comparison(
        [result(name, 1, 0.8) for name in ("handcrafted", "scratch-msra", "finetune-conv1", "finetune-fc8")]
    ).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        *("finetune-fc8", "finetune-conv1", "scratch-msra", "handcrafted")
    ]


def test_runs_on_different_databases_are_not_compared():
    with pytest.raises(DataError, match="different databases"):
        comparison([result("finetune-fc8", 1, 0.8), result("finetune-fc7", 1, 0.8, database="b")])


def test_runs_on_different_data_sets_are_not_compared():
    with pytest.raises(DataError, match=r"different data sets.*polyp: data/polyp/x; polyp: data/polyp/y"):
        comparison([result("finetune-fc8", 1, 0.8), result("finetune-fc7", 1, 0.8, dataset_dir="data/polyp/y")])


def test_reduced_training_sets_have_lines_of_their_own_below():
    reduced = [result("finetune-conv1", 1, 0.7, "b", fraction=0.5), result("scratch-xavier", 1, 0.6, "b", fraction=0.5)]
    lines = comparison([*reduced, result("scratch-xavier", 1, 0.8)]).splitlines()
    assert [(line.split()[0], *re.findall(r"\d+ %", line)) for line in lines[2:]] == [
        ("scratch-xavier", "100 %"), ("finetune-conv1", "50 %"), ("scratch-xavier", "50 %")
    ]  # fmt: skip


def test_a_rival_has_neither_net_nor_iterations_nor_validation():
    line = comparison([result("handcrafted", 0, 0.8)]).splitlines()[2]
    assert line.split() == ["handcrafted", "100", "%", "scikit-learn", "-", "1", "-", "-", "0.800", "0.500"]


def test_boundaries_are_compared_in_um(tmp_path):
    run = make_regions_run(tmp_path)
    reported(run)
    lines = comparison([read_result(run)]).splitlines()
    assert lines[1].split()[-6:] == ["LI", "um", "MA", "um", "IMT", "um"]
    assert lines[2].split()[-3:] == ["40.0", "80.0", "80.0"]


def test_volumes_are_compared_at_rates_per_volume_with_their_rival(tmp_path):
    run = make_volume_run(tmp_path)
    rows = read_csv(run / "scores.csv")
    rival = make_rival(run, {row["candidate_id"]: row for row in rows}.values(), list(rows[0]))
    for folder in (run, rival):
        reported(folder)
    lines = comparison([read_result(folder) for folder in (rival, run)]).splitlines()
    assert "sens. at 1 FP" in lines[1] and "sens. at 5 FP" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == ["finetune-conv4", "handcrafted"]


def test_runs_that_were_set_aside_are_not_counted_again(tmp_path):
    for name in ("recaffe-seed0", "recaffe-seed0.old1", "unfinished"):
        (tmp_path / name).mkdir()
        if name != "unfinished":
            (tmp_path / name / "run.json").write_text("{}")
    assert run_folders(sorted(tmp_path.iterdir())) == [tmp_path / "recaffe-seed0"]


def test_phantom_runs_carry_the_warning_and_real_ones_do_not():
    assert comparison([result("finetune-fc8", 1, 0.8)]).startswith("PHANTOM DATA")
    assert "PHANTOM" not in comparison([result("finetune-fc8", 1, 0.8, is_phantom=False)])


def test_a_single_seed_has_no_range():
    assert mean_and_range([0.5]) == "0.500"
    assert mean_and_range([25.04, 24.96], 1) == "25.0 (25.0-25.0)"
