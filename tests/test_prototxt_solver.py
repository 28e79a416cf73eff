"""The paper's schedule in Caffe's words."""

from __future__ import annotations

import math

import pytest
from recaffe.proto import caffe_pb2
from recaffe.proto.files import read_solver

from layerwise.applications import APPLICATIONS
from layerwise.errors import DataError
from layerwise.nets import NETS
from layerwise.schemes import get_scheme
from prototxt.generate import FOLDER
from prototxt.solver import schedule, solver


def test_solver_has_the_papers_rates():
    param = solver(get_scheme("finetune-conv4"), "train_val.prototxt", "x", schedule(3200, 32, 5), seed=7, mode="CPU")
    assert param.type == "SGD"
    assert (param.base_lr, param.momentum) == pytest.approx((0.001, 0.9))
    assert (param.lr_policy, param.gamma) == ("step", pytest.approx(0.95))
    assert (param.stepsize, param.max_iter) == (100, 500)
    assert (param.random_seed, param.solver_mode) == (7, caffe_pb2.SolverParameter.CPU)


def test_rate_is_equation_1_where_the_batch_divides_the_set():
    n_train, batch, stepsize = 3200, 32, schedule(3200, 32, 5).iterations_per_epoch
    for t in range(500):
        assert t // stepsize == math.floor(t * batch / n_train)


@pytest.mark.parametrize(
    ("n_train", "batch", "epochs", "per_epoch", "max_iter"),
    [(3200, 32, 2.5, 100, 250), (64_800, 128, 1, 506, 506), (3, 32, 1, 1, 1), (3200, 32, 0.001, 100, 1)],
)
def test_epochs_become_iterations(n_train, batch, epochs, per_epoch, max_iter):
    plan = schedule(n_train, batch, epochs)
    assert (plan.iterations_per_epoch, plan.max_iter) == (per_epoch, max_iter)


@pytest.mark.parametrize("numbers", [(0, 32, 1), (3200, 0, 1), (3200, 32, 0), (3200, 32, math.nan)])
def test_schedule_refuses_numbers_that_train_nothing(numbers):
    with pytest.raises(DataError, match="must be positive"):
        schedule(*numbers)


@pytest.mark.parametrize(("name", "stepsize"), [("polyp", 625), ("embolism", 506), ("frames", 250), ("intima", 1250)])
def test_committed_solver_counts_the_papers_patches(name, stepsize):
    param = read_solver(FOLDER / name / "finetune-conv4" / "solver.prototxt")
    assert param.stepsize == stepsize
    assert param.max_iter == 20 * stepsize
    assert param.test_interval * 4 <= stepsize  # at least four validations an epoch
    assert param.test_iter[0] * NETS["alexnet"].val_batch == APPLICATIONS[name].n_validation_patches


def test_msra_on_unscaled_pixels_has_its_gradients_clipped_and_nothing_else_has():
    clipped = [
        path.parent.name for path in FOLDER.glob("*/*/solver.prototxt") if read_solver(path).HasField("clip_gradients")
    ]
    assert clipped == ["scratch-msra"] * len(APPLICATIONS)
