"""Shapes of the generated nets against the paper's Table I and bvlc_alexnet's parameter counts."""

from __future__ import annotations

import dataclasses

import pytest

from layerwise.applications import APPLICATIONS
from layerwise.errors import ModelError
from layerwise.nets import NETS
from layerwise.schemes import LEARNED_LAYERS
from layerwise.shapes import layer_shapes
from prototxt.alexnet import CONVOLUTIONS, deploy

TABLE_1 = {
    "conv1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
}
# Of patches of 355 pixels without padding: what every map loses at its edges, the next one does not miss.
UNPADDED = {
    "conv1": (96, 87, 87),
    "pool1": (96, 43, 43),
    "conv2": (256, 39, 39),
    "pool2": (256, 19, 19),
    "conv3": (384, 17, 17),
    "conv4": (384, 15, 15),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_outputs_are_those_of_table_1(name):
    application, net = APPLICATIONS[name], NETS["alexnet"]
    shapes = layer_shapes(deploy(application, net, batch=1), net.patch_shape(application))
    expected = TABLE_1 | (UNPADDED if name == "intima" else {})
    assert {layer: shapes[layer].output for layer in TABLE_1} == expected
    assert shapes[f"fc8_{name}"].output == (3 if name == "intima" else 2,)


def test_alexnet_of_1000_classes_has_bvlc_alexnets_parameters():
    imagenet = dataclasses.replace(APPLICATIONS["polyp"], name="imagenet", class_names=("x",) * 1000)
    net = NETS["alexnet"]
    counts = {k: shape.n_parameters for k, shape in layer_shapes(deploy(imagenet, net, 1), net.input_shape).items()}
    assert sum(counts[layer] for layer in CONVOLUTIONS) == 2_334_080
    assert sum(counts[layer] for layer in ("fc6", "fc7", "fc8_imagenet")) == 58_631_144


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("application", [APPLICATIONS["polyp"], APPLICATIONS["intima"]])
def test_every_window_fits_without_remainder(name, application):
    net = NETS[name]
    shapes = layer_shapes(deploy(application, net, 1), net.patch_shape(application))
    assert (net.patch_size(application) - 11) % 4 == 0
    for pooled in ("norm1", "norm2", "conv5"):
        assert (shapes[pooled].output[1] - 3) % 2 == 0


@pytest.mark.parametrize("name", NETS)
def test_a_net_without_padding_takes_the_weights_of_the_padded_one(name):
    net = NETS[name]
    padded, unpadded = (
        layer_shapes(deploy(APPLICATIONS[application], net, 1), net.patch_shape(APPLICATIONS[application]))
        for application in ("polyp", "intima")
    )
    assert all(padded[layer].params == unpadded[layer].params for layer in LEARNED_LAYERS[:-1])


def test_pooling_rounds_up():
    net = dataclasses.replace(NETS["alexnet"], input_size=224)  # conv1 54: (54 - 3) / 2 = 25.5, so 27 windows
    shapes = layer_shapes(deploy(APPLICATIONS["polyp"], net, 1), net.input_shape)
    assert shapes["conv1"].output[1:] == (54, 54)
    assert shapes["pool1"].output[1:] == (27, 27)


def test_unknown_layer_type_is_refused_by_name():
    net = NETS["alexnet"]
    message = deploy(APPLICATIONS["polyp"], net, 1)
    message.layer[3].type = "Python"
    with pytest.raises(ModelError, match=r"'norm1'.*Python"):
        layer_shapes(message, net.input_shape)
