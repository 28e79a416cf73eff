"""What concerns the whole process: several solvers, the stop watch, the log."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest
import recaffe
from recaffe import parallel
from recaffe.timer import Timer

NET = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 }
  data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" loss_weight: 1
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""
SOLVER = 'base_lr: 0.1 lr_policy: "fixed" max_iter: 3'


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_solver_count", "_solver_rank", "_is_multiprocess"):
        monkeypatch.setattr(parallel, name, getattr(parallel, name))


def test_settings_for_several_solvers_are_kept(settings):
    assert (recaffe.solver_count(), recaffe.solver_rank(), parallel.multiprocess()) == (1, 0, False)
    recaffe.set_solver_count(4)
    recaffe.set_solver_rank(2)
    recaffe.set_multiprocess(True)
    assert (recaffe.solver_count(), recaffe.solver_rank(), parallel.multiprocess()) == (4, 2, True)
    assert recaffe.has_nccl() is False


def test_script_for_several_gpus_trains_alike_with_one(settings, make_solver):
    """The calls of Caffe's python/train.py, with one GPU."""
    plain = make_solver(NET, SOLVER)
    plain.step(3)
    recaffe.set_solver_count(1)
    recaffe.set_solver_rank(0)
    recaffe.set_multiprocess(True)
    solver = make_solver(NET, SOLVER)
    nccl = recaffe.NCCL(solver, recaffe.NCCL.new_uid())
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.step(solver.param.max_iter)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, plain.net.params["ip"][0].data)


def test_several_solvers_are_refused(settings):
    recaffe.set_solver_count(2)
    with pytest.raises(recaffe.CaffeError, match=r"2 solvers were announced.*one process and one GPU"):
        recaffe.NCCL(None, "uid")


def test_timer_measures_from_start_to_stop():
    timer = Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.02)
    timer.start()  # it runs already
    timer.stop()
    first = timer.ms
    assert 20 <= first < 2000 and timer.ms == first
    timer.start()
    assert 0 <= timer.ms < first  # reading stops it


@pytest.fixture
def logger():
    logger = logging.getLogger("recaffe")
    before = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:], logger.level = before


def test_log_is_shown_once_and_from_the_level_on(logger, capsys: pytest.CaptureFixture[str]):
    recaffe.init_log(0, True)
    recaffe.init_log(0)
    recaffe.log("a line of mine")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("I") and line.endswith("] a line of mine") and "test_api_process.py:" in line
    recaffe.init_log(1)
    recaffe.log("not shown")
    logger.warning("shown")
    recaffe.init_log(0, False)
    logger.warning("not shown")
    logger.error("shown")
    assert [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()] == ["shown", "shown"]
