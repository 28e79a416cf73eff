"""Layers that cut, repeat, reshape and choose, on cases drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from random_nets import net_text

F32 = np.float32


def layer_text(layer_type: str, wires: str, options: str = "") -> str:
    return f'layer {{ name: "l" type: "{layer_type}" {wires} {options} }}'


def test_crop_takes_the_place_from_its_offsets_and_the_size_from_its_second_bottom(make_net):
    wires = 'bottom: "data" bottom: "like" top: "out"'
    options = "crop_param { axis: 0 offset: 1 offset: 2 }"
    net = make_net(net_text(layer_text("Crop", wires, options), data=(3, 4), like=(2, 2)))
    data = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(net.forward(data=data, like=np.zeros((2, 2)))["out"], [[6, 7], [10, 11]])
    diffs = net.backward(out=np.array([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(diffs["data"], [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 3, 4]])
    np.testing.assert_array_equal(diffs["like"], np.zeros((2, 2)))


def test_slice_cuts_before_its_points(make_net):
    wires = 'bottom: "data" top: "a" top: "b" top: "c"'
    options = "slice_param { slice_point: 1 slice_point: 3 }"
    net = make_net(net_text(layer_text("Slice", wires, options), data=(1, 4)))
    parts = net.forward(data=np.array([[1, 2, 3, 4]]))
    assert {name: part.tolist() for name, part in parts.items()} == {"a": [[1]], "b": [[2, 3]], "c": [[4]]}
    diffs = net.backward(a=np.array([[5]]), b=np.array([[6, 7]]), c=np.array([[8]]))
    np.testing.assert_array_equal(diffs["data"], [[5, 6, 7, 8]])


def test_reshaped_blob_is_the_same_memory(make_net):
    options = "reshape_param { shape { dim: 3 dim: -1 } }"
    net = make_net(net_text(layer_text("Reshape", 'bottom: "data" top: "out"', options), data=(2, 3)))
    out = net.forward(data=np.arange(6).reshape(2, 3))["out"]
    np.testing.assert_array_equal(out, [[0, 1], [2, 3], [4, 5]])
    net.blobs["data"].data[0, 0] = 9
    assert net.blobs["out"].data[0, 0] == 9


def test_tile_repeats_and_sums_the_gradients(make_net):
    options = "tile_param { axis: 1 tiles: 2 }"
    net = make_net(net_text(layer_text("Tile", 'bottom: "data" top: "out"', options), data=(2, 2)))
    out = net.forward(data=np.array([[1, 2], [3, 4]]))["out"]
    np.testing.assert_array_equal(out, [[1, 2, 1, 2], [3, 4, 3, 4]])
    np.testing.assert_array_equal(net.backward(out=np.arange(8).reshape(2, 4))["data"], [[2, 4], [10, 12]])


LEARNS = (
    'layer { name: "below" type: "Scale" bottom: "data" top: "below" propagate_down: true '
    "scale_param { filler { value: 1 } } }\n"
)


def test_item_chosen_twice_gets_both_gradients(make_net):
    layer = layer_text("BatchReindex", 'bottom: "below" bottom: "index" top: "out" loss_weight: 1')
    net = make_net(net_text(LEARNS + layer, force_backward=False, data=(3, 2), index=(4,)))
    data = np.array([[1, 2], [3, 4], [5, 6]])
    out = net.forward(data=data, index=np.array([2, 0, 2, 2]))["out"]
    np.testing.assert_array_equal(out, data[[2, 0, 2, 2]])
    np.testing.assert_array_equal(net.backward()["data"], [[1, 1], [0, 0], [3, 3]])


@pytest.mark.parametrize("index", [-1, 3])
def test_index_of_no_item_is_refused(index, make_net):
    layer = layer_text("BatchReindex", 'bottom: "data" bottom: "index" top: "out"')
    net = make_net(net_text(layer, force_backward=False, data=(3, 2), index=(1,)))
    with pytest.raises(recaffe.NetError, match=f"layer 'l' .*reads the index {index}, but its bottom has items 0 to 2"):
        net.forward(data=np.zeros((3, 2)), index=np.array([index]))


FILTER = LEARNS + layer_text("Filter", 'bottom: "below" bottom: "target" bottom: "flag" top: "kept" top: "aim"')
FILTER_LOSS = '\nlayer { name: "loss" type: "EuclideanLoss" bottom: "kept" bottom: "aim" top: "loss" }'


def filter_inputs(flags: list[float]) -> dict[str, np.ndarray]:
    return {"data": np.arange(6).reshape(3, 2), "target": np.zeros((3, 2)), "flag": np.array(flags)}


def test_filter_passes_on_the_selected_items_of_every_bottom(make_net):
    net = make_net(net_text(FILTER, force_backward=False, data=(3, 2), target=(3, 2), flag=(3,)))
    assert net.blobs["kept"].shape == (3, 2)  # until the first pass
    for flags, rows in (([1, 0, 1], [0, 2]), ([0, 0.5, 0], [1]), ([-1, 1, 1], [0, 1, 2])):
        values = filter_inputs(flags)
        out = net.forward(**values)
        np.testing.assert_array_equal(out["kept"], values["data"][rows])
        np.testing.assert_array_equal(out["aim"], values["target"][rows])


def test_filter_that_selects_nothing_gives_empty_tops(make_net):
    net = make_net(net_text(FILTER, force_backward=False, data=(3, 2), target=(3, 2), flag=(3,)))
    assert {name: out.shape for name, out in net.forward(**filter_inputs([0, 0, 0])).items()} == {
        "kept": (0, 2),
        "aim": (0, 2),
    }


def test_loss_of_nothing_is_refused(make_net):
    net = make_net(net_text(FILTER + FILTER_LOSS, force_backward=False, data=(3, 2), target=(3, 2), flag=(3,)))
    with pytest.raises(recaffe.NetError, match=r"layer 'loss' .*empty bottom"):
        net.forward(**filter_inputs([0, 0, 0]))


def test_items_left_out_get_no_gradient(make_net):
    net = make_net(net_text(FILTER + FILTER_LOSS, force_backward=False, data=(3, 2), target=(3, 2), flag=(3,)))
    net.forward(**filter_inputs([1, 0, 1]))
    np.testing.assert_array_equal(net.backward()["data"], [[0, 0.5], [0, 0], [2, 2.5]])


def test_loss_weight_holds_for_however_many_items_are_selected(make_net):
    layer = layer_text("Filter", 'bottom: "below" bottom: "flag" top: "kept" loss_weight: 2')
    net = make_net(net_text(LEARNS + layer, force_backward=False, data=(3, 2), flag=(3,)))
    for flags in ([1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 1, 1]):
        net.forward(data=np.ones((3, 2)), flag=np.array(flags))
        np.testing.assert_array_equal(net.backward()["data"], 2 * np.array([flags, flags]).T)


REFUSED = [
    ("Crop", 'bottom: "more"', "", "needs axis 2"),
    ("Crop", 'bottom: "more"', "crop_param { axis: 1 offset: 2 }", "out of the bounds"),
    ("Crop", 'bottom: "more"', "crop_param { axis: 1 offset: 1 offset: 1 }", "2 offset for 1 axes"),
    ("Slice", 'top: "b"', "slice_param { slice_point: 6 }", "slice_point"),
    ("Slice", 'top: "b" top: "c"', "slice_param { slice_point: 2 slice_point: 2 }", r"slice_point \[2, 2\]"),
    ("Slice", 'top: "b"', "slice_param { slice_point: 1 slice_point: 2 }", "2 slice_point for 2 tops"),
    ("Slice", 'top: "b"', "slice_param { axis: 1 slice_dim: 1 }", "axis and slice_dim"),
    ("Slice", 'top: "b"', "", "cannot cut an axis of size 5 into 2 equal parts"),
    ("Reshape", "", "reshape_param { shape { dim: -1 dim: -1 } }", r"has shape \[-1, -1\]"),
    ("Reshape", "", "reshape_param { shape { dim: 4 dim: -1 } }", "10 is no multiple of 4"),
    ("Reshape", "", "reshape_param { shape { dim: 4 } }", "10 values, not 4"),
    ("Reshape", "", "reshape_param { axis: 1 shape { dim: 5 dim: 0 } }", "no axis to copy"),
    ("Reshape", "", "reshape_param { axis: 1 num_axes: 2 shape { dim: 5 } }", "axis 1 and num_axes 2"),
    ("Tile", "", "", "has tiles 0"),
    ("BatchReindex", 'bottom: "more"', "", r"indices of shape \(2, 5\)"),
    ("Filter", 'bottom: "more"', "", r"selector of shape \(2, 5\)"),
    ("Filter", 'bottom: "flag" top: "b"', "", "2 tops for 2 bottoms"),
    ("Filter", 'bottom: "flag"', "", "3 selectors"),
]


@pytest.mark.parametrize(("kind", "wires", "options", "problem"), REFUSED, ids=[case[-1][:25] for case in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(kind, wires, options, problem, make_net):
    layer = f'layer {{ name: "odd one" type: "{kind}" bottom: "data" {wires} top: "out" {options} }}'
    with pytest.raises(recaffe.NetError, match=f"layer 'odd one' .*{problem}"):
        make_net(net_text(layer, data=(2, 5), more=(2, 5), flag=(3,)))
