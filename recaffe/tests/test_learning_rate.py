"""Rates to the last bit of real Caffe's, and where there is no rate."""

from __future__ import annotations

import json

import numpy as np
import pytest
import recaffe
from recaffe.learning_rate import learning_rate, next_step
from recaffe.proto import caffe_pb2, text

COUNT = 250
POLICIES = [
    'lr_policy: "fixed"',
    'lr_policy: "step" gamma: 0.93 stepsize: 3',
    'lr_policy: "exp" gamma: 0.997',
    'lr_policy: "inv" gamma: 0.0137 power: 0.75',
    'lr_policy: "inv" gamma: 0.1 power: 1.37',
    'lr_policy: "multistep" gamma: 0.7 stepvalue: 5 stepvalue: 9 stepvalue: 100',
    'lr_policy: "poly" power: 1.5 max_iter: 300',
    'lr_policy: "poly" power: 0.9 max_iter: 251',
    'lr_policy: "sigmoid" gamma: 0.051 stepsize: 33',
]
NET = """
layer { name: "d" type: "DummyData" top: "d" top: "t" dummy_data_param { shape { dim: 1 dim: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "d" bottom: "t" top: "loss" }
"""
ASK = """
import sys, json
import caffe
rates = []
for policy in json.loads(sys.argv[1]):
    with open("rate.prototxt", "w") as out:
        out.write('net: "net.prototxt" base_lr: 0.013 snapshot_after_train: false ' + policy)
    solver, found = caffe.SGDSolver("rate.prototxt"), []
    for _ in range(int(sys.argv[2])):
        found.append(solver.lr)
        solver.step(1)
    rates.append(found)
print(json.dumps(rates))
"""


def parse(policy):
    return text.parse(f"base_lr: 0.013 {policy}", caffe_pb2.SolverParameter)


@pytest.mark.caffe
def test_rates_are_real_caffes(real_caffe, tmp_path):
    """To the last bit, but for one rate in a few hundred where C's powf rounds to the other side."""
    (tmp_path / "net.prototxt").write_text(NET)
    real = json.loads(real_caffe(ASK, json.dumps(POLICIES), COUNT, cwd=tmp_path).decode().splitlines()[-1])
    for policy, expected in zip(POLICIES, real, strict=True):
        param, step, found = parse(policy), 0, []
        for iteration in range(COUNT):
            step = next_step(param, iteration, step)
            found.append(learning_rate(param, iteration, step))
        assert np.count_nonzero(np.array(found) != np.array(expected)) <= 2, policy
        np.testing.assert_array_max_ulp(np.float32(found), np.float32(expected), 1)


@pytest.mark.parametrize(
    ("policy", "iteration", "expected"),
    [
        ('lr_policy: "sigmoid" gamma: 1 stepsize: 1000', 0, 0.0),  # exp(1000) is infinite in C too
        ('lr_policy: "poly" power: 2 max_iter: 10', 10, 0.0),
        ('lr_policy: "poly" power: 2 max_iter: 10', 20, 0.013),  # (-1)^2
        ('lr_policy: "exp" gamma: 0', 0, 0.013),
        ('lr_policy: "step" gamma: 0.5 stepsize: 1', 5000, 0.0),
    ],
)
def test_rate_at_the_ends(policy, iteration, expected):
    param = parse(policy)
    assert learning_rate(param, iteration, next_step(param, iteration, 0)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("policy", "iteration", "problem"),
    [
        (
            'lr_policy: "poly" power: 1.5 max_iter: 10',
            11,
            "'poly' gives the rate nan at iteration 11; it ends",
        ),
        ('lr_policy: "poly" power: -1 max_iter: 10', 10, "'poly' gives the rate inf at iteration 10"),
        ('lr_policy: "exp" gamma: 2', 5000, "'exp' gives the rate inf at iteration 5000; check gamma and power"),
    ],
)
def test_rate_that_is_no_number_is_refused(policy, iteration, problem):
    with pytest.raises(recaffe.SolverError, match=problem):
        learning_rate(parse(policy), iteration, 0)
