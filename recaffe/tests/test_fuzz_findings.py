"""What fuzzing found: nets that once ended with an undocumented error, or never. They work now, or name the layer."""

from __future__ import annotations

import math

import pytest
import recaffe
from recaffe.net import Net
from recaffe.proto import caffe_pb2, text


def _run(content: str) -> Net:
    net = Net.from_param(text.parse(f"force_backward: true {content}", caffe_pb2.NetParameter))
    net.forward()
    net.backward()
    return net


def _input(shape: str) -> str:
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: {shape} }} }} }} '


def _layer(kind: str, options: str = "") -> str:
    return f'layer {{ name: "x" type: "{kind}" bottom: "data" top: "out" {options} }}'


LABEL = 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 6 } } } '
FILLED = "inner_product_param {{ num_output: 2 weight_filler {{ {} }} }}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_input("[9223372036854775807, 3, 0]"), "cannot be shaped: a blob cannot have the shape"),
        (_input("1000000000000"), r"layer 'data' \(Input\) cannot be shaped: .*at most 2147483647 values"),
        (_input("[1, -2]"), "cannot be shaped"),
        (_input("[" + "1," * 32 + "1]"), "a blob cannot have 33 axes, 32 at most"),
        (_input("[2, 3]") + _layer("InnerProduct", "inner_product_param { num_output: 4294967295 }"), "'x'.*cannot be"),
        (_input("[2, 3]") + _layer("InnerProduct", FILLED.format("type: 'uniform' max: inf")), "range is too wide"),
        (_input("[2, 3]") + _layer("InnerProduct", FILLED.format("type: 'gaussian' std: nan")), "must be above 0"),
        (_input("[2, 6, 3, 3]") + _layer("LRN", "lrn_param { local_size: 2147483647 }"), r"layer 'x' \(LRN\)"),
        (_input("[6, 0]") + LABEL + _layer("Accuracy", 'bottom: "label"'), "'x'.*more than its 0 classes"),
        (_input("[6, 0]") + LABEL + _layer("SoftmaxWithLoss", 'bottom: "label"'), "'x'.*empty bottom"),
        (_input("[6, 0]") + _layer("BatchNorm"), "'x'.*nothing to fill"),
        ('layer { name: "data" type: "Input" top: "data" input_param { } } ' + _layer("SPP"), r"layer 'x' \(SPP\)"),
        (
            _input("[2, 1, 6, 7]")
            + _layer("Pooling", 'top: "mask" pooling_param { kernel_size: 3 stride: 4294967295 pad: 2 }'),
            r"layer 'x' \(Pooling\)",
        ),
    ],
)
def test_absurd_net_is_refused_with_the_layers_name(content: str, problem: str):
    with pytest.raises(recaffe.CaffeError, match=problem):
        _run(content)


def test_mean_of_nothing_is_not_a_number():
    net = _run(_input("[2, 0]") + _layer("Reduction", "reduction_param { operation: MEAN axis: 1 }"))
    assert [math.isnan(value) for value in net.blobs["out"].data] == [True, True]
