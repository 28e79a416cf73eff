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
V0_NET = """
name: "older" input: "image" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9 force_backward: true
layers {
  layer { name: "d" type: "data" source: "db" batchsize: 4 rand_skip: 2
          scale: 0.5 meanfile: "m" cropsize: 5 mirror: true }
  top: "data" top: "label"
}
layers { layer { name: "p1" type: "padding" pad: 2 } bottom: "data" top: "p1" }
layers {
  layer { name: "c1" type: "conv" num_output: 2 biasterm: false kernelsize: 3 group: 1 stride: 2 blobs_lr: 1 blobs_lr: 2
          weight_filler { type: "gaussian" std: 0.01 } bias_filler { value: 1 } weight_decay: 1 weight_decay: 0
          blobs { num: 1 channels: 1 height: 1 width: 2 data: 3 data: 4 } }
  bottom: "p1" top: "c1"
}
layers { layer { name: "r" type: "relu" } bottom: "c1" top: "c1" }
layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 0.1 beta: 0.5 k: 2 } bottom: "c1" top: "n" }
layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1 } bottom: "n" top: "pool" }
layers { layer { name: "ip" type: "innerproduct" num_output: 5 biasterm: true } bottom: "pool" top: "ip" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.3 } bottom: "ip" top: "ip" }
layers { layer { name: "cat" type: "concat" concat_dim: 0 } bottom: "ip" bottom: "ip" top: "cat" }
layers { layer { name: "h" type: "hdf5_data" source: "h" batchsize: 3 } top: "h" }
layers { layer { name: "i" type: "images" source: "i" batchsize: 3 shuffle_images: true
                 new_height: 2 new_width: 3 } top: "i" }
layers { layer { name: "w" type: "window_data" source: "w" batchsize: 3 det_fg_threshold: 0.1 det_bg_threshold: 0.2
                 det_fg_fraction: 0.3 det_context_pad: 4 det_crop_mode: "square" cropsize: 7 } top: "w" }
layers { layer { name: "o" type: "hdf5_output" hdf5_output_param { file_name: "o" } } bottom: "ip" bottom: "label" }
layers { layer { name: "g" type: "infogain_loss" source: "g" } bottom: "ip" bottom: "label" }
layers { layer { name: "l" type: "softmax_loss" } bottom: "ip" bottom: "label" }
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


def test_v0_padding_layer_becomes_pad_of_the_layer_above():
    convolution = _upgraded(V0_NET).layer[2]
    assert (convolution.type, list(convolution.bottom)) == ("Convolution", ["data"])
    assert list(convolution.convolution_param.pad) == [2]


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
        (
            'layers { layer { name: "c1" type: "con" } }',
            "layer 'c1' has the unknown V0 type 'con'; the nearest is 'conv'",
        ),
        ('layers { layer { name: "r" type: "relu" pad: 1 } }', "V0 layer 'r' of type 'relu' cannot have 'pad'"),
        ('layers { layer { type: "relu" } } layers { type: RELU }', "layers of the V0 and the V1 dialect are mixed"),
        (
            'input: "a" layers { layer { name: "p" type: "padding" } bottom: "a" top: "b" } '
            'layers { layer { name: "r" type: "relu" } bottom: "b" top: "b" }',
            "layer 'r' (relu) reads padding layer 'p'; only conv and pool with one bottom can",
        ),
        (
            'layers { layer { name: "p" type: "padding" } top: "b" } '
            'layers { layer { name: "c" type: "conv" } bottom: "b" top: "c" }',
            "padding layer 'p' needs one bottom and one top",
        ),
        ('layers { layer { name: "r" type: "relu" } bottom: "b" }', "layer 'r' reads the unknown blob 'b'"),
        ('layers { layer { type: "relu" } } debug_info: true', "a net of V0 layers cannot have 'debug_info'"),
        ('layer { name: "a" } layers { name: "b" }', "has both 'layer' ('a') and 'layers' ('b')"),
        ('input: "x" input: "y" input_shape { dim: 1 }', "2 input (x, y) but 1 shapes"),
        ('input: "x" input_dim: 1 input_dim: 2', "2 input_dim; give 4 for each input"),
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
    python = os.environ.get("CAFFE_PYTHON", Path(__file__).parents[2] / ".caffe" / "caffe-python")
    beside_python = Path(python).absolute().with_name("run")
    if beside_python.exists():
        return [str(beside_python), name]
    if shutil.which(name):
        return [name]
    pytest.skip(f"real Caffe's {name} is neither run by {beside_python} nor on PATH")


@pytest.mark.caffe
@pytest.mark.parametrize("dialect", ["V0", "V1"])
def test_old_nets_are_upgraded_as_real_caffe_does(tmp_path: Path, dialect: str):
    old = text.parse({"V0": V0_NET, "V1": V1_NET}[dialect], caffe_pb2.NetParameter)
    if dialect == "V1":
        for value in caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values:
            old.layers.add(name=value.name, type=value.number)
    files.write_binary(tmp_path / "old", old)
    subprocess.run([*_upgrade_tool(), tmp_path / "old", tmp_path / "new"], check=True, capture_output=True)
    real = files.read_binary(tmp_path / "new", caffe_pb2.NetParameter)
    upgrade.upgrade_net(old)
    assert old == real
