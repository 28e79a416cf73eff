"""Layers that join and pass on, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text


def test_concat_gives_each_bottom_its_part_of_the_gradient(make_net):
    layer = 'layer { name: "c" type: "Concat" bottom: "data" bottom: "more" top: "out" concat_param { axis: -1 } }'
    net = make_net(net_text(layer, data=(2, 1), more=(2, 2)))
    out = net.forward(data=np.array([[1], [2]]), more=np.array([[3, 4], [5, 6]]))["out"]
    np.testing.assert_array_equal(out, [[1, 3, 4], [2, 5, 6]])
    diffs = net.backward(out=out)
    np.testing.assert_array_equal(diffs["data"], [[1], [2]])
    np.testing.assert_array_equal(diffs["more"], [[3, 4], [5, 6]])


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("", (2, 12)), ("axis: 0", (24,)), ("axis: 1 end_axis: 1", (2, 3, 4)), ("axis: -2", (2, 12)),
     ("axis: 1 end_axis: 0", (2, 1, 3, 4))],
)  # fmt: skip
def test_flatten_joins_the_axes_from_axis_to_end_axis(axes, shape, make_net):
    layer = f'layer {{ name: "f" type: "Flatten" bottom: "data" top: "out" flatten_param {{ {axes} }} }}'
    net = make_net(net_text(layer, data=(2, 3, 4)))
    data = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(net.forward(data=data)["out"], data.reshape(shape))
    np.testing.assert_array_equal(net.backward(out=-data.reshape(shape))["data"], -data)


def test_split_adds_up_what_its_tops_send_down(make_net):
    net = make_net(net_text('layer { name: "s" type: "Split" bottom: "data" top: "a" top: "b" top: "c" }', data=(2,)))
    out = net.forward(data=np.array([1, 2]))
    assert [out[name].tolist() for name in "abc"] == [[1, 2]] * 3
    diff = net.backward(a=np.array([1, 2]), b=np.array([10, 20]), c=np.array([100, 200]))["data"]
    np.testing.assert_array_equal(diff, [111, 222])


def test_silence_swallows_its_bottoms_and_sends_zeros(make_net):
    net = make_net(net_text('layer { name: "s" type: "Silence" bottom: "data" bottom: "more" }', data=(2,), more=(3,)))
    assert net.forward() == {}
    net.blobs["data"].diff[...] = 5
    assert not net.backward()["data"].any()


def test_weighted_sum_sends_its_weights_down(make_net):
    param = "eltwise_param { coeff: 2 coeff: -3 }"
    layer = f'layer {{ name: "e" type: "Eltwise" bottom: "data" bottom: "more" top: "out" {param} }}'
    net = make_net(net_text(layer, data=(1,), more=(1,)))
    assert net.forward(data=np.array([5]), more=np.array([1]))["out"] == [7]
    diffs = net.backward(out=np.array([10]))
    assert (diffs["data"], diffs["more"]) == ([20], [-30])


TWO = 'bottom: "data" bottom: "more"'
REFUSED = [
    (f'type: "Concat" {TWO} top: "out"', "may differ on axis 1 only"),
    (f'type: "Concat" {TWO} top: "out" concat_param {{ axis: 1 concat_dim: 1 }}', "has axis and concat_dim"),
    (f'type: "Concat" {TWO} top: "out" concat_param {{ axis: 3 }}', "needs axis 3"),
    (f'type: "Eltwise" {TWO} top: "out"', "has bottoms of shapes"),
    ('type: "Eltwise" bottom: "data" top: "out"', "has 1 bottom blobs, expected 2 or more"),
    (f'type: "Eltwise" {TWO} top: "out" eltwise_param {{ coeff: 1 }}', "has 1 coeff for 2 bottoms"),
    (f'type: "Eltwise" {TWO} top: "out" eltwise_param {{ operation: PROD coeff: 1 coeff: 1 }}', "PROD none"),
    ('type: "Flatten" bottom: "data" top: "out" flatten_param { axis: 2 end_axis: 0 }', "behind end_axis 0"),
    ('type: "Flatten" bottom: "data" top: "data"', "cannot work in place"),
    ('type: "Parameter" bottom: "data" top: "out"', "has 1 bottom blobs, expected 0"),
    ('type: "Silence" top: "out"', "has 0 bottom blobs, expected 1 or more"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED, ids=[problem[:30] for _, problem in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(options, problem, make_net):
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(
            net_text(f'layer {{ name: "odd one" {options} }}', data=(2, 3, 4), more=(2, 3, 5), force_backward=False)
        )
