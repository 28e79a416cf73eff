"""Older dialects come out as Caffe brings them up to date."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from recaffe.proto import caffe_pb2, files, text, upgrade

V1_NET = """
name: "old"
input: "x" input: "y"
input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
input_dim: 2 input_dim: 1 input_dim: 1 input_dim: 1
layers {
  name: "d" type: DATA top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "db" batch_size: 4 backend: LMDB scale: 0.5 mean_file: "mean" crop_size: 5 mirror: true }
}
layers {
  name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } }
  param: "w" blob_share_mode: PERMISSIVE blobs { num: 1 channels: 1 height: 1 width: 2 data: 3 data: 4 }
}
layers { name: "r" type: RELU bottom: "c" top: "c" relu_param { negative_slope: 0.5 } }
layers { name: "l" type: SOFTMAX_LOSS bottom: "c" bottom: "y" loss_weight: 2 exclude { phase: TEST } }
"""
TODAYS_NET = """
name: "old"
layer {
  name: "input" type: "Input" top: "x" top: "y"
  input_param { shape { dim: [2, 3, 8, 8] } shape { dim: [2, 1, 1, 1] } }
}
layer {
  name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 mean_file: "mean" crop_size: 5 mirror: true }
  data_param { source: "db" batch_size: 4 backend: LMDB }
}
layer {
  name: "c" type: "Convolution" bottom: "x" top: "c"
  param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  blobs { num: 1 channels: 1 height: 1 width: 2 data: 3 data: 4 }
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } }
}
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: 0.5 } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "c" bottom: "y" loss_weight: 2 exclude { phase: TEST } }
"""


def _upgraded(content: str) -> caffe_pb2.NetParameter:
    net = text.parse(content, caffe_pb2.NetParameter)
    upgrade.upgrade_net(net, "n.prototxt")
    return net


def test_v1_net_becomes_todays_form_with_its_weights():
    assert _upgraded(V1_NET) == text.parse(TODAYS_NET, caffe_pb2.NetParameter)


def test_todays_form_is_left_as_it_is():
    assert _upgraded(TODAYS_NET) == text.parse(TODAYS_NET, caffe_pb2.NetParameter)


def test_input_without_a_shape_is_dropped():
    assert _upgraded('name: "m" input: "data"') == caffe_pb2.NetParameter(name="m")


def test_three_batch_norm_specs_are_frozen():
    net = _upgraded('layer { type: "BatchNorm" param { lr_mult: 1 } param { name: "v" } param { } }')
    assert [(spec.lr_mult, spec.decay_mult) for spec in net.layer[0].param] == [(0, 0)] * 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('layers { layer { name: "c1" type: "conv" } }', "n.prototxt: layer 'c1' is in the V0 dialect"),
        ('layer { name: "a" } layers { name: "b" }', "has both 'layer' ('a') and 'layers' ('b')"),
        ('input: "x" input: "y" input_shape { dim: 1 }', "2 input (x, y) but 1 shapes"),
    ],
)
def test_what_cannot_be_upgraded_is_refused(content: str, problem: str):
    with pytest.raises(upgrade.UpgradeError) as caught:
        _upgraded(content)
    assert problem in str(caught.value)


def test_transform_in_the_old_place_of_a_layer_is_pointed_out():
    with pytest.warns(UserWarning, match=r"'d': Caffe ignores data_param.mirror in a 'layer'"):
        _upgraded('layer { name: "d" type: "Data" data_param { mirror: true } }')


def test_solver_type_enum_becomes_type():
    solver = caffe_pb2.SolverParameter(solver_type=caffe_pb2.SolverParameter.ADAGRAD)
    upgrade.upgrade_solver(solver)
    assert solver.type == "AdaGrad" and not solver.HasField("solver_type")
    solver.solver_type = caffe_pb2.SolverParameter.SGD
    with pytest.raises(upgrade.UpgradeError, match="both solver_type and type 'AdaGrad'"):
        upgrade.upgrade_solver(solver, "s.prototxt")


def _upgrade_tool() -> list[str]:
    name = "upgrade_net_proto_binary"
    beside_python = Path(os.environ.get("CAFFE_PYTHON") or ".caffe/caffe-python").with_name("run").resolve()
    if beside_python.exists():
        return [str(beside_python), name]
    if shutil.which(name):
        return [name]
    pytest.skip(f"real Caffe's {name} is neither run by {beside_python} nor on PATH")


@pytest.mark.caffe
def test_every_v1_net_and_type_is_upgraded_as_real_caffe_does(tmp_path: Path):
    old = text.parse(V1_NET, caffe_pb2.NetParameter)
    for value in caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values:
        old.layers.add(name=value.name, type=value.number)
    files.write_binary(tmp_path / "v1", old)
    subprocess.run([*_upgrade_tool(), tmp_path / "v1", tmp_path / "v2"], check=True, capture_output=True)
    real = files.read_binary(tmp_path / "v2", caffe_pb2.NetParameter)
    for layer in real.layer:  # Caffe adds empty messages to every layer that reads data
        for field, value in layer.ListFields():
            if field.message_type is not None and field.name.endswith("_param") and not value.ListFields():
                layer.ClearField(field.name)
    upgrade.upgrade_net(old)
    assert old == real
