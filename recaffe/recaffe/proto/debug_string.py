"""A message as text, letter for letter as protobuf's C++ prints it, which Caffe's logs and upgrade tools do.

Python's own `text_format` writes the same fields in the same order, but other digits (1.0 for 1) and UTF-8 letters.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, MutableSequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_ESCAPED = {
    **{number: f"\\{number:03o}" for number in (*range(0x20), *range(0x7F, 0x100))},
    **{ord(letter): f"\\{shown}" for letter, shown in zip("\n\r\t\"'\\", "nrt\"'\\", strict=True)},
}


def debug_string(message: Any) -> str:
    """`message` as prototxt, its fields in the order of their numbers, one to a line."""
    return "".join(f"{line}\n" for line in _lines(message, ""))


def _lines(message: Any, indent: str) -> Iterator[str]:
    for field, value in message.ListFields():
        for each in value if isinstance(value, MutableSequence) else (value,):
            if field.message_type is not None:
                yield f"{indent}{field.name} {{"
                yield from _lines(each, indent + "  ")
                yield indent + "}"
            else:
                yield f"{indent}{field.name}: {_scalar(field, each)}"


def _scalar(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, (str, bytes)):
        data = value.encode("utf-8") if isinstance(value, str) else value
        return '"' + data.decode("latin-1").translate(_ESCAPED) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return str(value) if known is None else known.name
    if isinstance(value, float):
        return _float(value, is_double=field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE)
    return str(value)


def _float(value: float, is_double: bool) -> str:
    """Six digits where they say it all, else nine; for a double 15 or 17."""
    kind, few, many = ("<d", 15, 17) if is_double else ("<f", 6, 9)
    short = f"{value:.{few}g}"
    try:
        says_all = struct.pack(kind, float(short)) == struct.pack(kind, value)
    except OverflowError:  # the six digits of the largest float are more than it
        says_all = False
    return short if says_all else f"{value:.{many}g}"
