"""The table of runs side by side, from results written by hand."""

from __future__ import annotations

import pytest

from eval.compare import RunResult, comparison, mean_and_range
from layerwise.errors import DataError


def result(scheme: str, seed: int, test_auc: float, database: str = "a", is_phantom: bool = True) -> RunResult:
    return RunResult(
        (scheme, "recaffe", "alexnet_half"), "froc", seed, database, is_phantom, 10 * seed, 0.9, test_auc, (0.5, 0.8)
    )


def test_seeds_of_one_scheme_share_a_line_with_mean_and_range():
    lines = comparison([result("finetune-conv4", 1, 0.8), result("finetune-conv4", 2, 0.9)]).splitlines()
    assert len(lines) == 3  # warning, heads, one scheme
    assert "0.850 (0.800-0.900)" in lines[2]
    assert "10-20" in lines[2]


def test_schemes_stand_in_the_order_of_depth():
    lines = comparison(
        [result(name, 1, 0.8) for name in ("scratch-msra", "finetune-conv1", "finetune-fc8")]
    ).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["finetune-fc8", "finetune-conv1", "scratch-msra"]


def test_runs_on_different_databases_are_not_compared():
    with pytest.raises(DataError, match="different databases"):
        comparison([result("finetune-fc8", 1, 0.8), result("finetune-fc7", 1, 0.8, database="b")])


def test_phantom_runs_carry_the_warning_and_real_ones_do_not():
    assert comparison([result("finetune-fc8", 1, 0.8)]).startswith("PHANTOM DATA")
    assert "PHANTOM" not in comparison([result("finetune-fc8", 1, 0.8, is_phantom=False)])


def test_a_single_seed_has_no_range():
    assert mean_and_range([0.5]) == "0.500"
