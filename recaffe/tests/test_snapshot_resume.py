"""Exact resume: half a session, a snapshot and the other half are the whole session to the last bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe.proto import caffe_pb2, files
from recaffe.random_stream import global_stream

ENDS = {"BINARYPROTO": "", "HDF5": ".h5"}
HALF = 5
# With a test net, which reads the same database at its own pace and draws random numbers too.
TESTED = 'test_iter: 2 test_interval: 3 test_initialization: false test_state { stage: "noisy" }'
NOISE = """
layer { name: "noise" type: "DummyData" top: "noise" include { stage: "noisy" }
  dummy_data_param { shape { dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "silence" type: "Silence" bottom: "noise" include { stage: "noisy" } }
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory, training_case):
    folder = tmp_path_factory.mktemp("study")
    training_case.write(folder)
    return folder


@pytest.fixture(autouse=True)
def _in_study(study, monkeypatch):
    monkeypatch.chdir(study)


def session(name, form="BINARYPROTO"):
    """A new solver of the training case, with test nets; its snapshots are called after name and form."""
    Path(f"net_noisy_{name}.prototxt").write_text(Path(f"net_{name}.prototxt").read_text() + NOISE)
    text = Path(f"solver_{name}.prototxt").read_text().replace("net_", "net_noisy_")
    text = text.replace(f'snapshot_prefix: "{name}"', f'snapshot_prefix: "{name}_{form}"')
    Path("session.prototxt").write_text(f"{text} snapshot_format: {form} {TESTED}\n")
    return recaffe.get_solver("session.prototxt")


def run(solver, count):
    """The loss of each iteration, the test net's last one, the weights after them, and the next random words."""
    arrays = []
    for _ in range(count):
        solver.step(1)
        arrays.append(solver.net.blobs["loss"].data.copy())
    arrays += [net.blobs["loss"].data.copy() for net in solver.test_nets]
    arrays += [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]
    return [*arrays, global_stream.words(3)]


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("form", ENDS)
@pytest.mark.parametrize("name", ["multistep", "nesterov", "adagrad", "rmsprop", "adadelta", "adam"])
def test_restored_session_is_the_whole_one_to_the_last_bit(name, form):
    """With crop, mirror, dropout, a test net, and batches (7) that do not divide the records (30)."""
    solver = session(name, form)
    solver.step(HALF)
    solver.snapshot()
    expected = run(solver, HALF)
    recaffe.set_random_seed(99)
    again = session(name, form)
    again.step(1)  # wherever it stands
    again.restore(f"{name}_{form}_iter_{HALF}.solverstate{ENDS[form]}")
    assert_equal(run(again, HALF), expected)


RESUME = """
import sys
import numpy
import recaffe
solver = recaffe.get_solver("session.prototxt")
solver.restore(sys.argv[1])
solver.step(int(sys.argv[2]))
numpy.savez("resumed.npz", *[blob.data for blobs in solver.net.params.values() for blob in blobs])
"""


def test_resuming_in_a_new_process_is_exact():
    solver = session("step")
    solver.step(HALF)
    solver.snapshot()
    solver.step(HALF)
    command = [sys.executable, "-c", RESUME, f"step_BINARYPROTO_iter_{HALF}.solverstate", str(HALF)]
    subprocess.run(command, check=True)
    with np.load("resumed.npz") as resumed:
        expected = [blob.data for blobs in solver.net.params.values() for blob in blobs]
        assert_equal([resumed[f"arr_{index}"] for index in range(len(expected))], expected)


def standing(solver):
    """Where the data and the random stream stand."""
    states = [layer.state() for net in (solver.net, *solver.test_nets) for layer in net.engine_layers]
    return [np.asarray(value) for state in (*states, global_stream.state()) for value in state.values()]


def test_without_exact_the_data_and_the_random_numbers_stay_where_they_are():
    solver = session("step")
    solver.step(HALF)
    solver.snapshot()
    stood = standing(solver)
    again = session("step")
    again.step(1)
    stands = standing(again)
    path = f"step_BINARYPROTO_iter_{HALF}.solverstate"
    again.restore(path, exact=False)
    assert again.iter == HALF
    assert_equal(standing(again), stands)
    again.restore(path)
    assert_equal(standing(again), stood)


def test_snapshot_of_real_caffe_leaves_the_data_at_their_start():
    """As a state without what only ours have."""
    solver = session("step")
    solver.step(2)
    solver.snapshot()
    path = Path("step_BINARYPROTO_iter_2.solverstate")
    state = files.read_binary(path, caffe_pb2.SolverState)
    state.ClearField("resume")
    files.write_binary(path, state)
    again = session("step")
    fresh = standing(again)
    again.restore(path)
    assert again.iter == 2
    assert_equal(standing(again), fresh)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda array: setattr(array, "data", array.data[:-1]), "the state of 'data' is damaged: .* bytes"),
        (lambda array: setattr(array, "dtype", "O"), "the state of 'data' is damaged: .* of type 'O'"),
        (lambda array: setattr(array, "dtype", "nonsense"), "of type 'nonsense'"),
        (lambda array: array.dim.append(-1), "is damaged"),
        (lambda array: array.dim.append(2**60), "is damaged"),
        (lambda array: setattr(array, "name", "other"), "'data' cannot go on where it stood.*exact=False"),
    ],
)
def test_damaged_state_is_refused(change, problem):
    solver = session("step")
    solver.snapshot()
    path = Path("step_BINARYPROTO_iter_0.solverstate")
    state = files.read_binary(path, caffe_pb2.SolverState)
    for array in state.resume.array:
        if array.layer == "data":
            change(array)
    files.write_binary(path, state)
    solver.step(1)
    stands, weights = standing(solver), [blob.data.copy() for blob in solver.net.params["fc8"]]
    with pytest.raises(recaffe.WeightsError, match=problem):
        solver.restore(path)
    assert solver.iter == 1
    assert_equal([*standing(solver), *(blob.data for blob in solver.net.params["fc8"])], [*stands, *weights])
    solver.restore(path, exact=False)
    assert solver.iter == 0


def test_missing_weights_leave_the_session_where_it_is():
    solver = session("step")
    solver.snapshot()
    Path("step_BINARYPROTO_iter_0.caffemodel").unlink()
    solver.step(1)
    stands = standing(solver)
    with pytest.raises(recaffe.WeightsError, match=r"step_BINARYPROTO_iter_0\.caffemodel: cannot be read"):
        solver.restore("step_BINARYPROTO_iter_0.solverstate")
    assert solver.iter == 1
    assert_equal(standing(solver), stands)


def test_snapshot_is_restored_where_the_test_nets_are_gone():
    solver = session("step")
    solver.step(HALF)
    solver.snapshot()
    text = Path("session.prototxt").read_text()
    Path("session.prototxt").write_text(text.replace(TESTED, ""))
    alone = recaffe.get_solver("session.prototxt")
    alone.restore(f"step_BINARYPROTO_iter_{HALF}.solverstate")
    assert alone.test_nets == [] and alone.iter == HALF
    alone.step(1)
