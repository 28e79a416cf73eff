"""Coordinates between blobs, and Crop layers made of them."""

from __future__ import annotations

import numpy as np
import pytest
from recaffe import coord_map
from recaffe import layers as L  # noqa: N812 - pycaffe's names
from recaffe.coord_map import AxisMismatchException, UndefinedMapException, crop
from recaffe.net_spec import NetSpec, NetSpecError

PROGRAM = """
from caffe import layers as L, NetSpec
from caffe.coord_map import coord_map, coord_map_from_to, crop, compose, inverse, conv_params, crop_params
import numpy as np
n = NetSpec()
n.data = L.Input(input_param=dict(shape=dict(dim=[1, 3, 40, 40])))
n.conv1 = L.Convolution(n.data, kernel_size=3, pad=20, num_output=2)
n.relu1 = L.ReLU(n.conv1, in_place=True)
n.pool1 = L.Pooling(n.relu1, kernel_size=2, stride=2)
n.conv2 = L.Convolution(n.pool1, kernel_size=[3, 5], dilation=2, num_output=2, pad=[0, 2])
n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2)
n.bn = L.BatchNorm(n.pool2)
n.up2 = L.Deconvolution(n.bn, convolution_param=dict(num_output=2, kernel_size=4, stride=2, bias_term=False))
n.score_pool1 = L.Convolution(n.pool1, kernel_size=1, num_output=2)
n.pool1c = crop(n.score_pool1, n.up2)
n.fuse = L.Eltwise(n.up2, n.pool1c)
n.up = L.Deconvolution(n.fuse, convolution_param=dict(num_output=2, kernel_size=4, stride=2, bias_term=False))
n.score = crop(n.up, n.data)
def show(name, value):
    print(name, value[0], *np.ravel(np.array(value[1], dtype=float)), *np.ravel(np.array(value[2], dtype=float)))
for name in ("conv1", "relu1", "pool1", "conv2", "up2", "pool1c"):
    show(name, coord_map(getattr(n, name).fn))
show("fuse to data", coord_map_from_to(n.fuse, n.data))
show("data to fuse", coord_map_from_to(n.data, n.fuse))
show("conv2 to pool1c", coord_map_from_to(n.conv2, n.pool1c))
show("score to data", coord_map_from_to(n.score, n.data))
show("inverse", inverse(compose(coord_map(n.conv2.fn), coord_map(n.pool1.fn))))
print([np.ravel(part).tolist() for part in conv_params(n.conv2.fn) + crop_params(n.score.fn)])
for layer in n.to_proto().layer:
    if layer.type == "Crop":
        print(layer.name, list(layer.bottom), layer.crop_param.axis, list(layer.crop_param.offset))
"""
PRINTED = """\
conv1 1 1.0 19.0
relu1 None 1.0 0.0
pool1 1 0.5 -0.25
conv2 1 1.0 -2.0 -2.0
up2 1 2.0 1.5
pool1c 1 1.0 -1.0 -1.0
fuse to data 1 2.0 -16.5 -16.5
data to fuse 1 0.5 8.25 8.25
conv2 to pool1c 1 1.0 1.0 1.0
score to data 1 1.0 0.0 0.0
inverse 1 2.0 4.5 4.5
[[1], [1], [5, 9], [0, 2], [2], [18, 18]]
pool1c ['score_pool1', 'up2'] 2 [1, 1]
score ['up', 'data'] 2 [18, 18]
"""


def printed_here(capsys: pytest.CaptureFixture[str]) -> str:
    exec(PROGRAM.replace("from caffe", "from recaffe"), {})
    return capsys.readouterr().out


def test_maps_are_those_of_real_caffe(capsys):
    assert printed_here(capsys) == PRINTED


@pytest.mark.caffe
def test_printed_maps_are_real_caffes(real_caffe):
    assert real_caffe(PROGRAM).decode() == PRINTED


def test_crop_cuts_the_middle_out():
    data = L.Input(shape={"dim": [1, 1, 9, 9]})
    padded = L.Convolution(data, kernel_size=3, pad=3, num_output=1)
    layer = crop(padded, data).to_proto().layer[-1]
    assert (layer.type, layer.crop_param.axis, list(layer.crop_param.offset)) == ("Crop", 2, [2])


def test_maps_follow_each_other_and_go_back():
    first, second = (1, np.array([2.0]), np.array([3.0])), (None, 5, 7)
    axis, scale, shift = coord_map.compose(first, second)
    assert (axis, scale, shift) == (1, 10, 17)  # x -> 2 (5 x + 7) + 3
    assert coord_map.inverse((axis, scale, shift)) == (1, 0.1, -1.7)


def _net() -> NetSpec:
    n = NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 9, 9]})
    n.pool = L.Pooling(n.data, kernel_size=2, stride=2)
    n.valid = L.Convolution(n.data, kernel_size=4, num_output=1)
    n.padded = L.Convolution(n.data, kernel_size=2, pad=1, num_output=1)
    n.flat = L.InnerProduct(n.data, num_output=3)
    n.legacy = L.Convolution(n.data, kernel_h=2, kernel_w=3, num_output=1)
    n.volume = L.Convolution(n.valid, kernel_size=2, axis=2, num_output=1)
    n.relu = L.ReLU(n.data)
    n.other = L.Input(shape={"dim": [1, 1, 9, 9]})
    return n


@pytest.mark.parametrize(
    ("pair", "error", "problem"),
    [
        (("pool", "data"), ValueError, "scales differ by"),
        (("valid", "data"), ValueError, "not negative"),
        (("padded", "data"), ValueError, "must be whole"),
        (("relu", "data"), ValueError, "no layer with windows"),
        (("flat", "other"), RuntimeError, "no blob in common"),
        (("legacy", "data"), NetSpecError, "kernel_h, kernel_w"),
        (("volume", "data"), AxisMismatchException, "axis 2 on follows one from axis 1 on|axis 1 on follows"),
    ],
)
def test_blobs_that_cannot_be_cropped_to_each_other_are_refused(pair, error, problem):
    n = _net()
    with pytest.raises(error, match=problem):
        crop(n[pair[0]], n[pair[1]])


def test_layers_without_coordinates_are_named():
    with pytest.raises(UndefinedMapException, match="InnerProduct maps no coordinates"):
        coord_map.coord_map(_net().flat.fn)
