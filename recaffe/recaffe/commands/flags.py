"""Command lines in gflags' form, as Caffe's programs read them.

A command declares its flags as a dataclass, each with a default and a description:

    @dataclass
    class Flags:
        gray: bool = flag(False, "treat images as grayscale ones")

`parse(Flags, argv)` takes `--gray`, `-gray`, `--gray=true`, `--nogray`, and for other types `--name=value` and
`-name value`, before, between or behind the words that are no flags. `--` ends the flags.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, NoReturn, TypeVar

from recaffe.proto.text import nearest_name

Flags = TypeVar("Flags")
_TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


@dataclass
class NoFlags:
    """Of a command that has none."""


class UsageError(Exception):
    """A command line that the command cannot read: exit code 2."""


def flag(default: Any, description: str) -> Any:
    """A field of a flags dataclass. `default` (a str, int or bool) gives the type too."""
    return field(default=default, metadata={"description": description})


def parse(declared: type[Flags], argv: Sequence[str]) -> tuple[Flags, list[str]]:
    """The flags in `argv` (a `declared`) and the words that are none, in their order.

    Of a flag given twice the last counts; a dash inside a name is an underscore.
    Raises UsageError for an unknown flag or a value of the wrong type.
    """
    known: dict[str, Field[Any]] = {each.name: each for each in fields(declared)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    words: list[str] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            words += waiting
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        name = name.replace("-", "_")
        is_negated = name not in known and name.startswith("no") and name[2:] in known
        if is_negated:
            name = name[2:]
        if name not in known:
            raise UsageError(f"unknown command line flag {name!r}; {nearest_name(name, list(known))}")
        is_switch = isinstance(known[name].default, bool)
        if is_negated and (equals or not is_switch):
            raise UsageError(f"{word}: {name!r} is not a boolean flag that can be negated; write --{name}=VALUE")
        if is_switch and not equals:
            values[name] = not is_negated
            continue
        if not equals:
            if not waiting:
                raise UsageError(f"flag {word!r} lacks its value: {known[name].metadata['description']}")
            text = waiting.pop(0)
        values[name] = _value(known[name], text)
    return declared(**values), words


def _value(declared: Field[Any], text: str) -> Any:
    if isinstance(declared.default, bool):
        return _TRUTH[text.lower()] if text.lower() in _TRUTH else _refuse(declared, text, "true or false")
    if isinstance(declared.default, int):
        try:
            return int(text)
        except ValueError:
            _refuse(declared, text, "a whole number")
    return text


def _refuse(declared: Field[Any], text: str, expected: str) -> NoReturn:
    raise UsageError(f"flag --{declared.name} is {text!r}, expected {expected}")


def no_words(words: Sequence[str]) -> None:
    """Raises UsageError where a command that takes flags only is given words."""
    if words:
        raise UsageError(f"{words[0]!r} is not a flag; flags are written --name=value or -name value")


def describe(declared: type) -> str:
    """The flags with descriptions, types and defaults, for a usage text."""
    lines = []
    for each in fields(declared):
        kind = {bool: "bool", int: "int32", str: "string"}[type(each.default)]
        shown = f'"{each.default}"' if isinstance(each.default, str) else str(each.default).lower()
        text = f"-{each.name} ({each.metadata['description']}) type: {kind} default: {shown}"
        lines += textwrap.wrap(text, 79, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False)
    return "\n".join(lines)
