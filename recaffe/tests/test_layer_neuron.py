"""Layers that give each value its own, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text
from random_nets.neuron import COPY
from recaffe.random_stream import RandomStream, global_stream

F32 = np.float32
LOG_2, LOG_3 = np.log(2), np.log(3)


def values_and_gradients(make_net, layer: str, data: list[float], gradient: float = 1.0) -> tuple[list, list]:
    """What a layer makes of a row of numbers, and the row's diff when the top's is `gradient` everywhere."""
    net = make_net(net_text(f'layer {{ name: "layer" bottom: "data" top: "out" {layer} }}', data=(1, len(data))))
    found = net.forward(data=np.array([data]))["out"][0].tolist()
    diff = net.backward(out=np.full((1, len(data)), gradient))["data"][0].tolist()
    return pytest.approx(found, rel=1e-6), pytest.approx(diff, rel=1e-6)


SWISH, SWISH_SLOPES = [0, 0.375 * LOG_3], [0.5, 0.75 + 0.1875 * LOG_3]
BY_HAND = {
    "AbsVal": ('type: "AbsVal"', [-3, 0, 2], [3, 0, 2], [-1, 0, 1]),
    "BNLL": ('type: "BNLL"', [-1000, 0, 1000], [0, LOG_2, 1000], [0, 0.5, 1]),
    "Clip": ('type: "Clip" clip_param { min: -1 max: 2 }', [-3, -1, 0, 2, 3], [-1, -1, 0, 2, 2], [0, 1, 1, 1, 0]),
    "ELU": ('type: "ELU" elu_param { alpha: 2 }', [-LOG_2, 0, 3], [-1, 0, 3], [1, 2, 1]),
    "Exp": ('type: "Exp" exp_param { base: 2 scale: 3 shift: 1 }', [0, 1], [2, 16], 3 * LOG_2 * np.array([2, 16])),
    "Log": ('type: "Log" log_param { base: 2 scale: 3 shift: 1 }', [1, 5], [2, 4], [0.75 / LOG_2, 0.1875 / LOG_2]),
    "PReLU": ('type: "PReLU"', [-4, 0, 4], [-1, 0, 4], [0.25, 0.25, 1]),
    "Power": ('type: "Power" power_param { power: 3 scale: 2 shift: 1 }', [0, 1], [1, 27], [6, 54]),
    "Power of 4": ('type: "Power" power_param { power: -1 scale: 0 shift: 4 }', [np.nan, 1], [0.25] * 2, [0, 0]),
    "Sigmoid": ('type: "Sigmoid"', [0, LOG_3], [0.5, 0.75], [0.25, 0.1875]),
    "Swish": ('type: "Swish" swish_param { beta: 2 }', [0, LOG_3 / 2], SWISH, SWISH_SLOPES),
    "TanH": ('type: "TanH"', [0, LOG_2], [0, 0.6], [1, 0.64]),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_values_and_gradients_are_those_by_hand(name, make_net):
    layer, data, expected, slopes = BY_HAND[name]
    found, diff = values_and_gradients(make_net, layer, data, gradient=10)
    assert found == list(expected)
    assert diff == [10 * slope for slope in slopes]


def test_threshold_is_one_only_above_it_and_has_no_gradient(make_net):
    layer = 'layer { name: "t" type: "Threshold" bottom: "data" top: "out" threshold_param { threshold: 2 } }'
    net = make_net(net_text(layer, data=(3,)))
    assert net.forward(data=np.array([1, 2, 3]))["out"].tolist() == [0, 0, 1]
    with pytest.raises(recaffe.NetError, match=r"'t' \(Threshold\) has no gradient"):
        net.backward(out=np.ones(3))


def test_prelu_learns_its_slopes_from_what_it_overwrote(make_net):
    layer = COPY % "data" + 'layer { name: "p" type: "PReLU" bottom: "copy" top: "copy" }'
    net = make_net(net_text(layer, data=(2, 2)))
    net.forward(data=np.array([[-4, 8], [-2, -6]]))
    np.testing.assert_array_equal(net.blobs["copy"].data, [[-1, 8], [-0.5, -1.5]])
    net.backward(copy=np.array([[1, 10], [100, 1000]]))
    np.testing.assert_array_equal(net.params["p"][0].diff, [-204, -6000])


def test_power_in_place_squares_its_derivative_as_caffe_does(make_net):
    layer = COPY % "data" + 'layer { name: "p" type: "Power" bottom: "copy" top: "copy" power_param { scale: 3 } }'
    net = make_net(net_text(layer, data=(2,)))
    net.forward(data=np.array([1, 2]))
    np.testing.assert_array_equal(net.backward(copy=np.array([5, 7]))["data"], [9, 9])


def test_dropout_of_ratio_0_keeps_all_and_still_draws(make_net):
    layer = 'layer { name: "d" type: "Dropout" bottom: "data" top: "out" dropout_param { dropout_ratio: 0 } }'
    net = make_net(net_text(layer, data=(5,)))
    data = np.arange(5, dtype=F32)
    np.testing.assert_array_equal(net.forward(data=data)["out"], data)
    assert global_stream.word() == RandomStream(7).words(6)[5]


def test_prelu_refuses_other_channels_than_it_has_slopes_for(make_net):
    net = make_net(net_text('layer { name: "p" type: "PReLU" bottom: "data" top: "out" }', data=(2, 3)))
    net.blobs["data"].reshape(2, 4)
    with pytest.raises(recaffe.NetError, match=r"'p' \(PReLU\) has slopes of shape \(3,\), .* \(2, 4\)"):
        net.forward()


REFUSED = [
    ('type: "AbsVal" bottom: "data" top: "data"', "cannot work in place"),
    ('type: "Clip" bottom: "data" top: "out"', "needs clip_param"),
    ('type: "Exp" bottom: "data" top: "out" exp_param { base: 0 }', "has base 0, expected a number above 0"),
    ('type: "Log" bottom: "data" top: "out" log_param { base: -2 }', "has base -2, expected a number above 0"),
    ('type: "Log" bottom: "data" top: "out" log_param { base: 1 }', "has base 1, to which there is no logarithm"),
    ('type: "PReLU" bottom: "data" top: "out"', r"shape \(4,\), expected 2 axes or more"),
    ('type: "TanH" bottom: "data" top: "out" top: "more"', "has 2 top blobs, expected 1"),
    ('type: "Dropout" bottom: "data" top: "out" dropout_param { dropout_ratio: 1 }', "has dropout_ratio 1.0"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED, ids=[problem[:30] for _, problem in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(options, problem, make_net):
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(f'layer {{ name: "odd one" {options} }}', data=(4,)))
