"""The copy plan: what copying weights will do to each layer, said before and while it is done."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import recaffe
from recaffe.proto import caffe_pb2, files

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 1 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "fc" type: "InnerProduct" bottom: "bn" top: "fc" FC_PARAM
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""
OLD_FC = NET.replace("FC_PARAM", "")
RENAMED = OLD_FC.replace('"fc"', '"fc_new"')
UNFILLED = RENAMED.replace('num_output: 3 weight_filler { type: "xavier" }', "num_output: 3")


@pytest.fixture
def saved(make_net, tmp_path):
    """A file with a layer in the four sizes of old files, and one that the nets here lack."""
    make_net(OLD_FC).save(tmp_path / "w.caffemodel")
    message = files.read_caffemodel(tmp_path / "w.caffemodel")
    weight = message.layer[3].blobs[0]
    weight.ClearField("shape")
    weight.num, weight.channels, weight.height, weight.width = 1, 1, 3, 8
    message.layer.add(name="extra", type="InnerProduct").blobs.add(data=[1, 2]).shape.dim.append(2)
    files.write_binary(tmp_path / "w.caffemodel", message)
    return tmp_path / "w.caffemodel"


def test_plan_names_what_happens_to_each_layer_that_has_weights(saved, make_net):
    rows = make_net(OLD_FC).copy_plan(saved).rows
    assert [(row.layer, row.action, row.shapes, row.source_shapes) for row in rows] == [
        ("conv", "copied", ((2, 1, 3, 3), (2,)), ((2, 1, 3, 3), (2,))),
        ("bn", "copied", ((2,), (2,), (1,)), ((2,), (2,), (1,))),
        ("fc", "reshaped", ((3, 8), (3,)), ((1, 1, 3, 8), (3,))),
        ("extra", "dropped", None, ((2,),)),
    ]


def test_renamed_layer_is_initialised_anew_and_its_source_dropped(saved, make_net):
    rows = {row.layer: row for row in make_net(RENAMED).copy_plan(saved).rows}
    assert (rows["fc_new"].action, rows["fc"].action) == ("re-initialised", "dropped")
    assert rows["fc_new"].reason == "not in the file: keeps its values, of filler 'xavier'"
    assert rows["fc"].reason == "the net has no layer of this name"


def test_plan_prints_as_a_table(saved, make_net):
    head, *lines = str(make_net(RENAMED).copy_plan(saved)).splitlines()
    assert head == f"{saved}:"
    assert [line.split()[:2] for line in lines] == [
        ["layer", "action"],
        ["conv", "copied"],
        ["bn", "copied"],
        ["fc_new", "re-initialised"],
        ["fc", "dropped"],
        ["extra", "dropped"],
    ]
    assert "2x1x3x3 2  2x1x3x3 2" in lines[1] and "3x8 3" in lines[3]
    assert len({line.find("copied") for line in lines[1:3]}) == 1


def test_plan_of_an_hdf5_file_is_the_same(make_net, tmp_path):
    net = make_net(OLD_FC)
    net.save(tmp_path / "w.caffemodel")
    net.save_hdf5(tmp_path / "w.caffemodel.h5")
    other = make_net(RENAMED)
    binary, hdf5 = (other.copy_plan(tmp_path / f"w.caffemodel{end}").rows for end in ("", ".h5"))
    assert binary == hdf5


def test_plan_copies_nothing(saved, make_net):
    net = make_net(OLD_FC)
    for blobs in net.params.values():
        blobs[0].data[...] = 5
    net.copy_plan(saved)
    assert all((blobs[0].data == 5).all() for blobs in net.params.values())


def test_plan_refuses_what_copying_refuses(saved, make_net):
    wider = make_net(OLD_FC.replace("num_output: 3", "num_output: 4"))
    with pytest.raises(recaffe.WeightsError) as planned:
        wider.copy_plan(saved)
    with pytest.raises(recaffe.WeightsError) as copied:
        wider.copy_from(saved)
    assert str(planned.value) == str(copied.value)


def test_copying_logs_its_plan(saved, make_net, caplog):
    with caplog.at_level(logging.INFO, logger="recaffe"):
        net = make_net(RENAMED)
        caplog.clear()
        net.copy_from(saved)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == ["Ignoring source layer fc", "Ignoring source layer extra"]
    assert lines[2] == "Layer conv: copied, the name and the shapes are the same"
    assert lines[4] == "Layer fc_new: re-initialised, not in the file: keeps its values, of filler 'xavier'"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (UNFILLED, "filler is not given"),
        (UNFILLED.replace("num_output: 3", "num_output: 3 weight_filler { value: 0 }"), "filler is constant 0"),
        (UNFILLED.replace("num_output: 3", "num_output: 3 weight_filler { value: 1 }"), None),
        (RENAMED, None),
        (UNFILLED.replace('top: "fc_new"', 'top: "fc_new" param { lr_mult: 0 } param { lr_mult: 0 }'), None),
        (OLD_FC.replace('"bn" type', '"bn_new" type'), None),  # zeros are right for a BatchNorm
    ],
)
def test_renamed_layer_without_filler_is_warned_of(text, word, saved, make_net, caplog):
    net = make_net(text)
    net.copy_from(saved)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    if word is None:
        assert warned == []
    else:
        assert len(warned) == 1 and word in warned[0] and "has no layer 'fc_new'" in warned[0]


def test_layer_that_an_earlier_file_filled_is_not_warned_of(saved, make_net, tmp_path, caplog):
    net = make_net(UNFILLED)
    net.params["fc_new"][0].data[...] = 2
    net.copy_from(saved)
    assert [record for record in caplog.records if record.levelno == logging.WARNING] == []


def test_of_several_arrays_for_one_shared_weight_the_last_in_the_file_counts(make_net, tmp_path):
    """As in real Caffe, which copies layer by layer."""
    named = 'param { name: "w" } param { name: "b" }'
    twin = """
layer { name: "flat" type: "Flatten" bottom: "bn" top: "flat" }
layer { name: "twin" type: "InnerProduct" bottom: "flat" top: "twin" FC_PARAM inner_product_param { num_output: 3 } }"""
    net = make_net((NET + twin).replace("FC_PARAM", named))
    net.save(tmp_path / "w.caffemodel")
    message = files.read_binary(tmp_path / "w.caffemodel", caffe_pb2.NetParameter)
    for layer in message.layer:
        if layer.name == "fc":
            layer.blobs[0].data[:] = [7] * 24
    message.layer.sort(key=lambda layer: layer.name != "twin")  # the twin first
    files.write_binary(tmp_path / "w.caffemodel", message)
    net.copy_from(tmp_path / "w.caffemodel")
    np.testing.assert_array_equal(net.params["twin"][0].data, np.full((3, 8), 7))
