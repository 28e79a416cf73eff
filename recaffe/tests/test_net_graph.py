"""How a net is put together: rules, splits, in-place tops, shared weights, and who needs a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from recaffe.proto import caffe_pb2, text

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }\n'
LABEL = 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'


def ip(name: str, bottom: str, lr_mult: float = 1, top: str = "", more: str = "") -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top or name}" '
        f"param {{ lr_mult: {lr_mult} }} param {{ lr_mult: {lr_mult} }} {more} "
        'inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }\n'
    )


def loss(bottom: str, name: str = "loss") -> str:
    return f'layer {{ name: "{name}" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "{name}" }}\n'


def backward_layers(net: recaffe.Net) -> list[str]:
    return [layer.name for layer in net.layers if layer.needs_backward]


def test_blob_used_twice_is_split_under_caffes_names(make_net):
    net = make_net(DATA + ip("a", "data") + ip("b", "a") + ip("c", "a"))
    assert net._layer_names == ["data", "a", "a_a_0_split", "b", "c"]
    assert list(net.blobs) == ["data", "a", "a_a_0_split_0", "a_a_0_split_1", "b", "c"]
    assert net.bottom_names["c"] == ["a_a_0_split_1"]
    assert net.top_names["a_a_0_split"] == ["a_a_0_split_0", "a_a_0_split_1"]


def test_split_follows_the_last_layer_that_worked_in_place(make_net):
    relu = 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }\n'
    net = make_net(DATA + ip("a", "data") + relu + ip("b", "a") + ip("c", "a"))
    assert net._layer_names == ["data", "a", "relu", "a_relu_0_split", "b", "c"]
    assert list(net.blobs)[:2] == ["data", "a"]


def test_weighted_top_that_is_also_read_is_split(make_net):
    net = make_net(DATA + ip("a", "data", more="loss_weight: 0.5") + ip("b", "a"))
    assert net._layer_names == ["data", "a", "a_a_0_split", "b"]
    assert net.bottom_names["b"] == ["a_a_0_split_1"]
    assert net.blob_loss_weights["a_a_0_split_0"] == 0.5
    assert net.blob_loss_weights["a"] == 0


def test_inputs_and_outputs_are_found_and_outputs_sorted(make_net):
    net = make_net(DATA + LABEL + ip("z", "data") + ip("y", "data") + loss("z", "a_loss"))
    assert net.inputs == ["data", "label"]
    assert net.outputs == ["a_loss", "y"]


def test_layers_below_the_first_learning_one_are_not_back_propagated(make_net):
    net = make_net(DATA + LABEL + ip("a", "data", 0) + ip("b", "a", 0) + ip("c", "b") + ip("d", "c", 0) + loss("d"))
    assert backward_layers(net) == ["c", "d", "loss"]
    net.forward(data=np.ones((2, 3)), label=np.zeros(2))
    net.backward()
    assert net.params["c"][0].diff.any()
    for name in ("a", "b", "d"):
        assert not net.params[name][0].diff.any()
    assert not net.blobs["b"].diff.any()


def test_what_no_loss_sees_needs_no_gradient(make_net):
    net = make_net(DATA + LABEL + ip("a", "data") + ip("side", "a") + ip("c", "a") + loss("c"))
    assert backward_layers(net) == ["a", "a_a_0_split", "c", "loss"]


def test_propagate_down_false_stops_the_gradient(make_net):
    net = make_net(DATA + LABEL + ip("a", "data") + ip("b", "a", more="propagate_down: false") + loss("b"))
    assert backward_layers(net) == ["b", "loss"]


def test_force_backward_reaches_the_data(make_net):
    net = make_net("force_backward: true\n" + DATA + LABEL + ip("a", "data", 0) + loss("a"))
    net.forward(data=np.ones((2, 3)), label=np.zeros(2))
    assert net.backward()["data"].any()
    assert net.params["a"][0].diff.any()


RULES = DATA + "".join(
    ip(name, "data", more=rule)
    for name, rule in [
        ("always", ""),
        ("train", "include { phase: TRAIN }"),
        ("not_test", "exclude { phase: TEST }"),
        ("either", 'include { stage: "a" } include { stage: "b" }'),
        ("both", 'include { stage: "a" stage: "b" }'),
        ("not_a", 'include { not_stage: "a" }'),
        ("level_1_up", "include { min_level: 1 }"),
        ("level_0_only", "include { min_level: 0 max_level: 0 }"),
    ]
)


@pytest.mark.parametrize(
    ("phase", "level", "stages", "kept"),
    [
        (recaffe.TRAIN, 0, [], ["train", "not_test", "not_a", "level_0_only"]),
        (recaffe.TEST, 0, [], ["not_a", "level_0_only"]),
        (recaffe.TEST, 1, ["a"], ["either", "level_1_up"]),
        (recaffe.TEST, 2, ["a", "b"], ["either", "both", "level_1_up"]),
    ],
)
def test_rules_keep_layers_by_phase_level_and_stage(phase, level, stages, kept, make_net):
    net = make_net(RULES, phase, level=level, stages=stages)
    assert list(net.params) == ["always", *kept]


def test_weights_of_one_name_are_one_array_with_one_gradient(make_net):
    shared = 'param { name: "w" } param { name: "b" }'
    text = DATA + LABEL
    for name, bottom in (("a", "data"), ("b", "a")):
        text += ip(name, bottom).replace("param { lr_mult: 1 } param { lr_mult: 1 }", shared)
    net = make_net(text + loss("b"))
    assert len(net.learnable) == 2
    net.params["a"][0].data[0, 0] = 42
    assert net.params["b"][0].data[0, 0] == 42
    net.forward(data=np.ones((2, 3)), label=np.zeros(2))
    net.backward()
    np.testing.assert_array_equal(net.params["a"][0].diff, net.params["b"][0].diff)


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ('param { name: "w" lr_mult: 2 }', "another lr_mult than 1"),
        ('param { name: "w" decay_mult: 2 }', "another decay_mult than 1"),
        ('param { name: "w" } transposed', r"shape is \(3, 3\), here \(2, 3\) is needed"),
    ],
)
def test_weights_that_cannot_be_shared_are_refused(second, problem, make_net):
    first = ip("a", "data").replace(
        "param { lr_mult: 1 } param { lr_mult: 1 }", 'param { name: "w" lr_mult: 1 decay_mult: 1 }'
    )
    other = ip("b", "data").replace("param { lr_mult: 1 } param { lr_mult: 1 }", second.replace("transposed", ""))
    if "transposed" in second:
        other = other.replace("num_output: 3", "num_output: 2")
    with pytest.raises(recaffe.NetError, match=f"layer 'b' .*{problem}"):
        make_net(DATA + first + other)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ip("a", "dta"), "layer 'a' reads the unknown blob 'dta'; made by layers before it: 'data'"),
        (ip("a", "data") + ip("b", "data", top="a"), "layer 'b' makes the blob 'a', which a layer before it makes"),
        (ip("a", "data", more="include { phase: TRAIN } exclude { phase: TEST }"), "include and exclude rules"),
    ],
)
def test_net_that_does_not_fit_together_is_refused(text, problem, make_net):
    with pytest.raises(recaffe.NetError, match=problem):
        make_net(DATA + text)


def test_old_layers_that_nobody_upgraded_are_refused_and_not_left_out():
    param = text.parse("name: 'old' layers { name: 'a' type: RELU }", caffe_pb2.NetParameter)
    with pytest.raises(recaffe.NetError, match="'old' has 1 `layers` of an old form"):
        recaffe.Net.from_param(param)
