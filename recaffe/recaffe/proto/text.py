"""Prototxt: the text form of Caffe's messages, read with errors that say where, what and what was meant.

What is accepted is what real Caffe's protobuf accepts (protobuf 3, text_format.cc, TextFormat::Parse).
"""

from __future__ import annotations

import ctypes
import difflib
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from recaffe.proto import dialects
from recaffe.proto.debug_string import debug_string
from recaffe.proto.tokens import ProtoTextError as ProtoTextError
from recaffe.proto.tokens import Token, Tokens, decimal_number, whole_number

_TRUTH = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
_INTEGER_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_CLOSING = {"{": "}", "<": ">"}


def parse(text: str, message_class: Any, filename: str = "<text>") -> Any:
    """Read `text` as a message of `message_class`; `filename` is only named in errors.

    Raises ProtoTextError at the first unknown field, wrong value, field given twice, or missing required field.
    """
    message = message_class()
    _Parser(text, filename).message(message, closing="")
    return message


def format(message: Any) -> str:  # noqa: A001 - the pair of parse
    """The message as prototxt, fields in the order of their numbers, readable by Caffe and by `parse`."""
    return debug_string(message)


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether `field` holds a list. protobuf 6 renamed how this is asked."""
    if hasattr(field, "is_repeated"):
        return field.is_repeated
    return getattr(field, "label") == FieldDescriptor.LABEL_REPEATED  # noqa: B009 - unknown to newer type stubs


def nearest_name(name: str, known: list[str]) -> str:
    """The tail of an error about an unknown `name`: the nearest of `known`, or all of them where none is near."""
    near = difflib.get_close_matches(name.lower(), [candidate.lower() for candidate in known], n=1, cutoff=0.6)
    if near:
        return f"the nearest is {next(candidate for candidate in known if candidate.lower() == near[0])!r}"
    return f"known are: {', '.join(known)}"


class _Parser(Tokens):
    """Recursive descent over the text format's tokens."""

    def message(self, message: Any, closing: str) -> None:
        """Read fields into `message` up to `closing`, which is taken, or to the end of the file."""
        descriptor = message.DESCRIPTOR
        opened = self.token
        while not (closing and self.accept(closing)):
            if self.token.kind == "end":
                if closing:
                    self.fail(f"found end of file, expected {closing!r} that closes {descriptor.name}")
                break
            self.field(message, descriptor)
            self.accept(",", ";")
        missing = message.FindInitializationErrors()
        if missing:
            self.fail(f"{descriptor.name} lacks the required {', '.join(missing)}", opened)

    def field(self, message: Any, descriptor: Descriptor) -> None:
        name = self.take()
        if name.kind != "word":
            self.fail(f"found {name.text!r}, expected a field of {descriptor.name}", name)
        field = descriptor.fields_by_name.get(name.text)
        if field is None:
            self.unknown_field(name, descriptor)
        repeated = is_repeated(field)
        if not repeated and message.HasField(field.name):
            self.fail(f"{descriptor.name}.{field.name} is given a second time", name)
        colon = self.accept(":")
        if not colon and field.message_type is None:
            self.fail(f"found {self.token.text!r}, expected ':' after {field.name!r}")
        if not (repeated and self.accept("[")):
            self.value(message, field, repeated)
        elif not self.accept("]"):
            self.value(message, field, repeated)
            while not self.accept("]"):
                if not self.accept(","):
                    self.fail(f"found {self.token.text!r}, expected ',' or ']' in the list {field.name!r}")
                self.value(message, field, repeated)

    def unknown_field(self, name: Token, descriptor: Descriptor) -> NoReturn:
        dialect = dialects.of_field(descriptor.name, name.text)
        if dialect:
            self.fail(dialect, name)
        others = [
            other.name for other in descriptor.file.message_types_by_name.values() if name.text in other.fields_by_name
        ]
        names = [field.name for field in descriptor.fields]
        hint = nearest_name(name.text, names)
        if others and not hint.startswith("the nearest"):
            hint = f"it is a field of {', '.join(others)}"
        self.fail(f"{descriptor.name} has no field {name.text!r}; {hint}", name)

    def value(self, message: Any, field: FieldDescriptor, repeated: bool) -> None:
        if field.message_type is not None:
            opening = self.accept("{", "<")
            if not opening:
                self.fail(f"found {self.token.text!r}, expected '{{' that opens {field.name!r}")
            inner = getattr(message, field.name)
            if repeated:
                inner = inner.add()
            else:
                inner.SetInParent()
            self.message(inner, _CLOSING[opening])
            return
        value = self.scalar(field)
        if repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)

    def scalar(self, field: FieldDescriptor) -> Any:
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self.string(field)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            token = self.take()
            value = _TRUTH.get(token.text)
            if value is None and whole_number(token) in (0, 1):
                value = bool(whole_number(token))
            if value is None:
                self.fail(f"{field.name} is {token.text!r}, expected true or false", token)
            return value
        if field.enum_type is not None:
            return self.enum_value(field.name, field.enum_type)
        if kind in _INTEGER_RANGES:
            return self.integer(field.name, *_INTEGER_RANGES[kind])
        minus, token = self.signed()
        value = decimal_number(token)
        if value is None:
            self.fail(f"{field.name} is {minus + token.text!r}, expected a decimal number", token)
        value = -value if minus else value
        # Rounded here: protobuf's slower forms take what rounds to the largest float32 for infinity.
        return ctypes.c_float(value).value if kind == FieldDescriptor.CPPTYPE_FLOAT else value

    def string(self, field: FieldDescriptor) -> str | bytes:
        first = self.token
        if first.kind != "string":
            self.fail(f"{field.name} is {first.text!r}, expected a string in quotes")
        data = b""
        while self.token.kind == "string":  # neighbours join, as in C
            data += self.bytes_of(self.take())
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.fail(f"{field.name} is not UTF-8", first)

    def enum_value(self, name: str, enum: EnumDescriptor) -> int:
        minus, token = self.signed()
        if not minus and token.kind == "word" and token.text in enum.values_by_name:
            return enum.values_by_name[token.text].number
        if not minus and whole_number(token) in enum.values_by_number:
            return int(whole_number(token) or 0)
        dialect = dialects.of_value(token.text)
        if dialect:
            self.fail(f"{name} {dialect}", token)
        known = [value.name for value in enum.values]
        self.fail(f"{name} has no value {minus + token.text!r}; {nearest_name(token.text, known)}", token)

    def integer(self, name: str, least: int, most: int) -> int:
        first = self.token
        minus, token = self.signed()
        value = whole_number(token)
        if value is None:
            self.fail(f"{name} is {minus + token.text!r}, expected a whole number", first)
        if not least <= (-value if minus else value) <= most or (minus and least == 0):
            self.fail(f"{name} is {minus}{value}, expected {least} to {most}", first)
        return -value if minus else value

    def signed(self) -> tuple[str, Token]:
        """A minus sign or nothing, and the token behind it."""
        return self.accept("-"), self.take()
