"""Turns a .proto file into message classes at import, in a descriptor pool of its own.

Compiled `*_pb2.py` files fit one range of protobuf versions, and a second schema named `caffe` in protobuf's default
pool aborts the process; building the classes here avoids both. Understood is the part of proto2 that Caffe's schema
uses: message, enum, optional/required/repeated fields, and the options `default` and `packed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_FieldProto = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: getattr(_FieldProto, f"TYPE_{name.upper()}")
    for name in ("double", "float", "int64", "uint64", "int32", "uint32", "bool", "string", "bytes", "sint32", "sint64")
}
_LABELS = {name: getattr(_FieldProto, f"LABEL_{name.upper()}") for name in ("optional", "required", "repeated")}
_TOKEN = re.compile(r'\s+|//[^\n]*|(?P<string>"[^"\n]*")|(?P<word>[\w.+-]+)|(?P<sign>[{}\[\]=;,])')


class Token(NamedTuple):
    text: str
    line: int


class SchemaError(ValueError):
    """The schema is not in the subset of proto2 that is understood; the message gives the line."""


def load_messages(text: str, filename: str) -> dict[str, Any]:
    """Every top-level message class, enum wrapper and enum value of the schema `text`, by name.

    `filename` names the file within the private pool and in errors. Raises SchemaError.
    """
    file_proto = compile_schema(text, filename)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file_proto.SerializeToString())
    file = pool.FindFileByName(filename)
    names: dict[str, Any] = {"DESCRIPTOR": file}
    for name, enum in file.enum_types_by_name.items():
        names[name] = enum_type_wrapper.EnumTypeWrapper(enum)
        names.update((value.name, value.number) for value in enum.values)
    for name, message in file.message_types_by_name.items():
        names[name] = message_factory.GetMessageClass(message)
    return names


def compile_schema(text: str, filename: str) -> descriptor_pb2.FileDescriptorProto:
    """Parse the text of a .proto file. Raises SchemaError."""
    file_proto = _Parser(text, filename).file()
    _resolve_types(file_proto)
    return file_proto


def _tokens(text: str, filename: str) -> Iterator[Token]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SchemaError(f"{filename}:{line}: unexpected character {text[position]!r}")
        if match.lastgroup:
            yield Token(match.group(), line)
        line += match.group().count("\n")
        position = match.end()


class _Parser:
    """Recursive descent over the tokens; one method per construct of the language."""

    def __init__(self, text: str, filename: str) -> None:
        self.filename = filename
        self.tokens = list(_tokens(text, filename))
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        found = self.peek()
        if not found or (expected is not None and found != expected):
            line = self.tokens[min(self.position, len(self.tokens) - 1)].line
            raise SchemaError(
                f"{self.filename}:{line}: found {found or 'end of file'!r}, expected {expected or 'more'!r}"
            )
        self.position += 1
        return found

    def file(self) -> descriptor_pb2.FileDescriptorProto:
        result = descriptor_pb2.FileDescriptorProto(name=self.filename, syntax="proto2")
        for expected in ("syntax", "=", '"proto2"', ";", "package"):
            self.take(expected)
        result.package = self.take()
        self.take(";")
        while self.peek():
            if self.peek() == "enum":
                self.enum(result.enum_type.add())
            else:
                self.message(result.message_type.add())
        return result

    def message(self, result: descriptor_pb2.DescriptorProto) -> None:
        self.take("message")
        result.name = self.take()
        self.take("{")
        while self.peek() != "}":
            if self.peek() == "enum":
                self.enum(result.enum_type.add())
            else:
                self.field(result.field.add())
        self.take("}")

    def enum(self, result: descriptor_pb2.EnumDescriptorProto) -> None:
        self.take("enum")
        result.name = self.take()
        self.take("{")
        while self.peek() != "}":
            value = result.value.add(name=self.take())
            self.take("=")
            value.number = self.number()
            self.take(";")
        self.take("}")

    def field(self, result: descriptor_pb2.FieldDescriptorProto) -> None:
        label = self.take()
        if label not in _LABELS:
            self.position -= 1
            self.take("optional, required or repeated")
        result.label = _LABELS[label]
        result.type_name = self.take()
        result.name = self.take()
        self.take("=")
        result.number = self.number()
        if self.peek() == "[":
            self.options(result)
        self.take(";")

    def options(self, result: descriptor_pb2.FieldDescriptorProto) -> None:
        self.take("[")
        while True:
            option = self.take()
            self.take("=")
            value = self.take()
            if option == "default":
                result.default_value = value.strip('"')
            elif option == "packed":
                result.options.packed = value == "true"
            else:
                self.position -= 3
                self.take("default or packed")
            if self.peek() != ",":
                break
            self.take(",")
        self.take("]")

    def number(self) -> int:
        text = self.take()
        if not text.isdigit():
            self.position -= 1
            self.take("a number")
        return int(text)


def _resolve_types(file_proto: descriptor_pb2.FileDescriptorProto) -> None:
    """Replace each field's type as written by a scalar type, or by the full name of an enum or message in scope."""
    outer_enums = {enum.name for enum in file_proto.enum_type}
    messages = {message.name for message in file_proto.message_type}
    for message in file_proto.message_type:
        inner_enums = {enum.name for enum in message.enum_type}
        for field in message.field:
            written = field.type_name
            if written in _SCALARS:
                field.type = _SCALARS[written]
                field.ClearField("type_name")
            elif written in inner_enums:
                field.type = _FieldProto.TYPE_ENUM
                field.type_name = f".{file_proto.package}.{message.name}.{written}"
            elif written in outer_enums or written in messages:
                field.type = _FieldProto.TYPE_ENUM if written in outer_enums else _FieldProto.TYPE_MESSAGE
                field.type_name = f".{file_proto.package}.{written}"
            else:
                raise SchemaError(
                    f"{file_proto.name}: {message.name}.{field.name} has type {written!r}, which is defined nowhere"
                )
