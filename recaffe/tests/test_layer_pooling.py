"""Pooling by hand: sizes, edges, and what STOCHASTIC draws."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text

F32 = np.float32


def forward(net: recaffe.Net, data: np.ndarray) -> np.ndarray:
    return net.forward(data=data)["out"].copy()


def test_pooling_rounds_up(make_net):
    """A 4 x 4 image under 3 x 3 windows with stride 2: a second window begins at 2 and is cut at the edge."""
    layer = 'layer { name: "p" type: "Pooling" bottom: "data" top: "out" pooling_param { kernel_size: 3 stride: 2 } }'
    image = np.arange(16, dtype=F32).reshape(1, 1, 4, 4)
    found = forward(make_net(net_text(layer, data=(1, 1, 4, 4))), image)
    np.testing.assert_array_equal(found[0, 0], [[10, 11], [14, 15]])


def test_average_pooling_counts_the_padding_but_not_what_lies_beyond_it(make_net):
    """3 x 3 ones, pad 1, windows of 2 with stride 2: the corner has one 1 in four places, the last window is whole."""
    layer = (
        'layer { name: "p" type: "Pooling" bottom: "data" top: "out" '
        "pooling_param { pool: AVE kernel_size: 2 stride: 2 pad: 1 } }"
    )
    found = forward(make_net(net_text(layer, data=(1, 1, 3, 3))), np.ones((1, 1, 3, 3), F32))
    np.testing.assert_allclose(found[0, 0], [[0.25, 0.5], [0.5, 1.0]])
    rounding = layer.replace("kernel_size: 2 stride: 2 pad: 1", "kernel_size: 3 stride: 2")
    found = forward(make_net(net_text(rounding, data=(1, 1, 4, 4))), np.ones((1, 1, 4, 4), F32))
    np.testing.assert_allclose(found[0, 0], np.ones((2, 2)))  # a cut window is divided by what is left of it


def test_padded_pooling_drops_a_last_window_beyond_the_image(make_net):
    """Size 5, pad 1, kernel 2, stride 3: rounding up would place a third window at 5, outside the image."""
    layer = (
        'layer { name: "p" type: "Pooling" bottom: "data" top: "out" '
        "pooling_param { kernel_size: 2 stride: 3 pad: 1 } }"
    )
    assert make_net(net_text(layer, data=(1, 1, 5, 5))).blobs["out"].shape == (1, 1, 2, 2)


def test_of_equal_maxima_the_first_gets_the_gradient(make_net):
    layer = 'layer { name: "p" type: "Pooling" bottom: "data" top: "out" pooling_param { kernel_size: 2 stride: 2 } }'
    net = make_net(net_text(layer, data=(1, 1, 2, 2)))
    net.forward(data=np.full((1, 1, 2, 2), 7, F32))
    diff = net.backward(out=np.ones((1, 1, 1, 1), F32))["data"]
    np.testing.assert_array_equal(diff[0, 0], [[1, 0], [0, 0]])


STOCHASTIC = (
    'layer { name: "p" type: "Pooling" bottom: "data" top: "out" pooling_param { pool: STOCHASTIC kernel_size: 2 %s } }'
)


def test_stochastic_pooling_takes_the_value_at_which_the_sum_reaches_the_drawn_share(make_net):
    """Seed 7 draws 0.0763, 0.2273 and 0.7799: of the sums 1, 3, 6, 10 the first at 0.763, 2.273 and 7.799 is taken."""
    net = make_net(net_text(STOCHASTIC % "stride: 2", data=(1, 3, 2, 2)))
    images = np.tile(np.array([[1, 2], [3, 4]], F32), (1, 3, 1, 1))
    np.testing.assert_array_equal(forward(net, images).ravel(), [1, 2, 4])
    diff = net.backward(out=np.array([5, 6, 7], F32).reshape(1, 3, 1, 1))["data"]
    np.testing.assert_array_equal(diff[0], [[[5, 0], [0, 0]], [[0, 6], [0, 0]], [[0, 0], [0, 7]]])


@pytest.mark.parametrize("set_mode", ["set_mode_cpu", pytest.param("set_mode_gpu", marks=pytest.mark.gpu)])
def test_stochastic_pooling_takes_values_as_often_as_they_are_large(set_mode, make_net):
    import torch

    if set_mode == "set_mode_gpu" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    getattr(recaffe, set_mode)()
    try:
        net = make_net(net_text(STOCHASTIC % "stride: 2", data=(1, 1, 200, 200)))
        found = forward(net, np.tile(np.array([[1, 2], [3, 4]], F32), (1, 1, 100, 100)))
    finally:
        recaffe.set_mode_cpu()
    shares = np.bincount(found.astype(int).ravel()) / found.size
    np.testing.assert_allclose(shares, [0, 0.1, 0.2, 0.3, 0.4], atol=0.015)


def test_stochastic_pooling_adds_the_gradients_of_windows_that_take_the_same_value(make_net):
    """A single 5 in the middle of zeros: all four windows of 2 x 2 take it."""
    net = make_net(net_text(STOCHASTIC % "", data=(1, 1, 3, 3)))
    image = np.zeros((1, 1, 3, 3), F32)
    image[0, 0, 1, 1] = 5
    np.testing.assert_array_equal(forward(net, image), np.full((1, 1, 2, 2), 5))
    diff = net.backward(out=np.array([1, 10, 100, 1000], F32).reshape(1, 1, 2, 2))["data"]
    np.testing.assert_array_equal(diff, image / 5 * 1111)


def test_stochastic_pooling_expects_at_test_and_cuts_windows_at_the_edge(make_net):
    """Windows 1 2 4 5, then 3 6, 7 8, and 0 alone: (1 + 4 + 16 + 25) / 12, (9 + 36) / 9, (49 + 64) / 15, and 0."""
    net = make_net(net_text(STOCHASTIC % "stride: 2", data=(1, 1, 3, 3)), recaffe.TEST)
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 0]], F32).reshape(1, 1, 3, 3)
    np.testing.assert_allclose(forward(net, image).ravel(), [46 / 12, 5, 113 / 15, 0], rtol=1e-6)
    with pytest.raises(recaffe.NetError, match=r"'p' .*STOCHASTIC at TRAIN"):
        net.backward(out=np.ones((1, 1, 2, 2), F32))


def test_global_pooling_follows_the_size_of_its_bottom(make_net):
    layer = (
        'layer { name: "p" type: "Pooling" bottom: "data" top: "out" pooling_param { pool: AVE global_pooling: true } }'
    )
    net = make_net(net_text(layer, data=(1, 1, 2, 2)))
    net.blobs["data"].reshape(1, 1, 3, 5)
    assert forward(net, np.full((1, 1, 3, 5), 2, F32)).tolist() == [[[[2]]]]


REFUSED = [
    ("kernel_size: 2 pad: 2", "not smaller than its kernel"),
    ("kernel_size: 1 stride: 3", "wholly outside"),
    ("kernel_h: 2", "needs either kernel_size, or both kernel_h and kernel_w"),
    ("kernel_size: 2 pad: 1 pad_h: 1 pad_w: 1", "needs either pad, or both pad_h and pad_w"),
    ("stride: 2", "has no kernel_size"),
    ("kernel_size: 6", "on a smaller bottom"),
    ("global_pooling: true kernel_size: 2", "global_pooling and a kernel"),
    ("global_pooling: true stride: 2", "leave them out"),
    ("pool: STOCHASTIC kernel_size: 2 pad: 1", "which STOCHASTIC pooling cannot have"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED, ids=[problem[:30] for _, problem in REFUSED])
def test_impossible_pooling_is_refused_with_its_name_and_reason(options, problem, make_net):
    layer = f'layer {{ name: "odd one" type: "Pooling" bottom: "data" top: "out" pooling_param {{ {options} }} }}'
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(layer, data=(2, 4, 5, 5)))
