"""Prototxt: what is read, and what is said where it cannot be."""

from __future__ import annotations

import math

import pytest
import recaffe
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from recaffe.net import Net
from recaffe.proto import caffe_pb2, dialects, text

NET = r"""
# a comment
name: 'te' "st"   input_dim: [1, 0x10, 010]
layer: <
  name: "conv1"; type: "Convolution",
  param { lr_mult: -1.5e0 } param { lr_mult: 2f decay_mult: .5 }
  convolution_param { kernel_size: 3 kernel_size: 5 weight_filler { type: "gaussian" mean: -1 std: 1e-2 } engine: 1 }
  include { phase: TEST }
>
force_backward: True
"""


def test_every_form_of_the_text_format_is_read():
    net = text.parse(NET, caffe_pb2.NetParameter)
    layer = net.layer[0]
    assert (net.name, list(net.input_dim), net.force_backward) == ("test", [1, 16, 8], True)
    assert (layer.name, layer.type, list(layer.convolution_param.kernel_size)) == ("conv1", "Convolution", [3, 5])
    assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param] == [(-1.5, 1.0), (2.0, 0.5)]
    assert layer.convolution_param.engine == caffe_pb2.ConvolutionParameter.CAFFE
    assert layer.include[0].phase == caffe_pb2.TEST
    assert layer.convolution_param.weight_filler.mean == -1
    assert net == text_format.Parse(NET, caffe_pb2.NetParameter())


def test_special_numbers_and_escapes_are_read():
    filler = text.parse("min: -inf max: infinity mean: nan", caffe_pb2.FillerParameter)
    assert (filler.min, filler.max) == (-math.inf, math.inf) and math.isnan(filler.mean)
    assert text.parse("label: - 7", caffe_pb2.Datum).label == -7
    datum = text.parse(r"data: '\001\x41\n\'\\é'", caffe_pb2.Datum)
    assert datum.data == b"\x01A\n'\\" + "é".encode()


@settings(max_examples=50, deadline=None)
@given(st.binary(), st.lists(st.floats(width=32, allow_nan=False)), st.integers(-(2**31), 2**31 - 1), st.text())
def test_what_is_formatted_is_read_back(data: bytes, values: list[float], label: int, name: str):
    datum = caffe_pb2.Datum(data=data, float_data=values, label=label)
    assert text.parse(text.format(datum), caffe_pb2.Datum) == datum
    net = caffe_pb2.NetParameter(name=name)
    assert text.parse(text.format(net), caffe_pb2.NetParameter) == net


@pytest.mark.parametrize(
    ("content", "line", "column", "problem"),
    [
        ('layer {\n  tpye: "ReLU"\n}', 2, 3, "LayerParameter has no field 'tpye'; the nearest is 'type'"),
        ("base_lr: 1", 1, 1, "NetParameter has no field 'base_lr'; it is a field of SolverParameter"),
        ("layer { type: 3 }", 1, 15, "type is '3', expected a string in quotes"),
        ("layer { pooling_param { pool: MXA } }", 1, 31, "pool has no value 'MXA'; the nearest is 'MAX'"),
        ("layer {\n", 2, 1, "found end of file, expected '}' that closes LayerParameter"),
        ("layer 5", 1, 7, "found '5', expected '{' that opens 'layer'"),
        ('layer { top "a" }', 1, 13, "found '\"a\"', expected ':' after 'top'"),
        ('name: "a"\nname: "b"', 2, 1, "NetParameter.name is given a second time"),
        ("input_dim: 1.5", 1, 12, "input_dim is '1.5', expected a whole number"),
        ("input_dim: [1, ]", 1, 16, "input_dim is ']', expected a whole number"),
        ("input_dim: 08", 1, 12, "'08' is not a number"),
        ("input_dim: 5input: 'a'", 1, 12, "'5input' is not a number"),
        ("input_dim: 1 ;; input_dim: 2", 1, 15, "found ';', expected a field of NetParameter"),
        ("layer { loss_weight: 0x10 }", 1, 22, "loss_weight is '0x10', expected a decimal number"),
        ("layer { convolution_param { stride: -0 } }", 1, 37, "stride is -0, expected 0 to 4294967295"),
        ("force_backward: TRUE", 1, 17, "force_backward is 'TRUE', expected true or false"),
        ("force_backward: 2", 1, 17, "force_backward is '2', expected true or false"),
        ("layer { pooling_param { pool: 3 } }", 1, 31, "pool has no value '3'; known are: MAX, AVE, STOCHASTIC"),
        ("name: ['a']", 1, 7, "name is '[', expected a string in quotes"),
        (r"name: 'a\q'", 1, 9, "an escape that does not exist"),
        (r"name: 'é\400\u12'", 1, 13, "an escape that does not exist"),
        ("name: '\udcff'", 1, 7, "name is not UTF-8"),
        ("name: '\\xff'", 1, 7, "name is not UTF-8"),
        ("\udcff", 1, 1, "unexpected '\\udcff'"),
        ("name: '\\\n'", 1, 7, "a string that is not closed"),
        ("input_dim: [1 2]", 1, 15, "found '2', expected ',' or ']' in the list 'input_dim'"),
        ("layer { convolution_param { stride: -1 } }", 1, 37, "stride is -1, expected 0 to 4294967295"),
        ("force_backward: yes", 1, 17, "force_backward is 'yes', expected true or false"),
        ("layer { loss_weight: high }", 1, 22, "loss_weight is 'high', expected a decimal number"),
        ("layer { clip_param { min: 1 } }", 1, 22, "ClipParameter lacks the required max"),
        ('name: "abc', 1, 7, "a string that is not closed"),
        ("name @", 1, 6, "unexpected '@'"),
        ("}", 1, 1, "found '}', expected a field of NetParameter"),
    ],
)
def test_error_says_where_what_and_what_was_meant(content: str, line: int, column: int, problem: str):
    with pytest.raises(text.ProtoTextError) as caught:
        text.parse(content, caffe_pb2.NetParameter, "net.prototxt")
    assert str(caught.value) == f"net.prototxt:{line}:{column}: {problem}"
    assert (caught.value.line, caught.value.column) == (line, column)


def test_escapes_of_unicode_and_bytes_that_are_no_text_are_read():
    assert text.parse(r"name: '\u00e9\ud83d\ude00\U0001F600'", caffe_pb2.NetParameter).name == "é😀😀"
    datum = text.parse("# in Latin-1: \udce9\ndata: '\udcff' '\\477'", caffe_pb2.Datum)
    assert datum.data == b"\xff\x3f"


@pytest.mark.parametrize(
    ("content", "message_class", "problem"),
    [
        (
            "layer { prior_box_param { } }",
            caffe_pb2.NetParameter,
            "field 'prior_box_param' belongs to the SSD, NVIDIA and Intel dialects of Caffe (PriorBox layers); "
            "BVLC Caffe and recaffe do not have it",
        ),
        (
            "default_forward_type: FLOAT16",
            caffe_pb2.NetParameter,
            "field 'default_forward_type' belongs to the NVIDIA dialect of Caffe; "
            "BVLC Caffe and recaffe do not have it",
        ),
        (
            "layers { roi_pooling_param { } }",
            caffe_pb2.NetParameter,
            "field 'roi_pooling_param' belongs to the Intel, Fast R-CNN and PSPNet dialects of Caffe "
            "(ROIPooling layers); BVLC Caffe and recaffe do not have it",
        ),
        (
            "layer { convolution_param { engine: MKLDNN } }",
            caffe_pb2.NetParameter,
            "engine has the value 'MKLDNN', which belongs to the Intel dialect of Caffe; "
            "BVLC Caffe and recaffe do not have it",
        ),
        (
            "eval_type: 'detection'",
            caffe_pb2.SolverParameter,
            "field 'eval_type' belongs to the SSD, NVIDIA and Intel dialects of Caffe; "
            "BVLC Caffe and recaffe do not have it",
        ),
    ],
)
def test_dialect_is_named(content: str, message_class: type, problem: str):
    with pytest.raises(text.ProtoTextError) as caught:
        text.parse(content, message_class)
    assert caught.value.problem == problem


def test_no_name_of_a_dialect_is_a_name_of_caffe():
    types = {layer_type for layers in dialects._LAYERS.values() for layer_type in layers}
    assert types & set(recaffe.layer_type_list()) == {"Split"}  # Intel's has options, ours none
    for fields in dialects._FIELDS.values():
        for message, names in fields.items():
            assert not set(names.split()) & set(getattr(caffe_pb2, message).DESCRIPTOR.fields_by_name), message
    layer_fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    assert not {name for layers in dialects._LAYERS.values() for name in layers.values()} & set(layer_fields)


def test_unknown_field_with_no_near_name_lists_the_known_ones():
    with pytest.raises(text.ProtoTextError, match="BlobShape has no field 'qqq'; known are: dim"):
        text.parse("qqq: 1", caffe_pb2.BlobShape)


def test_layer_type_of_a_dialect_is_named():
    net = text.parse("layer { name: 'p' type: 'PriorBox' }", caffe_pb2.NetParameter)
    problem = "layer 'p' has the unknown type 'PriorBox'; it belongs to the SSD, NVIDIA and Intel dialects of Caffe"
    with pytest.raises(recaffe.NetError, match=problem):
        Net.from_param(net)
