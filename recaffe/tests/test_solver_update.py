"""Caffe's update against its formula in numpy, and the policies of the rate against theirs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import recaffe
from recaffe.learning_rate import learning_rate, next_step
from recaffe.proto import caffe_pb2

NET = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" A_PARAMS
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } bias_filler { value: 0.1 } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { lr_mult: 10 } param { lr_mult: 20 decay_mult: 0 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" }
"""
LEARNED = NET.replace("A_PARAMS", "")
FROZEN = NET.replace("A_PARAMS", "param { lr_mult: 0 } param { lr_mult: 0 }")
SHARES = {("a", 0): (1, 1), ("a", 1): (1, 1), ("b", 0): (10, 1), ("b", 1): (20, 0)}  # lr_mult, decay_mult


def fill(solver):
    numbers = np.random.RandomState(0)
    solver.net.blobs["data"].data[...] = numbers.randn(4, 3)
    solver.net.blobs["label"].data[...] = [0, 1, 2, 1]


def weights(solver):
    return {(name, i): b.data.copy() for name, blobs in solver.net.params.items() for i, b in enumerate(blobs)}


def gradients(solver):
    """The diffs of one pass at the present weights."""
    solver.net.clear_param_diffs()
    solver.net.forward()
    solver.net.backward()
    found = {(name, i): b.diff.copy() for name, blobs in solver.net.params.items() for i, b in enumerate(blobs)}
    solver.net.clear_param_diffs()
    return found


def assert_follows_formula(solver, rates, decay_of=lambda w: 0.02 * w, momentum=0.9, clip=math.inf):
    """Step by step, the weights and the diffs left behind are those of V = mV + rate lr_mult (g + decay); W -= V."""
    fill(solver)
    velocity = {key: np.zeros_like(value) for key, value in weights(solver).items()}
    for rate in rates:
        before, gradient = weights(solver), gradients(solver)
        norm = math.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradient.values()))
        scale = min(1.0, clip / norm)
        assert solver.lr == pytest.approx(rate)
        solver.step(1)
        for key, (lr_mult, decay_mult) in SHARES.items():
            g = gradient[key] * scale + decay_mult * decay_of(before[key])
            velocity[key] = momentum * velocity[key] + rate * lr_mult * g
            np.testing.assert_allclose(weights(solver)[key], before[key] - velocity[key], rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(solver.net.params[key[0]][key[1]].diff, velocity[key], rtol=1e-4, atol=1e-7)


RATE = 'base_lr: 0.05 momentum: 0.9 weight_decay: 0.02 lr_policy: "step" gamma: 0.1 stepsize: 2 '


def test_lr_change_keeps_momentum_history(make_solver):
    assert_follows_formula(make_solver(LEARNED, RATE), [0.05, 0.05, 0.005, 0.005, 0.0005])


def test_l1_decay_is_the_sign(make_solver):
    solver = make_solver(LEARNED, RATE + 'regularization_type: "L1"')
    assert_follows_formula(solver, [0.05, 0.05], decay_of=lambda w: 0.02 * np.sign(w))


def test_gradients_are_clipped_together_before_decay(make_solver):
    assert_follows_formula(make_solver(LEARNED, RATE + "clip_gradients: 0.3"), [0.05, 0.05], clip=0.3)


def test_iter_size_averages_its_passes(make_solver):
    """Equal data in each pass: the mean over three passes is that of one."""
    assert_follows_formula(make_solver(LEARNED, RATE + "iter_size: 3"), [0.05, 0.05])


def test_without_momentum_the_update_is_plain_descent(make_solver):
    assert_follows_formula(make_solver(LEARNED, RATE.replace("0.9", "0")), [0.05, 0.05], momentum=0)


def test_frozen_layer_does_not_decay(make_solver):
    solver = make_solver(FROZEN, RATE)
    fill(solver)
    before = weights(solver)
    solver.step(3)
    after = weights(solver)
    np.testing.assert_array_equal(after["a", 0], before["a", 0])
    np.testing.assert_array_equal(after["a", 1], before["a", 1])
    assert not np.array_equal(after["b", 0], before["b", 0])
    assert not solver.net.params["a"][0].diff.any()


def test_momentum_of_a_deeper_scheme_moves_frozen_layers_and_is_warned_of(make_solver, caplog):
    deep = make_solver(LEARNED, RATE)
    fill(deep)
    deep.step(2)
    deep.snapshot()
    velocity = deep.net.params["a"][0].diff.copy()
    shallow = make_solver(FROZEN, RATE)
    shallow.restore(f"{shallow.param.snapshot_prefix}_iter_2.solverstate")
    assert "layer 'a', weight array 0 is not zero, but lr_mult is 0" in caplog.text
    assert "layer 'b'" not in caplog.text
    fill(shallow)
    before = weights(shallow)["a", 0]
    shallow.step(1)
    np.testing.assert_allclose(weights(shallow)["a", 0], before - 0.9 * velocity, rtol=1e-5)


def test_weights_looked_at_are_updated_in_place(make_solver):
    solver = make_solver(LEARNED, RATE)
    fill(solver)
    held, diff = solver.net.params["b"][0].data, solver.net.params["b"][0].diff
    before = held.copy()
    solver.step(1)
    assert not np.array_equal(held, before)
    np.testing.assert_allclose(before - held, diff, atol=1e-7)


@pytest.mark.parametrize("first_look", ["before the update", "after it"])
def test_writing_into_a_diff_leaves_the_history_alone(first_look, make_solver):
    written, untouched = make_solver(LEARNED, RATE), make_solver(LEARNED, RATE)
    for solver in (written, untouched):
        fill(solver)
        if first_look == "before the update":
            solver.net.params["b"][0].diff.sum()
        solver.step(1)
    written.net.params["b"][0].diff[...] = 100
    for solver in (written, untouched):
        solver.step(1)
    np.testing.assert_array_equal(weights(written)["b", 0], weights(untouched)["b", 0])


POLICIES = [
    ('lr_policy: "fixed"', lambda i: 1),
    ('lr_policy: "step" gamma: 0.9 stepsize: 3', lambda i: 0.9 ** (i // 3)),
    ('lr_policy: "exp" gamma: 0.9', lambda i: 0.9**i),
    ('lr_policy: "inv" gamma: 0.2 power: 0.75', lambda i: (1 + 0.2 * i) ** -0.75),
    ('lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 7', lambda i: 0.5 ** ((i >= 2) + (i >= 7))),
    ('lr_policy: "poly" power: 2 max_iter: 10', lambda i: (1 - i / 10) ** 2),
    ('lr_policy: "sigmoid" gamma: 0.7 stepsize: 5', lambda i: 1 / (1 + math.exp(-0.7 * (i - 5)))),
]


@pytest.mark.parametrize(("policy", "factor"), POLICIES, ids=[policy.split('"')[1] for policy, _ in POLICIES])
def test_rate_follows_its_policy(policy, factor):
    from recaffe.proto import text

    param, step = text.parse(f"base_lr: 0.02 {policy}", caffe_pb2.SolverParameter), 0
    for iteration in range(10):
        step = next_step(param, iteration, step)
        assert learning_rate(param, iteration, step) == pytest.approx(0.02 * factor(iteration), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ('lr_policy: "stpe" gamma: 0.1', "'stpe', which is unknown; the nearest is 'step'"),
        ('lr_policy: "step" gamma: 0.1', "'step' needs stepsize"),
        ('lr_policy: "exp"', "'exp' needs gamma"),
        ('lr_policy: "poly"', "'poly' needs max_iter"),
        ('lr_policy: "fixed" regularization_type: "L3"', "'L3', expected 'L1' or 'L2'"),
        ('lr_policy: "fixed" type: "Sgd"', "unknown solver type 'Sgd'; the nearest is 'SGD'"),
        ('lr_policy: "fixed" train_net: "net.prototxt"', "exactly one of net"),
        ('lr_policy: "fixed" test_iter: 1', "test_interval must be at least 1"),
        ('lr_policy: "fixed" test_iter: 1 test_interval: 1 test_net: "a" test_net: "b"', "test_iter is given 1 times"),
        ('lr_policy: "fixed" average_loss: 0', "average_loss and iter_size"),
    ],
)
def test_impossible_solver_is_refused(options, problem, make_solver):
    with pytest.raises(recaffe.SolverError, match=problem):
        make_solver(LEARNED, "base_lr: 0.1 " + options)


def test_solver_of_a_missing_net_says_where_it_looked(make_solver, tmp_path):
    (tmp_path / "s.prototxt").write_text('net: "gone.prototxt" base_lr: 1 lr_policy: "fixed"')
    with pytest.raises(RuntimeError, match=r"could not open net file gone\.prototxt"):
        recaffe.get_solver(str(tmp_path / "s.prototxt"))
    with pytest.raises(RuntimeError, match="could not open file"):
        recaffe.SGDSolver(str(tmp_path / "t.prototxt"))


def test_loss_that_is_not_finite_names_the_first_bad_layer(make_solver):
    solver = make_solver(LEARNED, RATE)
    fill(solver)
    solver.step(1)
    before = weights(solver)
    solver.net.params["b"][0].data[0, 0] = np.nan
    with pytest.raises(
        recaffe.NonFiniteLossError, match=r"nan at iteration 1.*weights 0 of layer 'b' \(InnerProduct\)"
    ):
        solver.step(1)
    assert solver.iter == 1
    np.testing.assert_array_equal(weights(solver)["a", 0], before["a", 0])  # no update was made
    solver.net.params["b"][0].data[...] = before["b", 0]
    solver.net.blobs["data"].data[0, 0] = np.inf
    with pytest.raises(recaffe.NonFiniteLossError, match="output 'data' of layer 'data'"):
        solver.step(1)
