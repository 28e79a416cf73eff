"""pycaffe's Net: constructors, passes with start and end, weights shared and copied."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "b" top: "prob" }
"""
ROWS = np.array([[1, -2, 3], [0.5, 0, -1]], np.float32)


@pytest.fixture
def net(make_net):
    return make_net(NET, recaffe.TEST)


def test_three_forms_of_the_constructor_give_the_same_net(net, tmp_path):
    weights, prototxt = str(tmp_path / "w.caffemodel"), str(tmp_path / "net.prototxt")
    net.save(weights)
    expected = net.forward(data=ROWS)["prob"].copy()
    for other in (
        recaffe.Net(prototxt, weights, recaffe.TEST),
        recaffe.Net(prototxt, recaffe.TEST, weights=weights),
        recaffe.Net(network_file=prototxt, phase=recaffe.TEST, weights=weights),
    ):
        np.testing.assert_array_equal(other.forward(data=ROWS)["prob"], expected)


def test_net_without_a_phase_is_refused(net, tmp_path):
    weights, prototxt = str(tmp_path / "w.caffemodel"), str(tmp_path / "net.prototxt")
    net.save(weights)
    for arguments in ((prototxt, weights), (prototxt, 2)):
        with pytest.raises(recaffe.NetError, match=r"net\.prototxt: a net needs a phase, caffe\.TRAIN or caffe\.TEST"):
            recaffe.Net(*arguments)


def test_missing_files_are_named(tmp_path, net):
    with pytest.raises(RuntimeError, match=r"could not open file .*nowhere\.prototxt"):
        recaffe.Net(str(tmp_path / "nowhere.prototxt"), recaffe.TEST)
    with pytest.raises(RuntimeError, match=r"could not open file .*nowhere\.caffemodel"):
        recaffe.Net(str(tmp_path / "net.prototxt"), recaffe.TEST, weights=str(tmp_path / "nowhere.caffemodel"))


def test_layers_are_found_by_place_and_name(net):
    assert net._layer_names == ["data", "a", "relu", "b", "prob"]
    assert [layer.type for layer in net.layers] == ["Input", "InnerProduct", "ReLU", "InnerProduct", "Softmax"]
    assert net.layer_dict["b"] is net.layers[3]
    assert [blob.shape for blob in net.layers[1].blobs] == [(4, 3), (4,)]
    assert list(net.params) == ["a", "b"]
    assert net.params["b"][0] is net.layers[3].blobs[0]


def test_forward_from_start_to_end_uses_what_the_blobs_hold(net):
    net.forward(data=ROWS)
    net.blobs["a"].data[...] = 1
    out = net.forward(start="b", end="b")
    assert set(out) == {"b"}
    weight, bias = (blob.data for blob in net.params["b"])
    np.testing.assert_allclose(out["b"], np.tile(weight.sum(1) + bias, (2, 1)), rtol=1e-6)


def test_forward_returns_the_blobs_asked_for_beside_the_outputs(net):
    assert set(net.forward(data=ROWS, blobs=["a"])) == {"a", "prob"}
    assert set(net.forward(end="a")) == {"a"}


def test_backward_from_start_to_end(make_net):
    net = make_net("force_backward: true" + NET)
    net.blobs["b"].diff[...] = [[1, 0], [0, 2]]
    out = net.backward(start="b", end="b")
    assert set(out) == {"a"}
    np.testing.assert_allclose(out["a"], [[1, 0], [0, 2]] @ net.params["b"][0].data, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda net: net.forward(dta=ROWS), r"given for \['dta'\], but the inputs of this net are \['data'\]"),
        (lambda net: net.forward(data=ROWS[:1]), r"input 'data' has the shape \(1, 3\), expected \(2, 3\)"),
        (lambda net: net.forward(end="c"), "no layer 'c'; it has data, a, relu, b, prob"),
        (lambda net: net.forward(blobs=["fc7"]), "no blob 'fc7'"),
        (lambda net: net.backward(b=ROWS), r"given for \['b'\], but the outputs of this net are \['prob'\]"),
    ],
)
def test_wrong_names_and_shapes_are_refused(call, problem, net):
    with pytest.raises(recaffe.NetError, match=problem):
        call(net)


@pytest.mark.parametrize("array", [np.ones((2, 4)), np.ones((2, 1, 3)), [[1, 2, "three"]] * 2])
def test_arrays_that_cannot_be_put_into_an_input_are_refused(array, net):
    with pytest.raises(ValueError, match=r"input 'data' needs an array of shape \(2, 3\)"):
        net.forward(data=array)


def test_arrays_in_any_memory_order_and_type_are_taken(net):
    expected = net.forward(data=ROWS)["prob"].copy()
    for array in (np.asfortranarray(ROWS), ROWS.astype(np.float64), ROWS.tolist(), np.repeat(ROWS, 2, axis=1)[:, ::2]):
        net.blobs["data"].data[...] = 0
        np.testing.assert_array_equal(net.forward(data=array)["prob"], expected)


def test_shared_weights_follow_the_net_they_belong_to(net, make_net):
    other = make_net(NET.replace('"b"', '"c"'), recaffe.TEST)
    before = other.params["c"][0].data.copy()
    other.share_with(net)
    net.params["a"][0].data[...] = 7
    assert (other.params["a"][0].data == 7).all()
    np.testing.assert_array_equal(other.params["c"][0].data, before)  # no layer of that name: left alone


def test_weights_of_another_shape_are_not_shared(net, make_net):
    other = make_net(NET.replace("num_output: 2", "num_output: 5"), recaffe.TEST)
    with pytest.raises(recaffe.NetError, match=r"layer 'b' .*\(5, 4\).*cannot share.*\(2, 4\)"):
        other.share_with(net)


def test_layer_type_list_names_alexnets_layers():
    alexnet = {"Input", "Data", "Convolution", "ReLU", "LRN", "Pooling", "InnerProduct", "Dropout", "Softmax"}
    assert alexnet | {"SoftmaxWithLoss", "Accuracy", "Split"} <= set(recaffe.layer_type_list())


def test_same_seed_gives_the_same_weights_and_masks(make_net):
    text = NET.replace('type: "Softmax" bottom: "b"', 'type: "Dropout" bottom: "b"')
    outputs = [make_net(text).forward(data=ROWS)["prob"].copy() for _ in range(2)]
    np.testing.assert_array_equal(*outputs)


def with_blobs(*blobs: str) -> str:
    """NET with weights for layer a in the file."""
    stated = " ".join(f"blobs {{ {blob} }}" for blob in blobs)
    return NET.replace('type: "InnerProduct"', f'type: "InnerProduct" {stated}', 1)


WEIGHT, BIAS = "shape { dim: 4 dim: 3 }" + " data: 2" * 12, "num: 1 channels: 1 height: 1 width: 4" + " data: 1" * 4


def test_weights_that_stand_in_the_net_file_are_taken_and_nothing_is_drawn(make_net):
    net = make_net(with_blobs(WEIGHT, BIAS), recaffe.TEST)
    plain = make_net(NET.replace('"xavier"', '"constant"', 1), recaffe.TEST)
    assert (net.params["a"][0].data == 2).all() and (net.params["a"][1].data == 1).all()
    np.testing.assert_array_equal(net.params["b"][0].data, plain.params["b"][0].data)


@pytest.mark.parametrize(
    ("blobs", "problem"),
    [
        ((WEIGHT,), "has 1 blobs in the net file for its 2 weight arrays"),
        ((WEIGHT + " data: 2", BIAS), r"broken blobs in the net file: a BlobProto of shape \(4, 3\) has 13 values"),
        (
            (WEIGHT.replace("dim: 4 dim: 3", "dim: 3 dim: 4"), BIAS),
            r"shape \(3, 4\) in the net file, expected \(4, 3\)",
        ),
    ],
)
def test_weights_in_the_net_file_that_do_not_fit_are_refused(blobs, problem, make_net):
    with pytest.raises(recaffe.NetError, match=f"layer 'a' .*{problem}"):
        make_net(with_blobs(*blobs))


def test_items_of_unequal_number_and_outputs_without_a_batch_are_refused(net, make_net):
    with pytest.raises(recaffe.NetError, match="found none"):
        net.forward_all()
    two = make_net(
        """layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 2 dim: 1 } } }
        layer { name: "sum" type: "Reduction" bottom: "x" top: "s" }"""
    )
    with pytest.raises(recaffe.NetError, match=r"equally many.*\{'x': 3, 'y': 4\}"):
        two.forward_all(x=np.zeros((3, 1)), y=np.zeros((4, 1)))
    with pytest.raises(recaffe.NetError, match="'s' is one number for the whole batch"):
        two.forward_all(x=np.zeros((3, 1)), y=np.zeros((3, 1)))


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 5)])
def test_layers_out_of_range_are_refused(start, end, net):
    with pytest.raises(recaffe.NetError, match="this net has layers 0 to 4"):
        net._forward(start, end)
    with pytest.raises(recaffe.NetError, match="this net has layers 0 to 4"):
        net._backward(end, start)


def test_first_of_two_layers_with_one_name_shares_its_weights(make_net):
    text = NET.replace('name: "b"', 'name: "a"').replace("num_output: 2", "num_output: 4").replace("dim: 3", "dim: 4")
    net, other = make_net(text, recaffe.TEST), make_net(NET.replace("dim: 3", "dim: 4"), recaffe.TEST)
    before = net.layers[3].blobs[0].data.copy()
    net.share_with(other)
    np.testing.assert_array_equal(net.layers[1].blobs[0].data, other.params["a"][0].data)
    np.testing.assert_array_equal(net.layers[3].blobs[0].data, before)
