"""A session from outside: callbacks, requests to stop, several test nets, weights shared, and losses that stop it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe import SolverAction

NET = """
name: "session"
layer { name: "data" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
layer { name: "small" type: "Power" bottom: "x" top: "small" include { phase: TEST stage: "small" } }
layer { name: "quiet" type: "Silence" bottom: "small" include { phase: TEST stage: "small" } }
"""
PLAIN = 'base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 6 '
TESTED = 'test_iter: 2 test_iter: 1 test_interval: 2 test_state { stage: "small" } test_state { level: 3 } '


@pytest.fixture
def make(make_solver):
    """A solver whose nets have data."""

    def made(options):
        solver = make_solver(NET, options)
        for net in (solver.net, *solver.test_nets):
            net.blobs["x"].data[...] = [[1, 2, 3], [3, 2, 1]]
            net.blobs["t"].data[...] = [0, 1]
        return solver

    return made


class Requests:
    """Answers a solver's questions in turn, with NONE after the last answer."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self):
        self.asked += 1
        return self.answers.pop(0) if self.answers else SolverAction.NONE


NONE, STOP, SNAPSHOT = SolverAction.NONE, SolverAction.STOP, SolverAction.SNAPSHOT


def snapshots(folder):
    return sorted(path.name for path in folder.glob("snap*.solverstate"))


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


def test_callbacks_run_before_the_passes_and_before_the_update(make):
    solver, seen = make(PLAIN + "iter_size: 2"), []
    weight = solver.net.params["ip"][0]
    solver.add_callback(
        lambda: seen.append(("start", solver.iter, bool(weight.diff.any()))),
        lambda: seen.append(("gradients", solver.iter, bool(weight.diff.any()))),
    )
    solver.step(2)
    assert seen == [("start", 0, False), ("gradients", 0, True), ("start", 1, False), ("gradients", 1, True)]


def test_callback_may_change_the_gradient(make):
    solver = make(PLAIN)
    before = solver.net.params["ip"][0].data.copy()

    def stand_still():
        for blob in solver.net.params["ip"]:
            blob.diff[...] = 0

    solver.add_callback(lambda: None, stand_still)
    solver.step(3)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, before)


def test_an_nccl_is_taken_as_a_callback(make):
    solver = make(PLAIN)
    solver.add_callback(recaffe.NCCL(solver, recaffe.NCCL.new_uid()))
    solver.step(1)
    assert solver.iter == 1


def test_update_by_hand_is_that_of_a_step(make):
    stepped, by_hand = make(PLAIN), make(PLAIN)
    stepped.step(2)
    for _ in range(2):
        by_hand.net.clear_param_diffs()
        by_hand.net.forward()
        by_hand.net.backward()
        by_hand.apply_update()
    assert by_hand.iter == 2
    np.testing.assert_array_equal(by_hand.net.params["ip"][0].data, stepped.net.params["ip"][0].data)


def test_rate_changed_in_param_holds_from_the_next_iteration(make):
    solver = make(PLAIN)
    solver.step(1)
    solver.param.base_lr = 0
    solver.param.momentum = 0
    before = solver.net.params["ip"][0].data.copy()
    solver.step(1)
    assert solver.lr == 0
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, before)


def test_stop_ends_solve_with_a_snapshot(make, tmp_path, caplog):
    solver, requests = make(PLAIN), Requests(NONE, STOP)
    solver.set_action_function(requests)
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.solve()
    assert (solver.iter, requests.asked) == (2, 2)
    assert snapshots(tmp_path) == ["snap_iter_2.solverstate"]
    assert messages(caplog)[-1] == "Optimization stopped early."
    solver.set_action_function(None)
    solver.step(1)
    assert solver.iter == 3


def test_stop_without_snapshot_after_train_writes_nothing(make, tmp_path):
    solver = make(PLAIN + "snapshot_after_train: false")
    solver.set_action_function(Requests(STOP))
    solver.solve()
    assert solver.iter == 1 and snapshots(tmp_path) == []


def test_requested_snapshot_is_made_and_training_goes_on(make, tmp_path):
    solver = make(PLAIN)
    solver.set_action_function(Requests(NONE, SNAPSHOT))
    solver.solve()
    assert solver.iter == 6 and snapshots(tmp_path) == ["snap_iter_2.solverstate", "snap_iter_6.solverstate"]


def test_requests_are_heard_before_each_test_batch_too(make, tmp_path, caplog):
    """Asked: before batch 1 of the test at 0 (a snapshot, then nothing more), before batch 2 (stop)."""
    solver, requests = make(PLAIN + TESTED), Requests(SNAPSHOT, NONE, STOP)
    solver.set_action_function(requests)
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.step(3)
    assert solver.iter == 0 and snapshots(tmp_path) == ["snap_iter_0.solverstate"]
    found = messages(caplog)
    assert found[-1] == "Test interrupted." and not any("Testing net (#1)" in line for line in found)


def test_solve_snapshots_once_at_its_end(make, tmp_path):
    make(PLAIN + "snapshot: 3").solve()
    assert snapshots(tmp_path) == ["snap_iter_3.solverstate", "snap_iter_6.solverstate"]


def test_solve_takes_up_a_state_and_ends_at_max_iter(make, tmp_path):
    whole = make(PLAIN + "snapshot: 4")
    whole.solve()
    resumed = make(PLAIN)
    resumed.solve(str(tmp_path / "snap_iter_4.solverstate"))
    assert resumed.iter == 6
    np.testing.assert_array_equal(resumed.net.params["ip"][0].data, whole.net.params["ip"][0].data)


def test_each_test_net_has_its_state_and_its_batches(make, caplog):
    solver = make(PLAIN + TESTED)
    first, second = solver.test_nets
    assert "small" in first.layer_dict and "small" not in second.layer_dict
    batches = {0: 0, 1: 0}
    for index, net in enumerate(solver.test_nets):
        net.before_forward(lambda layer, index=index: batches.update({index: batches[index] + (layer == 0)}))
    solver.step(3)  # tests at 0 and 2
    assert batches == {0: 4, 1: 2}


@pytest.mark.parametrize(("options", "tested"), [("", [0, 2]), ("test_initialization: false", [2])])
def test_testing_begins_as_the_solver_says(options, tested, make, caplog):
    solver = make(PLAIN + TESTED + options)
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.step(3)
    assert [line for line in messages(caplog) if "Testing net (#0)" in line] == [
        f"Iteration {number}, Testing net (#0)" for number in tested
    ]


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ("test_state { } test_state { } test_state { }", "test_state is given 3 times for 2 test nets"),
        ("layer_wise_reduce: false", None),
    ],
)
def test_states_are_given_for_each_test_net_or_not_at_all(stated, problem, make):
    options = PLAIN + "test_iter: 2 test_iter: 1 test_interval: 2 " + stated
    if problem is None:
        assert len(make(options).test_nets) == 2
    else:
        with pytest.raises(recaffe.SolverError, match=problem):
            make(options)


def test_net_shares_the_weights_of_the_train_net(make, make_net):
    solver = make(PLAIN)
    net = make_net(NET, recaffe.TEST)
    solver.share_weights(net)
    solver.step(1)
    np.testing.assert_array_equal(net.params["ip"][0].data, solver.net.params["ip"][0].data)


def test_nets_may_stand_in_the_solver_file(make, tmp_path):
    make(PLAIN)
    body = Path("net.prototxt").read_text()
    Path("inline.prototxt").write_text(
        f"train_net_param {{ {body} }} test_net_param {{ {body} }} test_net: 'net.prototxt' {PLAIN}"
        "test_iter: 1 test_iter: 1 test_interval: 1"
    )
    solver = recaffe.get_solver("inline.prototxt")
    assert solver.net.name == "session" and [net.name for net in solver.test_nets] == ["session"] * 2


# ---- losses that say that training has failed ----


def clamp(solver):
    """Make the wrong class sure."""
    solver.net.params["ip"][0].data[...] = 0
    solver.net.params["ip"][1].data[...] = [-1000, 1000]
    solver.net.blobs["t"].data[...] = 0


def test_clamped_loss_is_warned_of_once_and_training_goes_on_as_in_caffe(make, caplog):
    solver = make(PLAIN.replace("0.1", "1e-5"))
    clamp(solver)
    solver.step(3)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert solver.iter == 3 and solver.net.blobs["loss"].data == pytest.approx(87.3365)
    assert len(warned) == 1
    for part in ("layer 'loss' is clamped", "from -1000 to 1000", "labels from 0 to 0", "layer 'data' brings in 2"):
        assert part in warned[0]
    assert "The rate is 1e-05" in warned[0] and "solver.stop_at_clamped_loss = True" in warned[0]


def test_clamped_loss_stops_on_demand_before_the_update(make):
    solver = make(PLAIN)
    solver.step(1)
    clamp(solver)
    solver.stop_at_clamped_loss = True
    with pytest.raises(recaffe.ClampedLossError, match=r"at iteration 1 .* 'loss' is clamped at 87\.3365"):
        solver.step(1)
    assert solver.iter == 1 and not solver.net.params["ip"][0].data.any()


def test_large_sum_of_small_losses_is_no_clamped_loss(make_solver):
    text = NET.replace("dim: 2 dim: 3 } shape { dim: 2 }", "dim: 200 dim: 3 } shape { dim: 200 }")
    solver = make_solver(text.replace('top: "loss"', 'top: "loss" loss_param { normalization: NONE }'), PLAIN)
    solver.stop_at_clamped_loss = True
    solver.step(1)
    assert solver.net.blobs["loss"].data > 87.3365


def test_one_hopeless_record_is_no_clamped_loss(make, caplog):
    solver = make(PLAIN)
    solver.stop_at_clamped_loss = True
    clamp(solver)
    solver.net.blobs["t"].data[...] = [0, 1]
    solver.step(1)
    assert solver.iter == 1 and caplog.records == []
