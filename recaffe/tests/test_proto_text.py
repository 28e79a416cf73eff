"""Prototxt: what is read, and what is said where it cannot be."""

from __future__ import annotations

import math

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from recaffe.proto import caffe_pb2, text

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
        ("input_dim: [1 2]", 1, 15, "found '2', expected ',' or ']' in the list 'input_dim'"),
        ("layer { convolution_param { stride: -1 } }", 1, 37, "stride is -1, expected 0 to 4294967295"),
        ("force_backward: yes", 1, 17, "force_backward is 'yes', expected true or false"),
        ("layer { loss_weight: high }", 1, 22, "loss_weight is 'high', expected a number"),
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


def test_unknown_field_with_no_near_name_lists_the_known_ones():
    with pytest.raises(text.ProtoTextError, match="BlobShape has no field 'qqq'; known are: dim"):
        text.parse("qqq: 1", caffe_pb2.BlobShape)
