"""Losses against numbers worked out by hand and slow loops, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import recaffe
from random_nets import net_text

F32 = np.float32


def loss_net(make_net, layer_type: str, options: str = "", *, force_backward: bool = True, **inputs: tuple[int, ...]):
    wires = " ".join(f'bottom: "{name}"' for name in inputs)
    layer = f'layer {{ name: "last" type: "{layer_type}" {wires} top: "loss" {options} }}'
    return make_net(net_text(layer, force_backward=force_backward, **inputs))


def test_euclidean_loss_is_half_the_mean_squared_distance(make_net):
    net = loss_net(make_net, "EuclideanLoss", data=(2, 2), target=(2, 2))
    found = net.forward(data=np.array([[1, 2], [3, 4]]), target=np.array([[1, 0], [0, 4]]))
    assert found["loss"] == (0 + 4 + 9 + 0) / 4
    diffs = net.backward()
    np.testing.assert_array_equal(diffs["data"], [[0, 1], [1.5, 0]])
    np.testing.assert_array_equal(diffs["target"], [[0, -1], [-1.5, 0]])


@pytest.mark.parametrize(
    ("norm", "loss", "diff"),
    [("L1", (1.5 + 3) / 2, [[0, 0.5, 0], [0.5, -0.5, 0]]), ("L2", (2.25 + 5) / 2, [[0, 1.5, 0], [2, -1, 0]])],
)
def test_hinge_loss_of_two_rows(norm, loss, diff, make_net):
    """Margins of label 0: 1 - 2, 1 + 0.5, 1 - 4; of label 1: 1 + 1, 1 - 0, 1 - 1."""
    net = loss_net(make_net, "HingeLoss", f"hinge_loss_param {{ norm: {norm} }}", data=(2, 3), label=(2,))
    found = net.forward(data=np.array([[2, 0.5, -4], [1, 0, -1]]), label=np.array([0, 1]))
    assert found["loss"] == loss
    np.testing.assert_array_equal(net.backward()["data"], diff)


def test_multinomial_loss_takes_no_probability_below_1e_20(make_net):
    net = loss_net(make_net, "MultinomialLogisticLoss", data=(2, 2), label=(2,))
    found = net.forward(data=np.array([[0.25, 0.75], [1, 0]]), label=np.array([0, 1]))
    assert found["loss"] == pytest.approx((math.log(4) + 20 * math.log(10)) / 2)
    np.testing.assert_allclose(net.backward()["data"], [[-2, 0], [0, -0.5e20]])


@pytest.mark.parametrize(
    ("legacy", "loss", "pull"), [("false", (25 + 1) / 6, -1 / (1 + 1e-4)), ("true", (25 + 1) / 6, -1)]
)
def test_contrastive_loss_pulls_similar_pairs_and_pushes_others_up_to_the_margin(legacy, loss, pull, make_net):
    """Similar at distance 5; different at distance 1 under a margin of 2; different beyond it."""
    options = f"contrastive_loss_param {{ margin: 2 legacy_version: {legacy} }}"
    net = loss_net(make_net, "ContrastiveLoss", options, data=(3, 2), more=(3, 2), flag=(3,))
    found = net.forward(data=np.array([[3, 4], [1, 0], [9, 9]]), more=np.zeros((3, 2)), flag=np.array([1, 0, 0]))
    assert found["loss"] == pytest.approx(loss)
    expected = np.array([[3, 4], [pull, 0], [0, 0]]) / 3
    diffs = net.backward()
    np.testing.assert_allclose(diffs["data"], expected, rtol=1e-6)
    np.testing.assert_allclose(diffs["more"], -expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "divisor"),
    [("", 2), ("ignore_label: 1", 2), ("ignore_label: 1 normalization: VALID", 4), ("normalization: VALID", 6),
     ("ignore_label: 1 normalization: FULL", 6), ("normalization: NONE", 1), ("normalize: true", 6)],
)  # fmt: skip
def test_sigmoid_loss_is_the_slow_loop_in_every_normalisation(options, divisor, make_net):
    scores = np.random.RandomState(0).randn(2, 3)
    targets = np.array([[0, 1, 0], [0, 0, 1]])
    net = loss_net(make_net, "SigmoidCrossEntropyLoss", f"loss_param {{ {options} }}", data=(2, 3), label=(2, 3))
    total, gradient = 0.0, np.zeros((2, 3))
    for place in np.ndindex(2, 3):
        p, t = 1 / (1 + math.exp(-scores[place])), targets[place]
        if not ("ignore" in options and t == 1):
            total -= math.log(p if t else 1 - p)
            gradient[place] = (p - t) / divisor
    assert net.forward(data=scores, label=targets)["loss"] == pytest.approx(total / divisor, rel=1e-5)
    np.testing.assert_allclose(net.backward()["data"], gradient, rtol=1e-5)


def test_sigmoid_loss_stays_finite_for_large_scores(make_net):
    net = loss_net(make_net, "SigmoidCrossEntropyLoss", data=(1, 2), target=(1, 2))
    assert net.forward(data=np.array([[1000, -1000]]), target=np.array([[0, 1]]))["loss"] == 2000


INFOGAIN = (
    'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "scores" propagate_down: true '
    'inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }\n'
    'layer { name: "last" type: "%s" bottom: "scores" bottom: "label" %s top: "loss" %s }'
)


def infogain_net(make_net, bottom: str, options: str, kind: str = "InfogainLoss") -> recaffe.Net:
    inputs = {"data": (4, 2), "label": (4,)} | ({"matrix": (3, 3)} if bottom else {})
    return make_net(net_text(INFOGAIN % (kind, bottom, options), force_backward=False, **inputs))


def test_infogain_loss_of_the_identity_is_the_softmax_loss(make_net):
    values = {"data": np.random.RandomState(0).randn(4, 2), "label": np.array([0, 2, 1, 2])}
    plain = infogain_net(make_net, "", "", "SoftmaxWithLoss")
    gained = infogain_net(make_net, 'bottom: "matrix"', "")
    expected = plain.forward(**values)["loss"], plain.backward()["data"]
    found = gained.forward(**values, matrix=np.eye(3))["loss"], gained.backward()["data"]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-7)


def test_infogain_matrix_may_come_from_a_file(make_net, tmp_path):
    matrix = np.arange(9).reshape(1, 1, 3, 3) / 4
    path = tmp_path / "matrix.binaryproto"
    path.write_bytes(recaffe.io.array_to_blobproto(matrix).SerializeToString())
    values = {"data": np.random.RandomState(0).randn(4, 2), "label": np.array([0, 2, 1, 2])}
    from_file = infogain_net(make_net, "", f'infogain_loss_param {{ source: "{path}" }}')
    from_bottom = infogain_net(make_net, 'bottom: "matrix"', "")
    found, expected = from_file.forward(**values), from_bottom.forward(**values, matrix=matrix[0, 0])
    assert found["loss"] == expected["loss"]
    np.testing.assert_array_equal(from_file.backward()["data"], from_bottom.backward()["data"])


LOSS_AND_GRADIENT = """
import numpy as np
import caffe
caffe.set_random_seed(7)
net = caffe.Net("net.prototxt", caffe.TRAIN)
net.blobs["data"].data[...] = np.load("data.npy")
net.blobs["label"].data[...] = [0, 2, 1, 2]
loss = net.forward()["loss"]
net.backward()
np.savez("real.npz", loss=loss, diff=net.blobs["data"].diff)
"""


@pytest.mark.caffe
def test_infogain_matrix_from_a_file_gives_real_caffes_loss(make_net, real_caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = np.random.RandomState(0).randn(4, 2)
    np.save("data.npy", data)
    blob = recaffe.io.array_to_blobproto(np.arange(9).reshape(1, 1, 3, 3) / 4)
    (tmp_path / "matrix").write_bytes(blob.SerializeToString())
    net = infogain_net(make_net, "", 'infogain_loss_param { source: "matrix" }')  # in net.prototxt
    real_caffe(LOSS_AND_GRADIENT, cwd=tmp_path)
    expected = np.load("real.npz")
    loss = net.forward(data=data, label=np.array([0, 2, 1, 2]))["loss"]
    np.testing.assert_allclose(loss, expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(net.backward()["data"], expected["diff"], rtol=1e-5, atol=1e-7)


REFUSED = [
    ("InfogainLoss", "", "neither a third bottom nor a source"),
    ("InfogainLoss", 'infogain_loss_param { source: "nowhere" }', "cannot open the file nowhere"),
    ("InfogainLoss", 'bottom: "data"', r"matrix of shape \(4, 3\) for 3 classes"),
    ("InfogainLoss", 'bottom: "data" loss_param { normalize: true }', "has normalize"),
    ("EuclideanLoss", "", "expected one size"),
    ("EuclideanLoss", 'bottom: "data"', "has 3 bottom blobs, expected 2"),
    ("ContrastiveLoss", 'bottom: "label"', r"expected \(N, C\), \(N, C\) and \(N,\)"),
    ("SigmoidCrossEntropyLoss", "", "has 4 targets for 12 scores"),
    ("SoftmaxWithLoss", "softmax_param { axis: 0 }", "has 4 labels"),
    ("SoftmaxWithLoss", 'top: "prob"', "has 2 top blobs, expected 1"),
]


@pytest.mark.parametrize(("kind", "options", "problem"), REFUSED, ids=[problem[:25] for *_, problem in REFUSED])
def test_impossible_loss_is_refused_with_its_name_and_reason(kind, options, problem, make_net):
    layer = f'layer {{ name: "odd one" type: "{kind}" bottom: "data" bottom: "label" top: "loss" {options} }}'
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(layer, data=(4, 3), label=(4,)))


@pytest.mark.parametrize("kind", ["HingeLoss", "MultinomialLogisticLoss", "InfogainLoss"])
@pytest.mark.parametrize("label", [-1, 3])
def test_label_out_of_range_names_layer_and_label(kind, label, make_net):
    inputs = {"data": (2, 3), "label": (2,)} | ({"matrix": (3, 3)} if kind == "InfogainLoss" else {})
    net = loss_net(make_net, kind, force_backward=False, **inputs)
    net.blobs["label"].data[...] = (0, label)
    with pytest.raises(recaffe.LabelError, match=f"layer 'last' .*label {label} at place 1 .* 0 to 2"):
        net.forward()


@pytest.mark.parametrize("kind", ["HingeLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_labels_get_no_gradient(kind, make_net):
    below = (
        'layer { name: "below" type: "Scale" bottom: "label" top: "below" '
        "scale_param { axis: 0 filler { value: 0 } } }\n"
        f'layer {{ name: "last" type: "{kind}" bottom: "data" bottom: "below" top: "loss" }}'
    )
    label = (2, 3) if kind == "SigmoidCrossEntropyLoss" else (2,)
    net = make_net(net_text(below, force_backward=False, data=(2, 3), label=label))
    net.forward()
    with pytest.raises(recaffe.NetError, match=r"layer 'last' .*cannot send a gradient to its bottom 1, 'below'"):
        net.backward()


def test_ignored_places_of_a_batch_without_any_other_give_zero(make_net):
    net = loss_net(make_net, "SoftmaxWithLoss", "loss_param { ignore_label: 9 }", data=(2, 3), label=(2,))
    assert net.forward(data=np.ones((2, 3)), label=np.array([9, 9]))["loss"] == 0
    np.testing.assert_array_equal(net.backward()["data"], np.zeros((2, 3), F32))
