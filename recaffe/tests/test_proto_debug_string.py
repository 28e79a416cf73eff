"""Messages as protobuf's C++ prints them: the lines are what real Caffe's upgrade_solver_proto_text wrote."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recaffe.proto import caffe_pb2, text
from recaffe.proto.debug_string import debug_string


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (1e10, "1e+10"),
        (123456789.0, "123456792"),
        (1e6, "1e+06"),
        (100000.0, "100000"),
        (0.3333333, "0.333333313"),
        (-0.0, "-0"),
        (2.5e20, "2.5e+20"),
        (1.234567e-05, "1.23456703e-05"),
        (3.4028234663852886e38, "3.40282347e+38"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_a_float_has_six_digits_or_nine(value, printed):
    assert debug_string(caffe_pb2.SolverParameter(base_lr=value)) == f"base_lr: {printed}\n"


def test_strings_are_escaped_byte_by_byte():
    solver = caffe_pb2.SolverParameter(net="a\"b\n\x01é\\'")
    assert debug_string(solver) == 'net: "a\\"b\\n\\001\\303\\251\\\\\\\'"\n'


def test_fields_stand_in_the_order_of_their_numbers():
    net = caffe_pb2.NetParameter(name="n", force_backward=True)
    layer = net.layer.add(name="l", type="Pooling", top=["a", "b"], phase=caffe_pb2.TEST)
    layer.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    layer.transform_param.SetInParent()
    assert debug_string(net).splitlines() == [
        'name: "n"',
        "force_backward: true",
        "layer {",
        '  name: "l"',
        '  type: "Pooling"',
        '  top: "a"',
        '  top: "b"',
        "  phase: TEST",
        "  transform_param {",
        "  }",
        "  pooling_param {",
        "    pool: AVE",
        "  }",
        "}",
    ]


def test_doubles_have_fifteen_digits_or_seventeen():
    blob = caffe_pb2.BlobProto(double_data=[0.1, 1 / 3])
    assert debug_string(blob) == "double_data: 0.1\ndouble_data: 0.33333333333333331\n"


@given(st.floats(width=32, allow_nan=False), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_printed_is_read_back(value, name):
    solver = caffe_pb2.SolverParameter(base_lr=value, net=name, stepvalue=[1, 2])
    read = text.parse(debug_string(solver), caffe_pb2.SolverParameter)
    assert read == solver
    assert np.float32(read.base_lr) == np.float32(value)
