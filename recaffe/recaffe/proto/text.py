"""Prototxt: the text form of Caffe's messages, read with errors that say where, what and what was meant."""

from __future__ import annotations

import difflib
import re
from typing import Any, NamedTuple, NoReturn

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from recaffe.errors import CaffeError
from recaffe.proto.debug_string import debug_string

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f\v]+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>-?\s*(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?|(?:inf(?:inity)?|nan)\b))
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>[{}<>\[\]:;,])""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_INTEGER_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_CLOSING = {"{": "}", "<": ">"}


class ProtoTextError(CaffeError, ValueError):
    """A prototxt that cannot be read: `filename`, 1-based `line` and `column`, and `problem` in words."""

    def __init__(self, filename: str, line: int, column: int, problem: str) -> None:
        super().__init__(f"{filename}:{line}:{column}: {problem}")
        self.filename, self.line, self.column, self.problem = filename, line, column, problem


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


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


class _Parser:
    """Recursive descent over the text format's tokens."""

    def __init__(self, text: str, filename: str) -> None:
        self.text = text
        self.filename = filename
        self.next_start = 0
        self.token = self._scan()

    def fail(self, problem: str, token: _Token | None = None) -> NoReturn:
        start = (token or self.token).start
        line_start = self.text.rfind("\n", 0, start) + 1
        raise ProtoTextError(self.filename, self.text.count("\n", 0, start) + 1, start - line_start + 1, problem)

    def _scan(self) -> _Token:
        while self.next_start < len(self.text):
            start = self.next_start
            match = _TOKEN.match(self.text, start)
            if match is None:
                character = self.text[start]
                at = _Token("sign", character, start)
                self.fail("a string that is not closed" if character in "\"'" else f"unexpected {character!r}", at)
            self.next_start = match.end()
            if match.lastgroup != "blank":
                return _Token(str(match.lastgroup), match.group(), start)
        return _Token("end", "end of file", len(self.text))

    def take(self) -> _Token:
        taken, self.token = self.token, self._scan()
        return taken

    def accept(self, *signs: str) -> str:
        """Take the next token if it is one of `signs`; the sign taken, or nothing."""
        return self.take().text if self.token.kind == "sign" and self.token.text in signs else ""

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
        if repeated and self.accept("["):
            while not self.accept("]"):
                self.value(message, field, repeated)
                if not self.accept(",") and self.token.text != "]":
                    self.fail(f"found {self.token.text!r}, expected ',' or ']' in the list {field.name!r}")
        else:
            self.value(message, field, repeated)

    def unknown_field(self, name: _Token, descriptor: Descriptor) -> NoReturn:
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
        token = self.take()
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self.string(token, field)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            if token.kind == "string" or token.text.lower() not in _TRUTH:
                self.fail(f"{field.name} is {token.text!r}, expected true or false", token)
            return _TRUTH[token.text.lower()]
        if field.enum_type is not None:
            return self.enum_value(token, field.name, field.enum_type)
        if kind in _INTEGER_BITS:
            return self.integer(token, field.name, *_INTEGER_BITS[kind])
        if token.kind != "number":
            self.fail(f"{field.name} is {token.text!r}, expected a number", token)
        return _float(token.text)

    def string(self, token: _Token, field: FieldDescriptor) -> str | bytes:
        if token.kind != "string":
            self.fail(f"{field.name} is {token.text!r}, expected a string in quotes", token)
        data = _unescape(token.text)
        while self.token.kind == "string":  # neighbours join, as in C
            data += _unescape(self.take().text)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.fail(f"{field.name} is not UTF-8", token)

    def enum_value(self, token: _Token, name: str, enum: EnumDescriptor) -> int:
        if token.kind == "word" and token.text in enum.values_by_name:
            return enum.values_by_name[token.text].number
        if token.kind == "number" and token.text.isdigit() and int(token.text) in enum.values_by_number:
            return int(token.text)
        known = [value.name for value in enum.values]
        self.fail(f"{name} has no value {token.text!r}; {nearest_name(token.text, known)}", token)

    def integer(self, token: _Token, name: str, least: int, most: int) -> int:
        try:
            value = _integer(token.text) if token.kind == "number" else None
        except ValueError:
            value = None
        if value is None:
            self.fail(f"{name} is {token.text!r}, expected a whole number", token)
        if not least <= value <= most:
            self.fail(f"{name} is {value}, expected {least} to {most}", token)
        return value


def _integer(text: str) -> int:
    digits = re.sub(r"\s", "", text)
    is_octal = re.fullmatch(r"-?0\d+", digits)
    return int(digits, 8 if is_octal else 0)


def _float(text: str) -> float:
    digits = re.sub(r"\s", "", text)
    if re.match(r"-?0[xX]", digits):
        return float(int(digits, 16))
    return float(re.sub(r"(?<=[\d.])[fF]$", "", digits))


def _unescape(literal: str) -> bytes:
    def replace(match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, character = match.groups()
        if octal:
            return bytes([int(octal, 8) & 0xFF])
        if hexadecimal:
            return bytes([int(hexadecimal, 16)])
        return _ESCAPED.get(character, character)

    return _ESCAPE.sub(replace, literal[1:-1].encode("utf-8"))
