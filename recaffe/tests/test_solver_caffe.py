"""Training against real Caffe: crop, mirror, dropout, LRN, groups, rates, policies, and both engines' snapshots."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe

LOSS_TOLERANCE = 1e-4  # relative
WEIGHT_TOLERANCE = 1e-4  # of each array's largest weight, after ten updates


@pytest.fixture(scope="module")
def study(tmp_path_factory, training_case):
    folder = tmp_path_factory.mktemp("study")
    training_case.write(folder)
    return folder


@pytest.fixture
def ours(study, training_case, oracle, monkeypatch):
    """The training case's arrays from recaffe."""
    monkeypatch.chdir(study)
    return oracle.all_training_arrays(recaffe, training_case.ITERATIONS)


def assert_same_training(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        if "/first " in key:
            np.testing.assert_array_equal(found[key], array, err_msg=key)
        elif key.endswith("/losses"):
            np.testing.assert_allclose(found[key], array, rtol=LOSS_TOLERANCE, err_msg=key)
        else:
            np.testing.assert_allclose(
                found[key], array, rtol=0, atol=WEIGHT_TOLERANCE * np.abs(array).max(), err_msg=key
            )


def test_ten_updates_are_those_recorded_from_real_caffe(ours, recorded):
    assert_same_training(ours, recorded["training"])


@pytest.mark.caffe
def test_ten_updates_are_those_of_real_caffe(ours, study, training_case, real_arrays):
    assert_same_training(ours, real_arrays("train", training_case.ITERATIONS, cwd=study))


def test_frozen_layers_stay_bit_for_bit(ours):
    for layer in ("conv1", "conv2"):
        for index in (0, 1):
            np.testing.assert_array_equal(ours[f"frozen/first {layer} {index}"], ours[f"frozen/last {layer} {index}"])
    assert not np.array_equal(ours["frozen/first fc6 0"], ours["frozen/last fc6 0"])


GO_ON = """
import sys
import caffe, numpy
out = {}
solver = caffe.get_solver("solver_multistep.prototxt")
solver.step(4)
solver.snapshot()
for engine, path in (("caffe", "multistep_iter_4.solverstate"), ("recaffe", sys.argv[1])):
    solver = caffe.get_solver("solver_multistep.prototxt")
    solver.restore(path)
    out[engine + " iter"] = solver.iter
    solver.step(3)
    for layer, blobs in solver.net.params.items():
        for index, blob in enumerate(blobs):
            out["%s %s %d" % (engine, layer, index)] = blob.data.copy()
numpy.savez(sys.argv[2], **out)
"""


@pytest.mark.caffe
def test_snapshots_pass_between_the_engines(study, real_caffe, oracle, tmp_path, monkeypatch):
    """Four iterations, a snapshot, and three more from it: the same whoever wrote it and whoever goes on."""
    monkeypatch.chdir(study)
    writer = recaffe.get_solver("solver_multistep.prototxt")
    writer.param.snapshot_prefix = str(tmp_path / "ours")
    writer.step(4)
    writer.snapshot()
    real_caffe(GO_ON, tmp_path / "ours_iter_4.solverstate", tmp_path / "real.npz", cwd=study)
    theirs = dict(np.load(tmp_path / "real.npz"))
    assert theirs.pop("caffe iter") == theirs.pop("recaffe iter") == 4
    reader = recaffe.get_solver("solver_multistep.prototxt")
    reader.restore("multistep_iter_4.solverstate")
    assert reader.iter == 4
    reader.step(3)
    for key, array in oracle.weights("", reader.net).items():
        for engine in ("caffe", "recaffe"):
            expected = theirs.pop(engine + key)
            np.testing.assert_allclose(array, expected, rtol=0, atol=WEIGHT_TOLERANCE * np.abs(expected).max())
    assert not theirs


READ_WEIGHTS = """
import sys
import caffe, numpy
net = caffe.Net("net_step.prototxt", caffe.TEST, weights=sys.argv[1])
out = {"%s %d" % (layer, i): blob.data for layer, blobs in net.params.items() for i, blob in enumerate(blobs)}
numpy.savez(sys.argv[2], **out)
"""


@pytest.mark.caffe
def test_real_caffe_reads_what_net_save_writes(study, real_caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(study)
    net = recaffe.Net("net_step.prototxt", recaffe.TEST)
    net.save(tmp_path / "saved.caffemodel")
    real_caffe(READ_WEIGHTS, tmp_path / "saved.caffemodel", tmp_path / "real.npz", cwd=study)
    read = dict(np.load(tmp_path / "real.npz"))
    for layer, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            np.testing.assert_array_equal(blob.data, read[f"{layer} {index}"])
