"""Python layers: classes of the user's in a net, once the process allows them."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe import parallel, permissions

LAYERS = """
import caffe

class Times(caffe.Layer):
    def setup(self, bottom, top):
        self.name, self.param, self.loss_weight, self.state = "mine", {}, 5, None
        self.seen = (self.param_str, self.phase, len(bottom), len(top))
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = float(self.param_str or 3)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        assert type(propagate_down[0]) is bool
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum()
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.blobs[0].data

class Broken(Times):
    def forward(self, bottom, top):
        raise KeyError("in the user's code")

class Bare(caffe.Layer):
    pass

class Foreign:
    pass
"""
MODULE = "layers_of_this_test"


def python_layer(name: str, module: str = MODULE, more: str = "") -> str:
    return f"""
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 2 }} }} }}
    layer {{ name: "py" type: "Python" bottom: "data" top: "out" {more}
      python_param {{ module: "{module}" layer: "{name}" param_str: "4" }} }}
    """


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder with the layers, on Python's path, in a process that allows them."""
    (tmp_path / f"{MODULE}.py").write_text(LAYERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(permissions, "_python_layers", True)
    yield tmp_path
    for name in [name for name in sys.modules if name == MODULE or name.partition(".")[0] == "caffe"]:
        del sys.modules[name]


def test_net_file_runs_no_code_unless_the_process_allows_it(allowed, make_net, monkeypatch: pytest.MonkeyPatch):
    recaffe.allow_python_layers(False)
    monkeypatch.setenv("RECAFFE_ALLOW_PYTHON_LAYERS", "1")
    with pytest.raises(recaffe.NetError, match=r"'py' .*class 'Times'.*recaffe\.allow_python_layers\(\)"):
        make_net(python_layer("Times"))
    assert MODULE not in sys.modules


@pytest.mark.parametrize(("value", "is_allowed"), [("1", True), ("0", False), ("", False)])
def test_environment_variable_allows_them_too(value, is_allowed, allowed, make_net, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(permissions, "_python_layers", None)
    monkeypatch.setenv("RECAFFE_ALLOW_PYTHON_LAYERS", value)
    if is_allowed:
        assert make_net(python_layer("Times")).layers[1].blobs[0].data == 4
    else:
        with pytest.raises(recaffe.NetError, match="RECAFFE_ALLOW_PYTHON_LAYERS=1"):
            make_net(python_layer("Times"))


def test_net_shows_the_users_object_and_leaves_its_attributes_alone(allowed, make_net):
    net = make_net(python_layer("Times"))
    layer = net.layer_dict["py"]
    assert type(layer).__name__ == "Times" and layer is net.layers[1]
    assert all(isinstance(each, recaffe.Layer) for each in net.layers)
    assert (layer.name, layer.param, layer.loss_weight, layer.type) == ("mine", {}, 5, "Python")
    assert layer.seen == ("4", recaffe.TRAIN, 1, 1)
    assert net.params["py"] is layer.blobs


def test_forward_and_backward_are_the_users(allowed, make_net):
    net = make_net("force_backward: true" + python_layer("Times"))
    rows = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(net.forward(data=rows)["out"], 4 * rows)
    np.testing.assert_array_equal(net.backward(out=rows)["data"], 4 * rows)
    assert net.params["py"][0].diff == (rows**2).sum()
    net.backward(out=rows)
    assert net.params["py"][0].diff == 2 * (rows**2).sum()


def test_tops_may_be_bottoms_and_shapes_follow(allowed, make_net):
    net = make_net(python_layer("Times").replace('top: "out"', 'top: "data"'))
    np.testing.assert_array_equal(net.forward(data=np.ones((2, 2)))["data"], np.full((2, 2), 4))
    net.blobs["data"].reshape(5, 2)
    assert net.forward(data=np.ones((5, 2)))["data"].sum() == 40


def test_solver_updates_a_python_layers_weights(allowed, make_solver):
    solver = make_solver(
        python_layer("Times", more="loss_weight: 0.5 param { lr_mult: 2 }").replace(
            'type: "Input" top: "data" input_param { shape { dim: 2 dim: 2 } }',
            'type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 2 } '
            'data_filler { type: "constant" value: 3 } }',
        ),
        'base_lr: 0.01 lr_policy: "fixed" momentum: 0',
    )
    solver.step(1)
    assert solver.net.blobs["out"].data.sum() == 4 * 12
    assert solver.net.params["py"][0].data[0] == pytest.approx(4 - 0.01 * 2 * 0.5 * 12)


def test_weights_are_saved_and_copied(allowed, make_net, tmp_path):
    net = make_net(python_layer("Times"))
    net.params["py"][0].data[...] = 9
    for save, name in ((net.save, "w.caffemodel"), (net.save_hdf5, "w.h5")):
        save(str(tmp_path / name))
        again = make_net(python_layer("Times"))
        again.copy_from(str(tmp_path / name))
        assert again.params["py"][0].data == 9
    other = make_net(python_layer("Times"))
    other.share_with(net)
    net.params["py"][0].data[...] = 7
    assert other.forward(data=np.ones((2, 2)))["out"].sum() == 28


def test_errors_of_the_users_code_keep_their_type_and_traceback(allowed, make_net):
    net = make_net(python_layer("Broken"))
    with pytest.raises(KeyError, match="in the user's code") as caught:
        net.forward()
    assert f"{MODULE}.py" in traceback.extract_tb(caught.value.__traceback__)[-1].filename


@pytest.mark.parametrize(
    ("name", "module", "error", "problem"),
    [
        ("Times", "no_such_module", recaffe.NetError, "'no_such_module', which Python does not find"),
        ("Tiems", MODULE, recaffe.NetError, "class 'Tiems', derived from caffe.Layer"),
        ("Foreign", MODULE, recaffe.NetError, "class 'Foreign', derived from caffe.Layer"),
        ("system", "os", recaffe.NetError, "class 'system', derived from caffe.Layer"),
        ("Bare", MODULE, NotImplementedError, "Bare must define reshape"),
    ],
)
def test_what_is_no_python_layer_is_refused(name, module, error, problem, allowed, make_net):
    with pytest.raises(error, match=problem):
        make_net(python_layer(name, module))


def test_several_solvers_in_one_process_are_refused(allowed, make_net, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parallel, "_solver_count", 2)
    with pytest.raises(recaffe.NetError, match="cannot train with several solvers in one process"):
        make_net(python_layer("Times"))
    make_net(python_layer("Times"), recaffe.TEST)
