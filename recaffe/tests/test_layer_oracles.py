"""Layers against cases drawn by hand and slow numpy loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import recaffe

F32 = np.float32


def net_text(layer: str, *shapes: tuple[int, ...], names: tuple[str, ...] = ("data", "label")) -> str:
    """Input layers `data` (and `label`) of these shapes, and one layer."""
    text = "force_backward: true\n"
    for name, shape in zip(names, shapes, strict=False):
        dims = " ".join(f"dim: {size}" for size in shape)
        text += f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
    return text + layer


def forward(net: recaffe.Net, data: np.ndarray, **others: np.ndarray) -> np.ndarray:
    return next(iter(net.forward(data=data, **others).values())).copy()


def test_convolution_is_the_slow_loop(make_net):
    layer = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "out" convolution_param { num_output: 4 group: 2 '
        "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 2 dilation: 2 "
        'weight_filler { type: "gaussian" std: 1 } bias_filler { type: "uniform" } } }'
    )
    net = make_net(net_text(layer, (2, 2, 6, 5)))
    data = np.random.RandomState(0).randn(2, 2, 6, 5).astype(F32)
    found, (weight, bias) = forward(net, data), (blob.data for blob in net.params["c"])
    padded = np.pad(data, ((0, 0), (0, 0), (1, 1), (2, 2)))
    rows, columns = (8 - 3) // 2 + 1, 9 - 5 + 1
    assert found.shape == (2, 4, rows, columns)
    for n, o, y, x in np.ndindex(2, 4, rows, columns):
        total = bias[o]
        for i, j in np.ndindex(2, 3):
            total += weight[o, 0, i, j] * padded[n, o // 2, 2 * y + 2 * i, x + 2 * j]
        assert found[n, o, y, x] == pytest.approx(total, rel=1e-5, abs=1e-6)


def test_lrn_divides_alpha_by_the_size(make_net):
    """Channels 1 2 3, size 3, alpha 3, beta 1: the middle one is 2 / (1 + 3/3 (1 + 4 + 9)); the first sees two."""
    layer = 'layer { name: "n" type: "LRN" bottom: "data" top: "out" lrn_param { local_size: 3 alpha: 3 beta: 1 } }'
    found = forward(make_net(net_text(layer, (1, 3, 1, 1))), np.array([1, 2, 3], F32).reshape(1, 3, 1, 1))
    np.testing.assert_allclose(found.ravel(), [1 / 6, 2 / 15, 3 / 14], rtol=1e-6)


@pytest.mark.parametrize(("size", "channels"), [(1, 4), (3, 2), (5, 9), (7, 8), (13, 20)])
def test_lrn_is_the_slow_loop_for_every_size(size, channels, make_net):
    layer = (
        'layer { name: "n" type: "LRN" bottom: "data" top: "out" '
        f"lrn_param {{ local_size: {size} alpha: 0.9 beta: 0.75 k: 1.5 }} }}"
    )
    data = np.random.RandomState(2).randn(2, channels, 3, 2).astype(F32)
    found, half = forward(make_net(net_text(layer, data.shape)), data), size // 2
    for c in range(channels):
        around = (data[:, max(0, c - half) : c + half + 1].astype(np.float64) ** 2).sum(1)
        np.testing.assert_allclose(found[:, c], data[:, c] * (1.5 + 0.9 / size * around) ** -0.75, rtol=1e-5)


def test_lrn_within_a_channel_divides_alpha_by_the_area(make_net):
    """A single 3 in the middle of zeros, size 3, alpha 9: 3 / (1 + 9/9 * 9) with beta 1; k is ignored."""
    layer = (
        'layer { name: "n" type: "LRN" bottom: "data" top: "out" '
        "lrn_param { local_size: 3 alpha: 9 beta: 1 k: 5 norm_region: WITHIN_CHANNEL } }"
    )
    data = np.zeros((1, 1, 3, 3), F32)
    data[0, 0, 1, 1] = 3
    assert forward(make_net(net_text(layer, (1, 1, 3, 3))), data)[0, 0, 1, 1] == pytest.approx(0.3)


def test_dropout_scales_what_survives_and_the_gradient_with_it(make_net):
    layer = 'layer { name: "d" type: "Dropout" bottom: "data" top: "out" dropout_param { dropout_ratio: 0.75 } }'
    net = make_net(net_text(layer, (100, 100)))
    found = forward(net, np.ones((100, 100), F32))
    assert set(np.unique(found)) == {0.0, 4.0}
    assert (found > 0).mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_array_equal(net.backward(out=np.ones((100, 100), F32))["data"], found)
    assert not np.array_equal(forward(net, np.ones((100, 100), F32)), found)  # a new mask each time


def test_dropout_does_nothing_at_test(make_net):
    layer = 'layer { name: "d" type: "Dropout" bottom: "data" top: "out" }'
    data = np.random.RandomState(0).randn(4, 5).astype(F32)
    np.testing.assert_array_equal(forward(make_net(net_text(layer, (4, 5)), recaffe.TEST), data), data)


LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "loss" loss_param { %s } }'


@pytest.mark.parametrize(
    ("options", "divisor"),
    [("", 6), ("ignore_label: 2", 4), ("ignore_label: 2 normalization: FULL", 6),
     ("ignore_label: 2 normalization: BATCH_SIZE", 2), ("normalization: NONE", 1), ("normalize: false", 2)],
)  # fmt: skip
def test_softmax_loss_is_the_slow_loop_in_every_normalisation(options, divisor, make_net):
    """Two images of three places each; two of the six labels are 2."""
    scores = np.random.RandomState(3).randn(2, 3, 3).astype(F32)
    labels = np.array([[0, 2, 1], [2, 1, 0]])
    net = make_net(net_text(LOSS % options, scores.shape, labels.shape))
    found = forward(net, scores, label=labels)
    probability = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    counted = [(n, i) for n, i in itertools.product(range(2), range(3)) if "ignore" not in options or labels[n, i] != 2]
    expected = -sum(math.log(probability[n, labels[n, i], i]) for n, i in counted) / divisor
    assert found == pytest.approx(expected, rel=1e-5)
    gradient = np.zeros_like(scores)
    for n, i in counted:
        gradient[n, :, i] = probability[n, :, i] / divisor
        gradient[n, labels[n, i], i] -= 1 / divisor
    np.testing.assert_allclose(net.backward()["data"], gradient, rtol=1e-4, atol=1e-6)


def test_saturated_loss_is_clamped_where_caffe_clamps_it(make_net):
    net = make_net(net_text(LOSS % "", (1, 2), (1,)))
    assert forward(net, np.array([[0, 1000]], F32), label=np.zeros(1)) == pytest.approx(87.3365, abs=1e-4)


@pytest.mark.parametrize(("label", "problem"), [(3, "label 3 at place 1"), (-1, "label -1 at place 1")])
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "Accuracy"])
def test_label_out_of_range_names_layer_label_and_classes(kind, label, problem, make_net):
    layer = f'layer {{ name: "last" type: "{kind}" bottom: "data" bottom: "label" top: "out" }}'
    net = make_net(net_text(layer, (2, 3), (2,)))
    with pytest.raises(recaffe.LabelError, match=f"layer 'last' .*{problem}.* 3 classes, 0 to 2"):
        net.forward(data=np.zeros((2, 3)), label=np.array([0, label]))


def test_accuracy_counts_the_top_k_and_ties_against_the_label(make_net):
    layer = (
        'layer { name: "a" type: "Accuracy" bottom: "data" bottom: "label" top: "out" top: "each" '
        "accuracy_param { top_k: %d } }"
    )
    scores = np.array([[3, 2, 1], [3, 2, 1], [1, 1, 0], [0, 0, 5]], F32)
    labels = np.array([0, 1, 0, 2])
    expected = {1: (0.5, [0.5, 0, 1]), 2: (1.0, [1, 1, 1])}
    for top_k, (share, per_class) in expected.items():
        net = make_net(net_text(layer % top_k, (4, 3), (4,)).replace("force_backward: true", ""), recaffe.TEST)
        out = net.forward(data=scores, label=labels)
        assert out["out"] == pytest.approx(share)
        np.testing.assert_allclose(out["each"], per_class)


def test_maximum_of_two_equal_bottoms_sends_its_gradient_to_the_second(make_net):
    layer = (
        'layer { name: "m" type: "Eltwise" bottom: "data" bottom: "label" top: "out" eltwise_param { operation: MAX } }'
    )
    net = make_net(net_text(layer, (1, 2), (1, 2)))
    net.forward(data=np.array([[1, 5]], F32), label=np.array([[1, 2]], F32))
    diffs = net.backward(out=np.array([[10, 20]], F32))
    np.testing.assert_array_equal(diffs["data"], [[0, 20]])
    np.testing.assert_array_equal(diffs["label"], [[10, 0]])


def test_backward_works_with_what_the_blobs_hold_without_a_forward_pass(make_net):
    layer = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "out" inner_product_param { num_output: 2 } }'
    net = make_net(net_text(layer, (1, 3)))
    net.params["ip"][0].data[...] = [[1, 2, 3], [4, 5, 6]]
    net.blobs["data"].data[...] = [[1, 0, 2]]
    np.testing.assert_array_equal(net.backward(out=np.array([[1, 10]], F32))["data"], [[41, 52, 63]])
    np.testing.assert_array_equal(net.params["ip"][0].diff, [[1, 0, 2], [10, 0, 20]])
    net.backward(out=np.array([[1, 10]], F32))
    np.testing.assert_array_equal(net.params["ip"][1].diff, [2, 20])  # weights' diffs add up until cleared
    net.clear_param_diffs()
    np.testing.assert_array_equal(net.params["ip"][1].diff, [0, 0])


REFUSED = [
    ('type: "Convolutional"', "unknown type 'Convolutional'; the nearest is 'Convolution'"),
    ('type: "Convolution" convolution_param { num_output: 3 kernel_size: 2 group: 2 }', "3 outputs by 2 groups"),
    ('type: "Convolution" convolution_param { num_output: 2 }', "has 0 values for kernel"),
    ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 9 }', r"kernel of \[9, 9\] on a smaller"),
    ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 kernel_h: 2 }', "exclude kernel"),
    ('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "he" } }', "'he'"),
    ('type: "InnerProduct" inner_product_param { num_output: 2 axis: 4 }', "needs axis 4"),
    ('type: "LRN" lrn_param { local_size: 4 }', "local_size 4, expected an odd one"),
    ('type: "Dropout" dropout_param { dropout_ratio: 1 }', "dropout_ratio 1.0"),
    ('type: "Softmax" bottom: "data"', "has 2 bottom blobs, expected 1"),
    ('type: "ReLU" param { lr_mult: 1 }', "has 1 param for its 0 weight arrays"),
    ('type: "ReLU" loss_weight: 1 loss_weight: 2', "has 2 loss_weight for 1 tops"),
    ('type: "ReLU" propagate_down: true propagate_down: true', "2 propagate_down for 1 bottoms"),
]


@pytest.mark.parametrize(("options", "problem"), REFUSED, ids=[problem[:30] for _, problem in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(options, problem, make_net):
    layer = f'layer {{ name: "odd one" bottom: "data" top: "out" {options} }}'
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(layer, (2, 4, 5, 5)))


def test_convolution_may_not_work_in_place(make_net):
    layer = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "data" '
        "convolution_param { num_output: 2 kernel_size: 1 } }"
    )
    with pytest.raises(recaffe.NetError, match="cannot work in place"):
        make_net(net_text(layer, (1, 2, 3, 3)))
