"""BatchNorm, MVN, Scale and Bias by hand and against slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text

F32 = np.float32


def layer_text(options: str, bottoms: str = 'bottom: "data"') -> str:
    return f'layer {{ name: "layer" {bottoms} top: "out" {options} }}'


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
@pytest.mark.parametrize(("axis", "num_axes", "shape"), [(1, 1, (3,)), (0, 2, (2, 3)), (-2, -1, (3, 2)), (2, 0, ())])
def test_operand_is_repeated_over_the_axes_it_lacks(kind, axis, num_axes, shape, make_net):
    param = f"{kind.lower()}_param {{ axis: {axis} num_axes: {num_axes} }}"
    net = make_net(net_text(layer_text(f'type: "{kind}" {param}'), data=(2, 3, 2)))
    assert net.params["layer"][0].data.shape == shape
    numbers = np.random.RandomState(0)
    data, gradient = numbers.randn(2, 3, 2).astype(F32), numbers.randn(2, 3, 2).astype(F32)
    operand = net.params["layer"][0].data
    operand[...] = numbers.randn(*shape)
    found = net.forward(data=data)["out"]
    diff = net.backward(out=gradient)["data"]
    expected = np.zeros(shape, F32)
    for place in np.ndindex(2, 3, 2):
        own = place[axis % 3 :][: len(shape)]
        value = data[place] * operand[own] if kind == "Scale" else data[place] + operand[own]
        assert found[place] == pytest.approx(value, rel=1e-6)
        assert diff[place] == pytest.approx(gradient[place] * (operand[own] if kind == "Scale" else 1), rel=1e-6)
        expected[own] += gradient[place] * (data[place] if kind == "Scale" else 1)
    np.testing.assert_allclose(net.params["layer"][0].diff, expected, rtol=1e-5)


def test_gradient_of_a_factor_for_every_value_replaces_the_one_before_as_in_caffe(make_net):
    net = make_net(net_text(layer_text('type: "Scale" scale_param { axis: 0 num_axes: -1 }'), data=(3,)))
    for number in (1, 2):
        net.forward(data=np.full(3, number))
        net.backward(out=np.ones(3))
    np.testing.assert_array_equal(net.params["layer"][0].diff, [2, 2, 2])


def test_batch_norm_gathers_a_moving_sum_of_means_and_unbiased_variances(make_net):
    """Batches -1 1 and 3 7: means 0 and 5, variances 1 and 4, times n / (n - 1) = 2; what is old counts half."""
    param = "batch_norm_param { moving_average_fraction: 0.5 }"
    net = make_net(net_text(layer_text(f'type: "BatchNorm" {param}'), data=(2, 1)))
    net.forward(data=np.array([[-1], [1]]))
    net.forward(data=np.array([[3], [7]]))
    assert [blob.data.item() for blob in net.params["layer"]] == [5, 9, 1.5]


def test_batch_norm_divides_what_it_gathered_by_its_weight(make_net):
    net = make_net(net_text(layer_text('type: "BatchNorm" batch_norm_param { eps: 0 }'), data=(1, 1)), recaffe.TEST)
    for blob, value in zip(net.params["layer"], (10, 8, 2), strict=True):  # mean 5, variance 4
        blob.data[...] = value
    assert net.forward(data=np.array([[9]]))["out"].item() == pytest.approx(2)
    assert net.backward(out=np.array([[6]]))["data"].item() == pytest.approx(3)


def test_mvn_has_mean_0_and_variance_1_in_each_image_and_channel(make_net):
    net = make_net(net_text(layer_text('type: "MVN"'), data=(1, 2, 1, 2)))
    found = net.forward(data=np.array([1, 3, 10, 30]).reshape(1, 2, 1, 2))["out"]
    np.testing.assert_allclose(found.ravel(), [-1, 1, -1, 1], rtol=1e-6)


def test_mvn_gives_four_axes_as_caffe_does(make_net):
    net = make_net(net_text(layer_text('type: "MVN" mvn_param { across_channels: true }'), data=(1, 2)))
    assert net.forward(data=np.array([[1, 3]]))["out"].shape == (1, 2, 1, 1)


TWO = 'bottom: "data" bottom: "more"'
REFUSED = [
    ('type: "Scale" scale_param { num_axes: 4 }', 'bottom: "data"', "has num_axes 4 from axis 1 on"),
    ('type: "Bias" bias_param { num_axes: -2 }', 'bottom: "data"', "has num_axes -2"),
    ('type: "Bias" bias_param { axis: 3 }', 'bottom: "data"', "needs axis 3"),
    ('type: "Bias" bias_param { axis: 1 }', TWO, r"has an operand of shape \(2,\) for axis 1 on"),
    ('type: "Scale" scale_param { axis: 2 }', TWO, r"has an operand of shape \(2,\) for axis 2 on"),
    ('type: "BatchNorm" param { lr_mult: 1 }', 'bottom: "data"', "has lr_mult 1, .* set it to 0"),
    ('type: "Scale" scale_param { num_axes: 0 filler { type: "xavier" } }', 'bottom: "data"', "a single number"),
    ('type: "BatchNorm"', 'bottom: "none"', "has no values to take statistics of"),
    ('type: "BatchNorm"', 'bottom: "more"', r"shape \(2,\), expected 2 axes or more"),
    ('type: "LRN"', 'bottom: "data"', "expected 4 axes"),
    ('type: "MVN"', 'bottom: "five"', "expected at most 4 axes"),
]


@pytest.mark.parametrize(("options", "bottoms", "problem"), REFUSED, ids=[problem[:30] for *_, problem in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(options, bottoms, problem, make_net):
    text = net_text(layer_text(options, bottoms), data=(2, 3, 4), more=(2,), five=(1, 1, 1, 1, 2), none=(0, 3))
    with pytest.raises(recaffe.NetError, match=f"layer 'layer' .*{problem}"):
        make_net(text)
