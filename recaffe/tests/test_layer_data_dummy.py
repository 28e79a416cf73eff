"""DummyData: what is filled when, and what is refused. Its numbers are compared in test_layer_data_caffe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import recaffe
from recaffe.random_stream import RandomStream, global_stream

NET = 'layer {{ name: "d" type: "DummyData" top: "a" top: "b" dummy_data_param {{ {} }} }}'
SHAPE = "shape { dim: 2 dim: 3 }"
UNIFORM = 'data_filler { type: "uniform" }'
CONSTANT = 'data_filler { type: "constant" value: 4 }'


def test_without_filler_tops_are_zeros(make_net: Callable):
    net = make_net(NET.format(SHAPE))
    net.forward()
    assert net.blobs["a"].data.tolist() == net.blobs["b"].data.tolist() == [[0] * 3] * 2


def test_random_tops_are_filled_at_each_forward_in_their_order(make_net: Callable):
    net = make_net(NET.format(SHAPE + UNIFORM))
    words = RandomStream(7)
    for _ in range(2):
        net.forward()
        for top in "ab":
            assert net.blobs[top].data.ravel().tolist() == words.uniform(6, 0, 1).tolist()


def test_constant_tops_are_filled_once_and_take_no_words(make_net: Callable):
    net = make_net(NET.format(SHAPE + CONSTANT))
    net.blobs["a"].data[...] = 9
    net.forward()
    assert net.blobs["a"].data.tolist() == [[9] * 3] * 2 and net.blobs["b"].data.tolist() == [[4] * 3] * 2
    assert global_stream.word() == RandomStream(7).word()


def test_old_sizes_are_given_once_or_for_each_top(make_net: Callable):
    net = make_net(NET.format("num: 2 channels: 3 channels: 4 height: 5 width: 6 " + UNIFORM + CONSTANT))
    assert net.blobs["a"].shape == (2, 3, 5, 6) and net.blobs["b"].shape == (2, 4, 5, 6)
    net.forward()
    assert np.ptp(net.blobs["a"].data) > 0 and np.ptp(net.blobs["b"].data) == 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (SHAPE * 3, "has 3 shape for 2 tops; give one, or one for each"),
        ("", "has 0 shape for 2 tops"),
        ("num: 1 channels: 2 height: 3", "has 0 width for 2 tops"),
        ("num: 1 " + SHAPE, "has both shape and num, channels, height or width"),
        (SHAPE + UNIFORM * 3, "has 3 data_filler for 2 tops"),
        ("shape { dim: 0 }", "cannot fill its top: filler 'constant': an array of shape"),
    ],
)
def test_sizes_and_fillers_that_do_not_fit_are_refused(make_net: Callable, options: str, problem: str):
    with pytest.raises(recaffe.NetError, match=problem):
        make_net(NET.format(options))


def test_an_unknown_filler_is_refused_with_the_nearest_name(make_net: Callable):
    net = make_net(NET.format(SHAPE + 'data_filler { type: "unifrom" }'))
    with pytest.raises(recaffe.NetError, match=r"unknown filler 'unifrom'.*uniform"):
        net.forward()
