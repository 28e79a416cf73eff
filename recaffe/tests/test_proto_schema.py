"""The schema and the classes built from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import record_schema
from google.protobuf import descriptor_pool
from recaffe.proto import caffe_pb2
from recaffe.proto.schema_compiler import SchemaError, compile_schema, load_messages

HEADER = 'syntax = "proto2"; package p;\n'


def test_messages_enums_and_their_values_have_pycaffe_names():
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1)
    assert caffe_pb2.Phase.Name(1) == "TEST"
    assert caffe_pb2.PoolingParameter.AVE == 1
    assert caffe_pb2.V1LayerParameter.LayerType.Value("CONVOLUTION") == 4
    assert caffe_pb2.SolverParameter.DESCRIPTOR.full_name == "caffe.SolverParameter"


def test_defaults_are_caffes():
    solver = caffe_pb2.SolverParameter()
    assert (solver.random_seed, solver.type, solver.solver_mode) == (-1, "SGD", caffe_pb2.SolverParameter.GPU)
    assert solver.delta == pytest.approx(1e-8) and solver.momentum2 == pytest.approx(0.999)
    assert caffe_pb2.FillerParameter().type == "constant"
    assert caffe_pb2.LRNParameter().local_size == 5
    assert caffe_pb2.WindowDataParameter().crop_mode == "warp"


def test_wire_bytes_are_caffes():
    net = caffe_pb2.NetParameter(name="x")
    layer = net.layer.add(type="Pooling")
    layer.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    layer.blobs.add(data=[1, 2], shape=caffe_pb2.BlobShape(dim=[2]))
    # field 1 "x"; field 100, its type, packed floats (5) and packed dims (7) of blobs, pooling_param (121) pool 1
    expected = "0a0178 a206 1f 1207506f6f6c696e67 3a0f 2a08 0000803f00000040 3a03 0a0102 ca07 02 0801"
    assert net.SerializeToString().hex() == expected.replace(" ", "")
    assert caffe_pb2.NetParameter.FromString(bytes.fromhex(expected.replace(" ", ""))) == net


def test_protobufs_default_pool_is_left_alone():
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")


def test_two_schemas_of_one_package_live_side_by_side():
    first = load_messages(HEADER + "message Net { optional int32 size = 1; }", "a.proto")
    second = load_messages(HEADER + "message Net { repeated string size = 1; }", "a.proto")
    assert first["Net"](size=3).size == 3 and list(second["Net"](size=["x"]).size) == ["x"]


def test_schema_is_usable_without_torch():
    code = "import sys; from recaffe.proto import caffe_pb2; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("message A { optional B b = 1; }", "A.b has type 'B', which is defined nowhere"),
        ("message A { int32 b = 1; }", "a.proto:2: found 'int32', expected 'optional, required or repeated'"),
        ("message A {\n optional int32 b = x; }", "a.proto:3: found 'x', expected 'a number'"),
        ("message A { optional int32 b = 1 [lazy = true]; }", "found 'lazy', expected 'default or packed'"),
        ("message A {", "found 'end of file', expected"),
        ("message A { ? }", "a.proto:2: unexpected character '?'"),
    ],
)
def test_schema_error_says_where_and_what(text: str, problem: str):
    with pytest.raises(SchemaError) as caught:
        compile_schema(HEADER + text, "a.proto")
    assert problem in str(caught.value)


def _our_facts() -> dict[str, dict[str, object]]:
    schema = Path(caffe_pb2.__file__).with_name("schema.proto").read_text(encoding="utf-8")
    return record_schema.facts(compile_schema(schema, "schema.proto").SerializeToString())


def test_schema_is_caffes_message_by_message_field_by_field():
    ours = _our_facts()
    for added in ("ResumeState", "ResumeArray"):  # of no file but ours
        del ours[added]
    assert ours["SolverState"].pop("resume") == "optional .caffe.ResumeState = 10000"
    recorded = json.loads(record_schema.RECORDED.read_text())
    assert sorted(ours) == sorted(recorded)
    for name, fields in recorded.items():
        assert ours[name] == fields, name


@pytest.mark.caffe
def test_recorded_schema_is_real_caffes(real_caffe):
    assert record_schema.facts(real_caffe(record_schema.SCRIPT)) == json.loads(record_schema.RECORDED.read_text())
