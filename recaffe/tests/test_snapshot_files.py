"""Weight and state files: copied by name, refused with reasons, written whole or not at all."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import recaffe
from recaffe.proto import caffe_pb2, files

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 1 dim: 4 dim: 4 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
OPTIONS = 'base_lr: 0.1 momentum: 0.9 lr_policy: "multistep" gamma: 0.5 stepvalue: 1'


@pytest.fixture
def net(make_net):
    return make_net(NET)


@pytest.fixture
def saved(net, tmp_path):
    net.save(tmp_path / "w.caffemodel")
    return tmp_path / "w.caffemodel"


def weights(net):
    return {(name, i): b.data.copy() for name, blobs in net.params.items() for i, b in enumerate(blobs)}


def assert_equal_weights(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)


def old_file(net, path, version):
    """The net's weights as a V1 file or with four-size blobs, as BVLC's models of 2014 have them."""
    message = caffe_pb2.NetParameter()
    kinds = {"conv": caffe_pb2.V1LayerParameter.CONVOLUTION, "fc": caffe_pb2.V1LayerParameter.INNER_PRODUCT}
    for name, kind in kinds.items():
        layer = message.layers.add(name=name, type=kind) if version == 1 else message.layer.add(name=name, type="x")
        for blob in net.params[name]:
            proto = layer.blobs.add()
            sizes = (1,) * (4 - len(blob.shape)) + blob.shape
            proto.num, proto.channels, proto.height, proto.width = sizes
            proto.data.extend(blob.data.ravel().tolist())
    files.write_binary(path, message)


def test_saved_weights_come_back_to_the_last_bit(net, saved, make_net):
    expected = weights(net)
    for blobs in net.params.values():
        blobs[0].data[...] = 0
    net.copy_from(saved)
    assert_equal_weights(weights(net), expected)
    message = files.read_caffemodel(saved)
    assert [layer.name for layer in message.layer] == ["data", "conv", "fc", "loss"]
    assert list(message.layer[1].blobs[0].shape.dim) == [2, 1, 3, 3]


@pytest.mark.parametrize("version", [1, 2])
def test_old_files_with_four_size_blobs_are_read(version, net, tmp_path):
    expected = weights(net)
    old_file(net, tmp_path / "old.caffemodel", version)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = -1
    net.copy_from(tmp_path / "old.caffemodel")
    assert_equal_weights(weights(net), expected)


def test_source_layers_without_a_namesake_are_ignored_and_logged(saved, make_net, caplog):
    other = make_net(NET.replace('"fc"', '"fc_new"'))
    before = other.params["fc_new"][0].data.copy()
    with caplog.at_level(logging.INFO, logger="recaffe"):
        other.copy_from(saved)
    np.testing.assert_array_equal(other.params["fc_new"][0].data, before)
    assert "Ignoring source layer fc" in caplog.text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("num_output: 3", "num_output: 5"), r"layer 'fc', weight array 0.*file is \(3, 8\).*net \(5, 8\).*rename it"),
        (("num_output: 3", "num_output: 3 bias_term: false"), r"layer 'fc' has 2 weight arrays.*has 1.*rename"),
        (("num_output: 3", "num_output: 3 transpose: true"), r"\(3, 8\).*\(8, 3\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_copied(change, problem, saved, make_net):
    other = make_net(NET.replace(*change))
    before = weights(other)
    with pytest.raises(recaffe.WeightsError, match=problem):
        other.copy_from(saved)
    assert_equal_weights(weights(other), before)


def test_array_shorter_than_its_shape_is_refused(net, saved):
    message = files.read_caffemodel(saved)
    del message.layer[2].blobs[0].data[-1]
    files.write_binary(saved, message)
    with pytest.raises(recaffe.WeightsError, match=r"layer 'fc', weight array 0: 23 values for the shape \(3, 8\)"):
        net.copy_from(saved)


@pytest.mark.parametrize("content", [b"no model", b"\x89HDF\r\n\x1a\n", b""], ids=["text", "hdf5", "empty"])
def test_foreign_file_is_refused_by_name(content, net, tmp_path):
    path = tmp_path / "foreign.caffemodel"
    path.write_bytes(content)
    with pytest.raises(recaffe.WeightsError, match=r"foreign\.caffemodel"):
        net.copy_from(path)


def test_truncated_and_missing_files_are_refused(net, saved, tmp_path):
    saved.write_bytes(saved.read_bytes()[:-20])
    with pytest.raises(recaffe.WeightsError, match=r"w\.caffemodel: .*truncated"):
        net.copy_from(saved)
    with pytest.raises(recaffe.WeightsError, match=r"gone\.caffemodel: cannot be read: No such file"):
        net.copy_from(tmp_path / "gone.caffemodel")


def test_failed_write_leaves_the_former_file(net, saved, monkeypatch):
    former = saved.read_bytes()
    net.params["fc"][0].data[...] = 5

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(recaffe.WeightsError, match=r"w\.caffemodel: cannot be written: No space left on device"):
        net.save(saved)
    assert saved.read_bytes() == former
    assert [path.name for path in saved.parent.iterdir() if "partial" in path.name] == []


def trained(make_solver, iterations):
    solver = make_solver(NET, OPTIONS)
    numbers = np.random.RandomState(0)
    solver.net.blobs["data"].data[...] = numbers.randn(2, 1, 4, 4)
    solver.net.blobs["label"].data[...] = [0, 2]
    solver.step(iterations)
    return solver


def test_restored_session_goes_on_to_the_last_bit(make_solver, tmp_path):
    whole = trained(make_solver, 3)
    whole.snapshot()
    assert (tmp_path / "snap_iter_3.caffemodel").is_file()
    whole.step(2)
    again = trained(make_solver, 0)
    again.restore(tmp_path / "snap_iter_3.solverstate")
    assert (again.iter, again.lr) == (3, pytest.approx(0.05))
    again.step(2)
    assert_equal_weights(weights(again.net), weights(whole.net))


def test_snapshot_is_found_where_its_folder_was_moved_to(make_solver, tmp_path):
    solver = trained(make_solver, 2)
    solver.snapshot()
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in list(tmp_path.glob("snap_iter_2.*")):
        path.rename(moved / path.name)
    again = trained(make_solver, 0)
    again.restore(moved / "snap_iter_2.solverstate")
    assert_equal_weights(weights(again.net), weights(solver.net))


def test_snapshots_are_made_when_due(make_solver, tmp_path):
    solver = make_solver(NET, OPTIONS + " snapshot: 2")
    solver.step(5)
    found = sorted(path.name for path in tmp_path.glob("snap*"))
    assert found == [f"snap_iter_{n}.{kind}" for n in (2, 4) for kind in ("caffemodel", "solverstate")]


def test_snapshot_folder_that_is_not_there_is_noticed_at_the_start(make_solver, tmp_path):
    make_solver(NET, OPTIONS)
    text = (tmp_path / "solver.prototxt").read_text().replace(f"{tmp_path}/snap", f"{tmp_path}/nowhere/snap")
    (tmp_path / "solver.prototxt").write_text(text + " snapshot: 2")
    with pytest.raises(recaffe.SolverError, match=r"no folder .*nowhere"):
        recaffe.get_solver(str(tmp_path / "solver.prototxt"))


def test_state_of_another_net_or_file_is_refused(make_solver, tmp_path):
    solver = trained(make_solver, 1)
    solver.snapshot()
    state = tmp_path / "snap_iter_1.solverstate"
    with pytest.raises(recaffe.WeightsError, match=r"snap_iter_1\.caffemodel.*expected a .solverstate|not a binary"):
        solver.restore(tmp_path / "snap_iter_1.caffemodel")
    wider = make_solver(NET.replace("num_output: 3", "num_output: 4"), OPTIONS)
    before = weights(wider.net)
    with pytest.raises(recaffe.WeightsError, match=r"layer 'fc', weight array 0: the history's shape is \(3, 8\)"):
        wider.restore(state)
    fewer = make_solver(NET.replace("num_output: 3", "num_output: 3 bias_term: false"), OPTIONS)
    with pytest.raises(recaffe.WeightsError, match="holds 4 history arrays, SGD has 3 for this net"):
        fewer.restore(state)
    assert_equal_weights(weights(wider.net), before)


@pytest.mark.parametrize(("named", "problem"), [("weights\0.caffemodel", "embedded null byte"), ("", "directory")])
def test_state_that_names_no_possible_path_is_refused(named, problem, make_solver, tmp_path):
    solver = trained(make_solver, 1)
    solver.snapshot()
    state = files.read_binary(tmp_path / "snap_iter_1.solverstate", caffe_pb2.SolverState)
    state.learned_net = named
    files.write_binary(tmp_path / "snap_iter_1.solverstate", state)
    with pytest.raises(recaffe.WeightsError, match=f"cannot be read: .*{problem}"):
        solver.restore(tmp_path / "snap_iter_1.solverstate")


def test_solver_starts_from_the_weights_it_names(make_solver, saved, net):
    solver = make_solver(NET, OPTIONS + f' weights: "{saved}"')
    assert_equal_weights(weights(solver.net), weights(net))
