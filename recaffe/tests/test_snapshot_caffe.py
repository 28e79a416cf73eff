"""Snapshots pass between recaffe and real Caffe: weights and solver states, binary and HDF5."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import recaffe
from recaffe.proto import caffe_pb2, files

pytestmark = pytest.mark.caffe
TOLERANCE = 1e-4  # of each array's largest weight, after three updates
SOLVERS = ("multistep", "nesterov", "adagrad", "rmsprop", "adadelta", "adam")
FORMATS = {"BINARYPROTO": "", "HDF5": ".h5"}
NAMES = {"BINARYPROTO": "binaryproto", "HDF5": "HDF5"}
# For each solver file: four iterations and a snapshot of its own; then from its own and from ours three more.
GO_ON = """
import sys, json
import caffe, numpy
out = {}
for name, snapshot, ours in json.loads(sys.argv[1]):
    solver = caffe.get_solver(name + ".prototxt")
    solver.step(4)
    solver.snapshot()
    for engine, path in (("caffe", snapshot), ("recaffe", ours)):
        solver = caffe.get_solver(name + ".prototxt")
        solver.restore(path)
        out["%s %s iter" % (name, engine)] = solver.iter
        solver.step(3)
        for layer, blobs in solver.net.params.items():
            for index, blob in enumerate(blobs):
                out["%s %s %s %d" % (name, engine, layer, index)] = blob.data.copy()
numpy.savez(sys.argv[2], **out)
"""

# The weights of our two files, and two files of its own.
PASS_ON = """
for end in ("", ".h5"):
    net = caffe.Net("net_step.prototxt", caffe.TEST, weights="ours.caffemodel" + end)
    out = {"%s %d" % (layer, i): blob.data for layer, blobs in net.params.items() for i, blob in enumerate(blobs)}
    numpy.savez("ours.caffemodel" + end + ".npz", **out)
net.save("theirs.caffemodel")
net.save_hdf5("theirs.caffemodel.h5")
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory, training_case):
    """The training case; a solver file and our snapshot after four iterations for each solver and format; weights."""
    folder = tmp_path_factory.mktemp("study")
    training_case.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, kind in itertools.product(SOLVERS, FORMATS):
            text = Path(f"solver_{name}.prototxt").read_text()
            text = text.replace(f'snapshot_prefix: "{name}"', f'snapshot_prefix: "{name}_{kind}"')
            Path(f"{name}_{kind}.prototxt").write_text(f"{text} snapshot_format: {kind}\n")
            solver = recaffe.get_solver(f"{name}_{kind}.prototxt")
            solver.param.snapshot_prefix = f"ours_{name}_{kind}"
            solver.step(4)
            solver.snapshot()
        net = recaffe.Net("net_step.prototxt", recaffe.TEST)
        net.save("ours.caffemodel")
        net.save_hdf5("ours.caffemodel.h5")
    return folder


@pytest.fixture(scope="module")
def real(study, real_caffe):
    """What real Caffe made of these."""
    jobs = [
        (f"{name}_{kind}", f"{name}_{kind}_iter_4.solverstate{end}", f"ours_{name}_{kind}_iter_4.solverstate{end}")
        for name, (kind, end) in itertools.product(SOLVERS, FORMATS.items())
    ]
    real_caffe(GO_ON + PASS_ON, json.dumps(jobs), study / "real.npz", cwd=study)
    return dict(np.load(study / "real.npz"))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", SOLVERS)
def test_sessions_go_on_alike_whoever_wrote_the_snapshot_and_whoever_goes_on(
    name, kind, study, real, oracle, monkeypatch, conform
):
    monkeypatch.chdir(study)
    reader = recaffe.get_solver(f"{name}_{kind}.prototxt")
    reader.restore(f"{name}_{kind}_iter_4.solverstate{FORMATS[kind]}")
    assert reader.iter == real[f"{name}_{kind} caffe iter"] == real[f"{name}_{kind} recaffe iter"] == 4
    reader.step(3)
    found = oracle.weights("", reader.net)
    own, from_ours = ({key: real[f"{name}_{kind} {engine}{key}"] for key in found} for engine in ("caffe", "recaffe"))
    for direction, arrays in (("read", found), ("written", from_ours)):
        error = oracle.relative_error(arrays, own)
        assert error < TOLERANCE, direction
        conform("files", f"solverstate, {NAMES[kind]}", direction, error)


@pytest.mark.parametrize("name", SOLVERS)
def test_histories_are_real_caffes(name, study, real, oracle):
    """Also those of frozen layers, which decay enters."""
    found, expected = (
        files.read_binary(study / f"{prefix}{name}_BINARYPROTO_iter_4.solverstate", caffe_pb2.SolverState)
        for prefix in ("ours_", "")
    )
    assert (found.iter, found.current_step) == (expected.iter, expected.current_step)
    arrays = [{index: np.array(it.data) for index, it in enumerate(state.history)} for state in (found, expected)]
    assert arrays[0].keys() == arrays[1].keys()
    assert oracle.relative_error(*arrays) < TOLERANCE


@pytest.mark.parametrize("kind", FORMATS)
def test_both_engines_write_the_same_members(kind, study, real):
    """Names, shapes and types in both files; with our resume state, which real Caffe passes over, in ours alone."""
    ours, theirs = (study / f"{prefix}adam_{kind}_iter_4.solverstate{FORMATS[kind]}" for prefix in ("ours_", ""))
    found, expected = members(ours, kind), members(theirs, kind)
    own = {name for name in found if "resume" in name}
    assert own and found.keys() - own == expected.keys()
    assert {name: found[name] for name in expected} == expected
    models = [study / f"{prefix}adam_{kind}_iter_4.caffemodel{FORMATS[kind]}" for prefix in ("ours_", "")]
    assert members(models[0], kind) == members(models[1], kind)


def members(path, kind):
    """What stands in a file, by name: shape and type."""
    found = {}
    if kind == "HDF5":
        with h5py.File(path) as file:
            file.visititems(
                lambda name, it: found.update({name: [getattr(it, fact, 0) for fact in ("shape", "dtype")]})
            )
        found.pop("learned_net", None)  # a text, as long as the name
    elif path.suffix == ".caffemodel":
        for layer in files.read_caffemodel(path).layer:
            found[layer.name] = [list(blob.shape.dim) for blob in layer.blobs]
    else:
        state = files.read_binary(path, caffe_pb2.SolverState)
        found = {field.name: 0 for field, _ in state.ListFields()}
        found["history"] = [list(blob.shape.dim) for blob in state.history]
    return found


def test_weights_pass_between_the_engines_to_the_last_bit(study, real, monkeypatch, conform):
    monkeypatch.chdir(study)
    net = recaffe.Net("net_step.prototxt", recaffe.TEST, weights="ours.caffemodel")
    for kind, end in FORMATS.items():
        back = recaffe.Net("net_step.prototxt", recaffe.TEST, weights=f"theirs.caffemodel{end}")
        with np.load(f"ours.caffemodel{end}.npz") as read:
            for layer, blobs in net.params.items():
                for index, blob in enumerate(blobs):
                    np.testing.assert_array_equal(blob.data, read[f"{layer} {index}"])
                    np.testing.assert_array_equal(blob.data, back.params[layer][index].data)
        for direction in ("read", "written"):
            conform("files", f"caffemodel, {NAMES[kind]}", direction, 0)
