"""The plan of a run: what is copied, filled, frozen and tuned."""

from __future__ import annotations

from dataclasses import asdict
from math import prod
from pathlib import Path

import pytest
from recaffe.proto import caffe_pb2
from recaffe.proto.files import write_binary, write_text

from layerwise.applications import APPLICATIONS
from layerwise.errors import ModelError, UsageError
from layerwise.nets import NETS
from layerwise.plan import format_plan, make_plan
from layerwise.schemes import SCHEMES
from layerwise.shapes import layer_shapes
from layerwise.weights import WeightsRecord
from prototxt.alexnet import deploy, train_val

NET, POLYP = NETS["alexnet_half"], APPLICATIONS["polyp"]
CONVOLUTION, INNER_PRODUCT = 4, 14  # V1LayerParameter.LayerType


def source_model(is_v1=False, net=NET):
    """A NetParameter with zero weights of `net`'s shapes; fc8 has 1000 classes, as a source's has."""
    model = caffe_pb2.NetParameter(name="source")
    for name, shape in layer_shapes(deploy(POLYP, net, 1), net.patch_shape(POLYP)).items():
        if not shape.params:
            continue
        is_fc8 = name.startswith("fc8")
        params = ((1000, shape.params[0][1]), (1000,)) if is_fc8 else shape.params
        layer = (model.layers if is_v1 else model.layer).add(name="fc8" if is_fc8 else name)
        if is_v1:
            layer.type = CONVOLUTION if name.startswith("conv") else INNER_PRODUCT
        else:
            layer.type = "Convolution" if name.startswith("conv") else "InnerProduct"
        for dims in params:
            blob = layer.blobs.add()
            if is_v1:
                blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - len(dims)) + dims
            else:
                blob.shape.dim.extend(dims)
            blob.data.extend([0.0] * prod(dims))
    return model


def write_source(path, model):
    write_binary(path, model)
    return WeightsRecord("source", str(path), "", "for a test")


def plan_of(scheme, weights, application="polyp"):
    record = SCHEMES[scheme]
    message = train_val(APPLICATIONS[application], record, NET, "train_lmdb", "val_lmdb", 32, 50)
    patch_shape = NET.patch_shape(APPLICATIONS[application])
    return make_plan(message, patch_shape, record, weights, iterations_per_epoch=100)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_source(tmp_path_factory.mktemp("source") / "source.caffemodel", source_model())


def test_plan_says_per_layer_what_is_copied_frozen_and_tuned(source):
    plan = plan_of("finetune-conv4", source)
    assert [row.layer for row in plan.rows] == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8_polyp"]
    assert [row.start for row in plan.rows] == ["copied"] * 7 + ["re-initialised"]
    assert [row.is_frozen for row in plan.rows] == [True] * 3 + [False] * 5
    assert [row.weight_lr for row in plan.rows] == [0, 0, 0, 0.001, 0.001, 0.001, 0.001, 0.01]
    assert [row.bias_lr for row in plan.rows] == [0, 0, 0, 0.002, 0.002, 0.002, 0.002, 0.02]
    assert plan.dropped == ("fc8",)


def test_plan_counts_parameters_trained_of_total(source):
    plan = plan_of("finetune-fc8", source)
    assert plan.n_trained == 512 * 2 + 2
    assert plan.n_parameters == sum(row.n_parameters for row in plan.rows) == 1_446_594


def test_plan_is_json_able_as_run_json_stores_it(source):
    row = asdict(plan_of("finetune-conv4", source))["rows"][-1]
    assert row == {
        "layer": "fc8_polyp",
        "shape": (2, 512),
        "source_shape": None,
        "start": "re-initialised",
        "filler": "gaussian 0.01",
        "is_frozen": False,
        "weight_lr": 0.01,
        "bias_lr": 0.02,
        "n_parameters": 1026,
    }


def test_source_in_the_old_form_is_reshaped(tmp_path):
    plan = plan_of("finetune-fc8", write_source(tmp_path / "v1.caffemodel", source_model(is_v1=True)))
    rows = {row.layer: row for row in plan.rows}
    assert rows["conv1"].start == "copied"
    assert (rows["fc6"].start, rows["fc6"].source_shape) == ("reshaped", (1, 1, 512, 1152))


def test_source_with_this_applications_fc8_gives_it_too(tmp_path):
    model = source_model()
    fc8 = model.layer[-1]
    fc8.name = "fc8_intima"
    fc8.blobs[0].shape.dim[0] = fc8.blobs[1].shape.dim[0] = 3
    del fc8.blobs[0].data[3 * 512 :]
    del fc8.blobs[1].data[3:]
    weights = write_source(tmp_path / "intima.caffemodel", model)
    assert plan_of("finetune-conv4", weights, "intima").rows[-1].start == "copied"
    assert plan_of("finetune-conv4", weights, "polyp").dropped == ("fc8_intima",)


def test_scratch_fills_and_trains_everything():
    plan = plan_of("scratch-msra", None)
    assert {(row.start, row.filler, row.is_frozen) for row in plan.rows} == {("re-initialised", "msra", False)}
    assert plan.n_trained == plan.n_parameters
    assert {row.weight_lr for row in plan.rows} == {0.001}


@pytest.mark.parametrize("scheme", ["finetune-conv4", "scratch-gaussian"])
def test_weights_must_go_with_the_scheme(scheme, source):
    with pytest.raises(UsageError, match="WEIGHTS=none"):
        plan_of(scheme, None if scheme.startswith("finetune") else source)


def test_other_nets_weights_are_refused_with_layer_shapes_and_the_net_they_fit(tmp_path):
    record = SCHEMES["finetune-conv4"]
    message = train_val(APPLICATIONS["polyp"], record, NETS["alexnet"], "a", "b", 32, 50)
    weights = write_source(tmp_path / "half.caffemodel", source_model())
    problem = "layer 'conv1' has 48x3x11x11 and 48, but the net needs 96x3x11x11 and 96.*NET=alexnet_half"
    with pytest.raises(ModelError, match=problem):
        make_plan(message, NETS["alexnet"].patch_shape(POLYP), record, weights, iterations_per_epoch=1)


def test_new_4d_shape_is_not_taken_for_an_old_one(tmp_path):
    """Caffe drops leading ones from blobs with the four old sizes only."""
    model = source_model()
    fc7 = next(layer for layer in model.layer if layer.name == "fc7")
    fc7.blobs[0].shape.dim[:] = [1, 1, 512, 512]
    with pytest.raises(ModelError, match="layer 'fc7' has 1x1x512x512"):
        plan_of("finetune-fc8", write_source(tmp_path / "x.caffemodel", model))


def test_source_without_a_layer_that_is_copied_is_refused(tmp_path):
    model = source_model()
    model.layer[4].name = "conv5_new"
    with pytest.raises(ModelError, match=r"lacks conv5, to be copied by name; it has conv1, .*conv5_new"):
        plan_of("finetune-conv4", write_source(tmp_path / "x.caffemodel", model))


def test_truncated_caffemodel_is_refused(tmp_path, source):
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(Path(source.path).read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"cut\.caffemodel.*truncated"):
        plan_of("finetune-conv4", WeightsRecord("cut", str(path), "", ""))


def test_blob_with_fewer_numbers_than_its_shape_is_refused(tmp_path):
    model = source_model()
    del model.layer[0].blobs[0].data[-1]
    with pytest.raises(ModelError, match=f"'conv1' holds {48 * 363 - 1} numbers for an array of 48x3x11x11"):
        plan_of("finetune-conv4", write_source(tmp_path / "x.caffemodel", model))


def test_net_without_weights_is_refused(tmp_path):
    weights = write_source(tmp_path / "x.caffemodel", deploy(APPLICATIONS["polyp"], NET, 1))
    with pytest.raises(ModelError, match="no layer has weights"):
        plan_of("finetune-conv4", weights)


def test_prototxt_given_as_weights_is_refused(tmp_path):
    path = tmp_path / "deploy.prototxt"
    write_text(path, deploy(APPLICATIONS["polyp"], NET, 1))
    with pytest.raises(ModelError, match=r"deploy\.prototxt"):
        plan_of("finetune-conv4", WeightsRecord("x", str(path), "", ""))


def test_table_fits_a_terminal_of_100_columns(tmp_path):
    net, record = NETS["alexnet"], SCHEMES["scratch-gaussian"]
    message = train_val(APPLICATIONS["embolism"], record, net, "a", "b", 128, 50)
    text = format_plan(make_plan(message, net.input_shape, record, None, iterations_per_epoch=506))
    assert max(map(len, text.splitlines())) <= 100
    assert "trained: 56,876,418 of 56,876,418 parameters (100.0 %)" in text


def test_table_shows_the_plan(source):
    text = format_plan(plan_of("finetune-fc7", source))
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == ["conv1", "48x3x11x11", "48x3x11x11", "copied", "frozen", "0", "0", "17,472"]
    assert lines[8] == ["fc8_polyp", "2x512", "-", "gaussian", "0.01", "tuned", "0.01", "0.02", "1,026"]
    assert "not used of the source: fc8" in text
