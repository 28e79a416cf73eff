"""`debug_info: true` in a solver: which passes are described, and in real Caffe's lines."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
import recaffe

NET = """
name: "described"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" } param { lr_mult: 0 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "b" bottom: "label" top: "accuracy" include { phase: TEST } }
"""
OPTIONS = (
    'base_lr: 0.1 lr_policy: "multistep" gamma: 0.1 stepvalue: 1 momentum: 0.9 max_iter: 4 display: 2 debug_info: true '
    "test_iter: 1 test_interval: 2 test_compute_loss: true average_loss: 3 iter_size: 2 clip_gradients: 0.1 "
    'snapshot: 2 type: "Nesterov"'
)
SPEED = re.compile(r"\([^ ]+ iter/s, [^ ]+s/2 iters\)")
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]\d+)?")


@pytest.fixture
def lines(make_solver, caplog):
    solver = make_solver(NET, OPTIONS)
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.solve()
    return [record.getMessage() for record in caplog.records]


def test_only_displayed_iterations_and_tests_are_described(lines):
    """Tests at 0, 2, 4; iterations 0 and 2, of two passes each."""
    passes = [line for line in lines if line.startswith("    [Forward] Layer data, top blob data")]
    assert len(passes) == 3 + 2 * 2
    assert sum(line.startswith("    [Backward] All net params") for line in lines) == 2 * 2
    assert not any("Layer a, param blob 1 diff" in line for line in lines)  # does not learn


# The log comes on standard output, without glog's heads.
SOLVE = """
import os, sys
os.environ.update(GLOG_minloglevel="0", GLOG_logtostderr="1")
os.dup2(1, 2)
import caffe
caffe.get_solver("solver.prototxt").solve()
"""


@pytest.mark.caffe
def test_log_of_a_described_session_is_real_caffes(lines, real_caffe, tmp_path):
    log = re.sub(r"^[IWE]\d{4} [^\]]*\] ", "", real_caffe(SOLVE, cwd=tmp_path).decode(), flags=re.MULTILINE)
    real = log[log.index("Solving described") :].splitlines()
    found, expected = (SPEED.sub("(speed)", "\n".join(text)) for text in (lines, real))
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    ours, theirs = (np.array([float(number) for number in NUMBER.findall(text)]) for text in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


def test_net_is_quiet_without_debug_info(make_solver, caplog):
    solver = make_solver(NET, OPTIONS.replace("debug_info: true", ""))
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.solve()
    assert not any("[Forward]" in record.getMessage() for record in caplog.records)
    assert isinstance(solver, recaffe.NesterovSolver)
