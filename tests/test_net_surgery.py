"""A patch net made convolutional gives, all at once, what it gives for every square by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recaffe as caffe
from google.protobuf import text_format
from recaffe.proto import caffe_pb2

from layerwise.applications import APPLICATIONS
from layerwise.errors import ModelError
from layerwise.net_surgery import ConvolutionalNet, copy_weights, dense_scores, fully_convolutional
from layerwise.nets import NETS
from prototxt.alexnet import deploy

SIZE = 33
NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 33 dim: 33 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 5 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1" }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 6 kernel_size: 3 pad: PAD group: 2 weight_filler { type: "xavier" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc3" type: "InnerProduct" bottom: "pool2" top: "fc3"
        inner_product_param { num_output: 8 weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }
layer { name: "relu3" type: "ReLU" bottom: "fc3" top: "fc3" }
layer { name: "fc4" type: "InnerProduct" bottom: "fc3" top: "fc4"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }
layer { name: "prob" type: "Softmax" bottom: "fc4" top: "prob" }
"""


def parsed(pad: int = 0) -> Any:
    return text_format.Parse(NET.replace("PAD", str(pad)), caffe_pb2.NetParameter())


def operate(tmp_path: Path, param: Any) -> tuple[Any, ConvolutionalNet, Any]:
    """(patch net, what surgery made of it, the convolutional net with its weights)."""
    patch_prototxt, prototxt, weights = (
        tmp_path / name for name in ("patch.prototxt", "conv.prototxt", "w.caffemodel")
    )
    patch_prototxt.write_text(text_format.MessageToString(param))
    caffe.set_random_seed(1)
    patch_net = caffe.Net(str(patch_prototxt), caffe.TEST)
    patch_net.save(str(weights))
    made = fully_convolutional(
        param, {name: patch_net.blobs[patch_net.bottom_names[name][0]].data.shape[1:] for name in ("fc3", "fc4")}
    )
    prototxt.write_text(text_format.MessageToString(made.net))
    net = caffe.Net(str(prototxt), caffe.TEST)
    net.copy_from(str(weights))
    copy_weights(patch_net, net, made.renamed)
    return patch_net, made, net


@pytest.mark.parametrize(("height", "width"), [(SIZE + 14, SIZE + 21), (SIZE + 15, SIZE + 16)])
def test_every_place_scores_as_its_own_patch_where_nothing_is_padded(tmp_path: Path, height: int, width: int) -> None:
    patch_net, made, net = operate(tmp_path, parsed())
    assert (made.context_size, made.stride) == (SIZE, 2)
    region = np.random.default_rng(0).normal(0, 40, (3, height, width)).astype(np.float32)
    scores = dense_scores(net, region)
    assert scores.shape[0] == 3
    assert min(scores.shape[1:]) >= 4
    for i in range(scores.shape[1]):
        patches = [region[:, 2 * i : 2 * i + SIZE, 2 * j : 2 * j + SIZE] for j in range(scores.shape[2])]
        patch_net.blobs["data"].reshape(len(patches), 3, SIZE, SIZE)
        one_by_one = patch_net.forward(data=np.stack(patches))["prob"]
        assert pytest.approx(one_by_one, abs=1e-5) == scores[:, i].T
    assert np.ptp(scores[1]) > 0.01


def test_padding_is_taken_away_and_the_context_grows(tmp_path: Path) -> None:
    """A padded patch of 33 pixels sees zeros where a place in a region sees its surroundings, 41 pixels of it."""
    _, made, net = operate(tmp_path, parsed(pad=1))
    assert made.context_size == 41
    assert all(not layer.convolution_param.pad for layer in made.net.layer)
    region = np.random.default_rng(0).normal(0, 40, (3, 41 + 14, 41 + 15)).astype(np.float32)
    scores = dense_scores(net, region)
    net.blobs["data"].reshape(1, 3, 41, 41)
    alone = net.forward(data=region[None, :, 2:43, 4:45])["prob"]
    assert scores[:, 1, 2] == pytest.approx(alone.ravel(), abs=1e-5)


def test_alexnets_places_see_355_pixels_and_those_of_its_half_259() -> None:
    for name, last, context in (("alexnet", 6, 355), ("alexnet_half", 3, 259)):
        net = NETS[name]
        param = deploy(APPLICATIONS["intima"], net, 1)
        widths = net.widths
        shapes = {"fc6": (widths["conv5"], last, last), "fc7": (widths["fc6"],), "fc8_intima": (widths["fc7"],)}
        made = fully_convolutional(param, shapes)
        assert (made.context_size, made.stride) == (context, 4)
        assert list(made.renamed) == ["fc6", "fc7", "fc8_intima"]


def test_the_net_that_is_operated_on_stays_as_it_was() -> None:
    param = parsed(pad=1)
    before = param.SerializeToString()
    fully_convolutional(param, {"fc3": (6, 3, 3), "fc4": (8,)})
    assert param.SerializeToString() == before


def test_layers_that_mix_places_are_refused() -> None:
    param = parsed()
    param.layer.add(name="flat", type="Flatten")
    with pytest.raises(ModelError, match="layer flat of type Flatten"):
        fully_convolutional(param, {"fc3": (6, 3, 3), "fc4": (8,)})
