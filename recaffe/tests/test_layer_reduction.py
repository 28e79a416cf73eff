"""Reduction, ArgMax, Embed and Parameter by hand."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text

F32 = np.float32


@pytest.mark.parametrize(
    ("operation", "expected", "slopes"),
    [
        ("SUM", [4, -6], [[2, 2, 2], [2, 2, 2]]),
        ("MEAN", [4 / 3, -2], [[2 / 3] * 3, [2 / 3] * 3]),
        ("ASUM", [12, 6], [[2, -2, 2], [0, -2, 0]]),
        ("SUMSQ", [28, 18], [[4, -8, 12], [0, -12, 0]]),
    ],
)
def test_reduction_takes_all_axes_from_its_own_on(operation, expected, slopes, make_net):
    """Rows 1 -2 3 and 0 -3 0, coefficient 2."""
    param = f"reduction_param {{ operation: {operation} axis: 1 coeff: 2 }}"
    net = make_net(net_text(f'layer {{ name: "r" type: "Reduction" bottom: "data" top: "out" {param} }}', data=(2, 3)))
    found = net.forward(data=np.array([[1, -2, 3], [0, -3, 0]]))["out"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(net.backward(out=np.array([1, 1]))["data"], slopes, rtol=1e-6)


ARGMAX = 'layer { name: "a" type: "ArgMax" bottom: "data" top: "out" argmax_param { %s } }'


def test_argmax_puts_the_last_of_equal_values_first(make_net):
    net = make_net(net_text(ARGMAX % "top_k: 4", data=(1, 5), force_backward=False))
    found = net.forward(data=np.array([[7, 1, 7, 9, 1]]))["out"]
    np.testing.assert_array_equal(found, [[[3, 2, 0, 4]]])


def test_argmax_gives_places_then_values_of_each_image(make_net):
    net = make_net(net_text(ARGMAX % "top_k: 2 out_max_val: true", data=(2, 3, 1, 1), force_backward=False))
    found = net.forward(data=np.array([[5, 6, 4], [-1, -3, -2]]).reshape(2, 3, 1, 1))["out"]
    assert found.shape == (2, 2, 2, 1)
    np.testing.assert_array_equal(found[..., 0], [[[1, 0], [6, 5]], [[0, 2], [-1, -2]]])


def test_argmax_along_an_axis_keeps_the_other_axes(make_net):
    net = make_net(net_text(ARGMAX % "axis: 1", data=(1, 2, 3), force_backward=False))
    found = net.forward(data=np.array([[[1, 5, 3], [4, 2, 3]]]))["out"]
    np.testing.assert_array_equal(found, [[[1, 0, 1]]])


@pytest.mark.parametrize(("options", "values"), [("top_k: 0", 4), ("top_k: 5", 4), ("axis: 1 top_k: 3", 2)])
def test_argmax_refuses_more_places_than_there_are(options, values, make_net):
    with pytest.raises(recaffe.NetError, match=rf"'a' \(ArgMax\) has top_k .*, expected 1 to {values}"):
        make_net(net_text(ARGMAX % options, data=(3, 2, 2)))


def test_argmax_has_no_gradient(make_net):
    net = make_net(net_text(ARGMAX % "", data=(1, 2)))
    net.forward()
    with pytest.raises(recaffe.NetError, match=r"'a' \(ArgMax\) has no gradient"):
        net.backward(out=np.ones((1, 1, 1)))


EMBED = """layer { name: "e" type: "Embed" bottom: "data" top: "out" propagate_down: false embed_param {
  input_dim: 3 num_output: 2 bias_term: %s } }
layer { name: "r" type: "Reduction" bottom: "out" top: "loss" loss_weight: 1 }"""


def test_embed_gives_a_row_for_each_number_and_adds_up_the_rows_gradients(make_net):
    net = make_net(net_text(EMBED % "true", data=(3,), force_backward=False))
    net.params["e"][0].data[...] = [[1, 2], [3, 4], [5, 6]]
    net.params["e"][1].data[...] = [10, 20]
    net.forward(data=np.array([2, 0, 2]))
    np.testing.assert_array_equal(net.blobs["out"].data, [[15, 26], [11, 22], [15, 26]])
    net.backward()
    np.testing.assert_array_equal(net.params["e"][0].diff, [[1, 1], [0, 0], [2, 2]])
    np.testing.assert_array_equal(net.params["e"][1].diff, [3, 3])


@pytest.mark.parametrize("number", [3, -1])
def test_embed_names_the_number_that_has_no_row(number, make_net):
    net = make_net(net_text(EMBED % "false", data=(2,), force_backward=False))
    with pytest.raises(recaffe.NetError, match=f"'e' .* reads {number} at place 1 of its bottom, expected 0 to 2"):
        net.forward(data=np.array([0, number]))


def test_embed_sends_nothing_to_its_bottom_even_when_forced(make_net):
    net = make_net(net_text(EMBED % "false", data=(2,)))
    net.forward()
    with pytest.raises(recaffe.NetError, match=r"'e' .* cannot send a gradient to its bottom"):
        net.backward()


PARAMETER = """layer { name: "p" type: "Parameter" top: "weight" parameter_param { shape { dim: 3 } } }
layer { name: "b" type: "Bias" bottom: "data" bottom: "weight" top: "out" }"""


def test_parameter_is_its_weight(make_net):
    net = make_net(net_text(PARAMETER, data=(2, 3)))
    net.params["p"][0].data[...] = [1, 2, 3]
    np.testing.assert_array_equal(net.forward(data=np.zeros((2, 3)))["out"], [[1, 2, 3]] * 2)
    net.backward(out=np.ones((2, 3)))
    np.testing.assert_array_equal(net.params["p"][0].diff, [2, 2, 2])


def test_parameter_learns(make_solver):
    """Two steps of rate 0.1 on the sum of 2 (0 + weight): the weight falls by 0.2 each time."""
    net = net_text(PARAMETER, data=(2, 3), force_backward=False)
    net += ' layer { name: "r" type: "Reduction" bottom: "out" top: "loss" loss_weight: 1 }'
    solver = make_solver(net, 'base_lr: 0.1 lr_policy: "fixed" max_iter: 2')
    solver.step(2)
    np.testing.assert_allclose(solver.net.params["p"][0].data, [-0.4] * 3, rtol=1e-6)
