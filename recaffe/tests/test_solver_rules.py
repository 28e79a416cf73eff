"""The six update rules on a least squares problem, step by step against their definitions in float64 numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import recaffe

ROWS, INPUTS, OUTPUTS = 5, 3, 2
RATE, MOMENTUM, DELTA, RMS_DECAY, MOMENTUM2 = 0.1, 0.9, 1e-3, 0.8, 0.99
# A second pair of input and target meets the same weights where SHARED is put in, other weights where it is not.
NET = f"""
layer {{ name: "in" type: "Input" top: "x" top: "t" top: "x2" top: "t2" input_param {{
  shape {{ dim: {ROWS} dim: {INPUTS} }} shape {{ dim: {ROWS} dim: {OUTPUTS} }}
  shape {{ dim: {ROWS} dim: {INPUTS} }} shape {{ dim: {ROWS} dim: {OUTPUTS} }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  param {{ NAME_W }} param {{ NAME_B lr_mult: 2 decay_mult: 0 }}
  inner_product_param {{ num_output: {OUTPUTS} weight_filler {{ type: "gaussian" }} bias_filler {{ value: 0.5 }} }} }}
layer {{ name: "ip2" type: "InnerProduct" bottom: "x2" top: "y2" param {{ NAME_W }} param {{ NAME_B }}
  inner_product_param {{ num_output: {OUTPUTS} weight_filler {{ type: "gaussian" }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }}
layer {{ name: "loss2" type: "EuclideanLoss" bottom: "y2" bottom: "t2" top: "loss2" }}
"""
SEPARATE = NET.replace("NAME_W", "").replace("NAME_B", "")
FROZEN = NET.replace("NAME_W", "lr_mult: 0", 1).replace("NAME_W", "").replace("NAME_B", "")
SHARED = NET.replace("NAME_W", 'name: "w"').replace("NAME_B", 'name: "b"')
TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
MULTIPLIERS = {"w": (1, 1), "b": (2, 0), "w2": (1, 1), "b2": (1, 1)}  # lr_mult, decay_mult


def options(solver_type):
    momentum = 0 if solver_type in ("AdaGrad", "RMSProp") else MOMENTUM
    return (
        f'type: "{solver_type}" base_lr: {RATE} lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: {momentum} '
        f"delta: {DELTA} rms_decay: {RMS_DECAY} momentum2: {MOMENTUM2} "
    )


def rate_at(iteration):
    return RATE * 0.5 ** (iteration // 2)


class Rule:
    """One weight array's update. Each rule(gradient, rate, t) gives what is subtracted; t counts from 1."""

    def __init__(self, shape):
        self.first, self.second = np.zeros(shape), np.zeros(shape)

    def sgd(self, g, rate, t):
        self.first = MOMENTUM * self.first + rate * g
        return self.first

    def nesterov(self, g, rate, t):
        before = self.first
        self.first = MOMENTUM * before + rate * g
        return (1 + MOMENTUM) * self.first - MOMENTUM * before

    def adagrad(self, g, rate, t):
        self.first = self.first + g**2
        return rate * g / (np.sqrt(self.first) + DELTA)

    def rmsprop(self, g, rate, t):
        self.first = RMS_DECAY * self.first + (1 - RMS_DECAY) * g**2
        return rate * g / (np.sqrt(self.first) + DELTA)

    def adadelta(self, g, rate, t):
        self.first = MOMENTUM * self.first + (1 - MOMENTUM) * g**2
        change = g * np.sqrt((self.second + DELTA) / (self.first + DELTA))
        self.second = MOMENTUM * self.second + (1 - MOMENTUM) * change**2
        return rate * change

    def adam(self, g, rate, t):
        self.first = MOMENTUM * self.first + (1 - MOMENTUM) * g
        self.second = MOMENTUM2 * self.second + (1 - MOMENTUM2) * g**2
        unbiased = self.first / (1 - MOMENTUM**t), self.second / (1 - MOMENTUM2**t)
        # Caffe's delta is added to the biased root
        return rate * unbiased[0] / (np.sqrt(unbiased[1]) + DELTA / math.sqrt(1 - MOMENTUM2**t))


def fill(solver):
    numbers = np.random.RandomState(3)
    for name in solver.net.inputs:
        solver.net.blobs[name].data[...] = numbers.randn(*solver.net.blobs[name].shape)


def weights(solver):
    names = zip(("w", "b", "w2", "b2"), [*solver.net.params["ip"], *solver.net.params["ip2"]], strict=True)
    return {name: blob.data.astype(np.float64) for name, blob in names}


def gradients(solver, now, shared):
    """Of |x w' + b - t|^2 / (2 rows), by hand."""
    found = {}
    for end in ("", "2"):
        x, target = (solver.net.blobs[name + end].data.astype(np.float64) for name in ("x", "t"))
        residual = x @ now["w" + end].T + now["b" + end] - target
        found["w" + end], found["b" + end] = residual.T @ x / ROWS, residual.sum(axis=0) / ROWS
    if shared:
        return {"w": found["w"] + found["w2"], "b": found["b"] + found["b2"]}
    return found


def assert_follows_rule(solver, kind, rules, first=0, steps=5, shared=False, decay=None, clip=math.inf, passes=1):
    """`steps` steps from iteration `first` on change the weights as the rule says."""
    for iteration in range(first, first + steps):
        before = weights(solver)
        gradient = gradients(solver, before, shared)
        norm = passes * math.sqrt(sum((each**2).sum() for each in gradient.values()))  # of the sum over the passes
        solver.step(1)
        after = weights(solver)
        for name, g in gradient.items():
            lr_mult, decay_mult = MULTIPLIERS[name]
            g = g * min(1.0, clip / norm) + (decay_mult * decay(before[name]) if decay else 0)
            rule = rules.setdefault(name, Rule(g.shape))
            change = getattr(rule, kind.lower())(g, rate_at(iteration) * lr_mult, iteration + 1)
            np.testing.assert_allclose(before[name] - after[name], change, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("kind", TYPES)
def test_update_is_the_rules(kind, make_solver):
    solver = make_solver(SEPARATE, options(kind))
    fill(solver)
    assert type(solver).__name__ == f"{kind}Solver" and isinstance(solver, recaffe.SGDSolver)
    assert_follows_rule(solver, kind, {})


@pytest.mark.parametrize("kind", TYPES)
def test_decay_joins_the_gradient_before_the_rule(kind, make_solver):
    solver = make_solver(SEPARATE, options(kind) + "weight_decay: 0.3")
    fill(solver)
    assert_follows_rule(solver, kind, {}, decay=lambda w: 0.3 * w)


@pytest.mark.parametrize("kind", TYPES)
def test_l1_decay_is_the_sign(kind, make_solver):
    solver = make_solver(SEPARATE, options(kind) + 'weight_decay: 0.3 regularization_type: "L1"')
    fill(solver)
    assert_follows_rule(solver, kind, {}, decay=lambda w: 0.3 * np.sign(w))


@pytest.mark.parametrize("kind", TYPES)
def test_passes_are_clipped_as_their_sum_and_then_averaged(kind, make_solver):
    solver = make_solver(SEPARATE, options(kind) + "iter_size: 3 clip_gradients: 2 weight_decay: 0.1")
    fill(solver)
    assert_follows_rule(solver, kind, {}, decay=lambda w: 0.1 * w, clip=2, passes=3)


@pytest.mark.parametrize("kind", TYPES)
def test_shared_weights_get_the_gradients_of_all_their_layers_and_one_update(kind, make_solver):
    solver = make_solver(SHARED, options(kind) + "weight_decay: 0.1")
    fill(solver)
    assert len(solver.net.learnable) == 2
    assert_follows_rule(solver, kind, {}, shared=True, decay=lambda w: 0.1 * w)
    now = weights(solver)
    np.testing.assert_array_equal(now["w"], now["w2"])


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("kind", TYPES)
def test_rule_goes_on_over_snapshot_and_restore(kind, form, make_solver):
    end = ".h5" if form == "HDF5" else ""
    text = options(kind) + f"weight_decay: 0.1 snapshot_format: {form}"
    solver, rules = make_solver(SHARED, text), {}
    fill(solver)
    assert_follows_rule(solver, kind, rules, steps=3, shared=True, decay=lambda w: 0.1 * w)
    solver.snapshot()
    again = make_solver(SHARED, text)
    again.restore(f"{solver.param.snapshot_prefix}_iter_3.solverstate{end}")
    fill(again)
    assert again.iter == 3
    assert_follows_rule(again, kind, rules, first=3, steps=3, shared=True, decay=lambda w: 0.1 * w)


@pytest.mark.parametrize("kind", TYPES)
def test_frozen_weights_stand_still_while_decay_enters_their_history(kind, make_solver):
    """As in real Caffe, where the decay of lr_mult 0 still joins the running sizes of the adaptive rules."""
    solver = make_solver(FROZEN, options(kind) + "weight_decay: 0.1")
    fill(solver)
    before = weights(solver)
    solver.step(2)
    after = weights(solver)
    np.testing.assert_array_equal(after["w"], before["w"])
    assert not np.array_equal(after["b"], before["b"])
    first = solver._history[0].data
    g = 0.1 * before["w"]
    expected = {"AdaGrad": 2 * g**2, "RMSProp": 0.2 * (1 + RMS_DECAY) * g**2, "AdaDelta": 0.1 * (1 + MOMENTUM) * g**2}
    expected["Adam"] = 0.1 * (1 + MOMENTUM) * g
    np.testing.assert_allclose(first, expected.get(kind, 0 * g), rtol=1e-5)


@pytest.mark.parametrize("kind", TYPES)
def test_diff_after_an_update_is_what_was_subtracted(kind, make_solver):
    solver = make_solver(SEPARATE, options(kind))
    fill(solver)
    solver.step(1)
    before = weights(solver)
    solver.step(1)
    after = weights(solver)
    for name, blob in zip(("w", "b", "w2", "b2"), [*solver.net.params["ip"], *solver.net.params["ip2"]], strict=True):
        np.testing.assert_allclose(before[name] - after[name], blob.diff, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ('type: "AdaGrad" momentum: 0.9', "AdaGrad takes no momentum; remove momentum: 0.9"),
        ('type: "RMSProp" momentum: 0.9', "RMSProp takes no momentum"),
        ('type: "RMSProp" rms_decay: 1', "rms_decay is 1, expected 0 or more and less than 1"),
        ('type: "Adam" momentum: 1', "momentum is 1, expected 0 or more and less than 1"),
        ('type: "Adam" momentum2: -0.5', "momentum2 is -0.5"),
        ('type: "Adagrad"', "unknown solver type 'Adagrad'; the nearest is 'AdaGrad'"),
    ],
)
def test_impossible_rule_is_refused(stated, problem, make_solver):
    with pytest.raises(recaffe.SolverError, match=problem):
        make_solver(SEPARATE, f'base_lr: 0.1 lr_policy: "fixed" {stated}')


@pytest.mark.parametrize(
    ("old", "kind"),
    [("SGD", "SGD"), ("NESTEROV", "Nesterov"), ("ADAGRAD", "AdaGrad"), ("RMSPROP", "RMSProp"), ("ADADELTA", "AdaDelta"),
     ("ADAM", "Adam")],
)  # fmt: skip
def test_old_enum_names_the_solver(old, kind, make_solver):
    assert make_solver(SEPARATE, f'base_lr: 0.1 lr_policy: "fixed" solver_type: {old}').type == kind


def test_class_decides_and_not_the_type_in_the_file(make_solver):
    """As in pycaffe, whose classes take any solver file."""
    make_solver(SEPARATE, options("SGD"))
    assert recaffe.NesterovSolver("solver.prototxt").type == "Nesterov"


def test_solver_is_made_from_a_message(make_solver):
    param = make_solver(SEPARATE, options("Adam")).param
    solver = recaffe.get_solver(param)
    param.base_lr = 7
    assert isinstance(solver, recaffe.AdamSolver) and solver.lr == pytest.approx(RATE)
