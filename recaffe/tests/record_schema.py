"""Record the schema of real Caffe as facts, into recorded/schema.json: one line a message or enum.

python recaffe/tests/record_schema.py, with real Caffe as $CAFFE_PYTHON or .caffe/caffe-python (make caffe).
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

TESTS = Path(__file__).resolve().parent
RECORDED = TESTS / "recorded" / "schema.json"
# Run by real Caffe's Python. A bare package in caffe's place gives its schema without the seconds of importing it all.
SCRIPT = """
import importlib.util, sys, types
stub = types.ModuleType("caffe")
stub.__path__ = list(importlib.util.find_spec("caffe").submodule_search_locations)
sys.modules["caffe"] = stub
from caffe.proto import caffe_pb2
sys.stdout.buffer.write(caffe_pb2.DESCRIPTOR.serialized_pb)
"""


def facts(serialized: bytes) -> dict[str, dict[str, Any]]:
    """{message: {field: "LABEL TYPE = NUMBER", default, "packed"}} and {enum: {value: number}} of a file descriptor.

    Enums within a message are named MESSAGE.ENUM. A default is as the schema writes it, numbers as Python does.
    """
    file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
    found: dict[str, dict[str, Any]] = {}
    enums = [(enum.name, enum) for enum in file.enum_type]
    for message in file.message_type:
        assert not message.nested_type and not message.oneof_decl and not message.extension_range
        enums += [(f"{message.name}.{enum.name}", enum) for enum in message.enum_type]
        found[message.name] = {field.name: _field_facts(field) for field in message.field}
    found.update((name, {value.name: value.number for value in enum.value}) for name, enum in enums)
    return found


def _field_facts(field: descriptor_pb2.FieldDescriptorProto) -> str:
    label = descriptor_pb2.FieldDescriptorProto.Label.Name(field.label)[len("LABEL_") :].lower()
    kind = field.type_name or descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[len("TYPE_") :].lower()
    default = field.default_value
    if default and field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        default = repr(float(default))
    options = [f"default {default}"] * field.HasField("default_value") + ["packed"] * field.options.packed
    options += ["deprecated"] * field.options.deprecated
    return " ".join([label, kind, "=", str(field.number), *options])


def main() -> None:
    python = os.environ.get("CAFFE_PYTHON", str(TESTS.parents[1] / ".caffe" / "caffe-python"))
    serialized = subprocess.run([python, "-c", SCRIPT], capture_output=True, check=True).stdout
    lines = [f"{json.dumps(name)}: {json.dumps(fact)}" for name, fact in sorted(facts(serialized).items())]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
