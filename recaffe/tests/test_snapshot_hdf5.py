"""HDF5 snapshots: Caffe's layout, what is refused, and that a file is there whole or not at all."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import recaffe
from recaffe.proto import files

NET = """
name: "shared"
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "t" top: "loss" }
"""
OPTIONS = 'base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 snapshot_format: HDF5'


@pytest.fixture
def net(make_net):
    return make_net(NET)


@pytest.fixture
def saved(net, tmp_path):
    net.save_hdf5(tmp_path / "w.caffemodel.h5")
    return tmp_path / "w.caffemodel.h5"


@pytest.fixture
def trained(make_solver):
    solver = make_solver(NET, OPTIONS + " snapshot_diff: true")
    solver.net.blobs["x"].data[...] = [[1, 2, 3], [3, 2, 1]]
    solver.step(2)
    solver.snapshot()
    return solver


def weights(net):
    return {(name, index): blob.data.copy() for name, blobs in net.params.items() for index, blob in enumerate(blobs)}


def members(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, it: found.update({name: getattr(it, "shape", "group")}))
    return found


def change(path, action):
    with h5py.File(path, "r+") as file:
        action(file)


def test_shared_weight_stands_in_its_owners_group_only(saved):
    assert members(saved) == {
        "data": "group",
        "data/in": "group",
        "data/a": "group",
        "data/a/0": (3, 3),
        "data/a/1": (3,),
        "data/b": "group",
        "data/b/1": (3,),
        "data/loss": "group",
    }


def test_snapshot_holds_diffs_of_every_layer_and_one_history_for_each_learned_array(trained, tmp_path):
    found = members(tmp_path / "snap_iter_2.caffemodel.h5")
    assert {name: shape for name, shape in found.items() if name.startswith("diff/") and shape != "group"} == {
        "diff/a/0": (3, 3),
        "diff/a/1": (3,),
        "diff/b/0": (3, 3),
        "diff/b/1": (3,),
    }
    state = members(tmp_path / "snap_iter_2.solverstate.h5")
    assert state.pop("recaffe_resume")
    assert state == {
        "iter": (1,),
        "learned_net": (),
        "current_step": (1,),
        "history": "group",
        "history/0": (3, 3),
        "history/1": (3,),
        "history/2": (3,),
    }
    with h5py.File(tmp_path / "snap_iter_2.solverstate.h5") as file:
        kind = file["learned_net"].id.get_type()  # as a C string: Caffe's reader relies on the zero byte at its end
        name = str(tmp_path / "snap_iter_2.caffemodel.h5")
        assert (file["iter"][0], file["learned_net"][()], kind.get_size()) == (2, name.encode(), len(name) + 1)
        assert kind.get_strpad() == h5py.h5t.STR_NULLTERM
        for index, learnable in enumerate(trained.net.learnable):
            np.testing.assert_array_equal(file[f"history/{index}"][()], learnable.blob.diff)


def test_weights_come_back_to_the_last_bit(net, saved):
    expected = weights(net)
    for load in (net.load_hdf5, net.copy_from):
        for blobs in net.params.values():
            for blob in blobs:
                blob.data[...] = -1
        load(saved)
        for key, array in weights(net).items():
            np.testing.assert_array_equal(array, expected[key])


def test_diffs_of_a_binary_snapshot_come_back_too(make_solver, tmp_path):
    solver = make_solver(NET, OPTIONS.replace("HDF5", "BINARYPROTO") + " snapshot_diff: true")
    solver.net.blobs["x"].data[...] = [[1, 2, 3], [3, 2, 1]]
    solver.step(1)
    solver.snapshot()
    fresh = make_solver(NET, OPTIONS).net
    fresh.copy_from(tmp_path / "snap_iter_1.caffemodel")
    for name, blobs in solver.net.params.items():
        for mine, theirs in zip(fresh.params[name], blobs, strict=True):
            assert theirs.diff.any()
            np.testing.assert_array_equal(mine.diff, theirs.diff)


def test_weights_that_are_not_shared_in_the_net_must_all_be_in_the_file(saved, make_net):
    separate = make_net(NET.replace('param { name: "w" }', ""))
    before = weights(separate)
    with pytest.raises(recaffe.WeightsError, match=r"layer 'b' has 1 weight arrays, .* has 2"):
        separate.copy_from(saved)
    for key, array in weights(separate).items():
        np.testing.assert_array_equal(array, before[key])


def test_layer_names_with_slashes_come_back(make_net, tmp_path):
    """GoogLeNet's; real Caffe aborts when it writes them."""
    net = make_net(NET.replace('"a" type', '"block/a" type').replace('"b" type', '"block/b" type'))
    net.save_hdf5(tmp_path / "w.h5")
    expected = weights(net)
    net.params["block/a"][0].data[...] = 0
    net.copy_from(tmp_path / "w.h5")
    np.testing.assert_array_equal(net.params["block/a"][0].data, expected["block/a", 0])


def put(name, value):
    """Replace a member of a file."""

    def action(file):
        del file[name]
        file[name] = value

    return action


def put_empty(name, shape, dtype):
    """Replace a member by one that states a size, but has no values."""

    def action(file):
        del file[name]
        file.create_dataset(name, shape, dtype, chunks=(1024,) if shape else None)

    return action


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (
            put("data/a/0", np.zeros((3, 4), np.float32)),
            r"layer 'a', weight array 0: its shape in the file is \(3, 4\)",
        ),
        (put("data/a/0", np.zeros(9, np.float32)), r"\(9,\), in the net \(3, 3\)"),
        (put("data/a/0", np.array([b"text"] * 9)), "layer 'a', weight array 0: holds values of type"),
        (put("data/a/0", h5py.ExternalLink("elsewhere.h5", "/x")), "layer 'a' has 1 weight arrays"),
        (lambda file: file.move("data/a/0", "data/a/x"), "holds 'a/x', expected arrays 0, 1"),
        (lambda file: file.move("data/a/0", "data/a/7"), "layer 'a' has 2 weight arrays"),
        (put("data/a/0", np.dtype(np.float32)), "holds 'a/0', expected arrays 0, 1"),
        (
            lambda file: file["data/b"].create_dataset(b"\xff1", data=0.5),
            "holds 'b/.*1', expected arrays 0, 1",
        ),
        (put("data", 1.0), "holds no group 'data'; is it a snapshot of Caffe"),
    ],
)
def test_foreign_contents_are_refused_by_name(action, problem, saved, net):
    change(saved, action)
    before = weights(net)
    with pytest.raises(recaffe.WeightsError, match=problem):
        net.copy_from(saved)
    for key, array in weights(net).items():
        np.testing.assert_array_equal(array, before[key])


def test_values_that_stand_in_another_file_are_not_read(saved, net, tmp_path):
    (tmp_path / "secret").write_bytes(b"0" * 36)

    def lead_away(file):
        del file["data/a/0"]
        file.create_dataset("data/a/0", (3, 3), np.float32, external=str(tmp_path / "secret"))

    change(saved, lead_away)
    with pytest.raises(recaffe.WeightsError, match="its values stand in another file"):
        net.copy_from(saved)


def test_array_of_impossible_size_is_refused_before_it_is_read(saved, net):
    change(saved, put_empty("data/a/0", (2**60,), np.float32))
    with pytest.raises(recaffe.WeightsError, match="its shape in the file is"):
        net.copy_from(saved)


@pytest.mark.parametrize("length", [7, 100, 1000, 2040])
def test_truncated_file_is_refused_by_name(length, saved, net):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(recaffe.WeightsError, match=r"w\.caffemodel\.h5: .*truncated"):
        net.copy_from(saved)


def test_file_that_is_only_named_so_is_refused(net, saved, tmp_path):
    net.save(saved)
    with pytest.raises(recaffe.WeightsError, match=r"is named \.h5 but is no HDF5 file"):
        net.copy_from(saved)
    with pytest.raises(recaffe.WeightsError, match=r"gone\.h5: cannot be read: No such file"):
        net.copy_from(tmp_path / "gone.h5")


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (put("iter", "two"), "iter is no whole number"),
        (put("iter", np.zeros(2, np.int32)), "iter is no whole number"),
        (lambda file: file.pop("current_step"), "holds no dataset 'current_step'"),
        (put("learned_net", 3), "learned_net is no text"),
        (lambda file: file.pop("history/1"), "holds no dataset '1'|holds 2 history arrays"),
        (lambda file: file.pop("history"), "holds no group 'history'"),
        (put("history/0", np.zeros((3, 4), np.float32)), r"layer 'a', weight array 0: the history's shape is \(3, 4\)"),
        (put("recaffe_resume", np.full(9, 255, np.uint8)), "recaffe_resume is damaged"),
        (put("recaffe_resume", 1.5), "recaffe_resume is damaged"),
        (put_empty("recaffe_resume", (2**50,), np.uint8), "recaffe_resume is damaged"),
        (put_empty("learned_net", (), "S1000000000"), "learned_net is no text"),
    ],
)
def test_foreign_state_is_refused_and_nothing_is_restored(action, problem, trained, tmp_path):
    path = tmp_path / "snap_iter_2.solverstate.h5"
    change(path, action)
    trained.step(1)
    before = weights(trained.net)
    with pytest.raises(recaffe.WeightsError, match=problem):
        trained.restore(path)
    assert trained.iter == 3
    for key, array in weights(trained.net).items():
        np.testing.assert_array_equal(array, before[key])


def test_failed_write_leaves_the_former_file(net, saved, monkeypatch):
    former = saved.read_bytes()

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full)
    with pytest.raises(recaffe.WeightsError, match=r"w\.caffemodel\.h5: cannot be written: No space left on device"):
        net.save_hdf5(saved)
    assert saved.read_bytes() == former
    assert [path.name for path in saved.parent.iterdir() if "partial" in path.name] == []


def test_what_is_too_large_for_a_message_is_refused_with_the_way_out(make_solver, tmp_path, monkeypatch):
    solver = make_solver(NET, OPTIONS.replace("HDF5", "BINARYPROTO"))
    monkeypatch.setattr(files, "MAX_BINARY_BYTES", 80)
    with pytest.raises(recaffe.WeightsError, match=r"96 bytes of numbers, .* at most 80; HDF5 has no such limit"):
        solver.snapshot()
    assert not list(tmp_path.glob("snap*"))
    solver.net.save_hdf5(tmp_path / "w.caffemodel.h5")
