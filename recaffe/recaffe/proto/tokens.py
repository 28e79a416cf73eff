"""The words of a prototxt with their places, cut as protobuf itself does (protobuf 3, io/tokenizer.cc)."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from recaffe.errors import CaffeError

_BLANK = re.compile(r"(?:[ \t\r\n\f\v]+|#[^\n]*)*")
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
      | (?P<number>\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*)
      | (?P<word>[A-Za-z_][0-9A-Za-z_]*)
      | (?P<sign>[{}<>\[\]:;,-])""",
    re.VERBOSE,
)
_WHOLE_NUMBERS = (
    (re.compile("0[xX][0-9a-fA-F]+"), 16),
    (re.compile("0[0-7]+"), 8),
    (re.compile("0|[1-9][0-9]{0,24}"), 10),
)
_FLOAT = re.compile(r"(?:(?!0[0-9])[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?")
_ESCAPE = re.compile(
    rb"""\\(?: (?P<octal>[0-7]{1,3}) | [xX](?P<hexadecimal>[0-9a-fA-F]{1,2}) | (?P<letter>[abfnrtv\\?'"])
        | (?P<short>u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*) | U(?P<long>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}) | )""",
    re.VERBOSE,
)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class ProtoTextError(CaffeError, ValueError):
    """A prototxt that cannot be read: `filename`, 1-based `line` and `column`, and `problem` in words."""

    def __init__(self, filename: str, line: int, column: int, problem: str) -> None:
        super().__init__(f"{filename}:{line}:{column}: {problem}")
        self.filename, self.line, self.column, self.problem = filename, line, column, problem


class Token(NamedTuple):
    kind: str  # string, number, word, sign, end
    text: str
    start: int  # offset in the text


class Tokens:
    """A text's tokens; `token` is the next one. Bytes of a file that are not UTF-8 stand in the text as surrogates."""

    def __init__(self, text: str, filename: str) -> None:
        self.text = text
        self.filename = filename
        self._next_start = 0
        self.token = self._scan()

    def fail(self, problem: str, token: Token | None = None) -> NoReturn:
        """Raise ProtoTextError at `token`, by default the next one."""
        self._fail_at((token or self.token).start, problem)

    def _fail_at(self, start: int, problem: str) -> NoReturn:
        line_start = self.text.rfind("\n", 0, start) + 1
        raise ProtoTextError(self.filename, self.text.count("\n", 0, start) + 1, start - line_start + 1, problem)

    def take(self) -> Token:
        taken, self.token = self.token, self._scan()
        return taken

    def accept(self, *signs: str) -> str:
        """Take the next token if it is one of `signs`; the sign taken, or nothing."""
        return self.take().text if self.token.kind == "sign" and self.token.text in signs else ""

    def _scan(self) -> Token:
        blank = _BLANK.match(self.text, self._next_start)
        start = blank.end() if blank else self._next_start
        if start == len(self.text):
            return Token("end", "end of file", start)
        match = _TOKEN.match(self.text, start)
        if match is None:
            character = self.text[start]
            self._fail_at(start, "a string that is not closed" if character in "\"'" else f"unexpected {character!r}")
        self._next_start = match.end()
        token = Token(str(match.lastgroup), match.group(), start)
        if token.kind == "number" and whole_number(token) is None and not _FLOAT.fullmatch(token.text):
            self.fail(f"{token.text!r} is not a number", token)
        return token

    def bytes_of(self, token: Token) -> bytes:
        """What a token of kind string stands for. Raises ProtoTextError for an unknown escape."""
        literal = token.text[1:-1].encode("utf-8", "surrogateescape")

        def replace(match: re.Match[bytes]) -> bytes:
            if match.lastgroup is None:
                before = literal[: match.start()].decode("utf-8", "surrogateescape")
                self._fail_at(token.start + 1 + len(before), "an escape that does not exist")
            return _unescape(match.lastgroup, match.group(match.lastgroup))

        return _ESCAPE.sub(replace, literal)


def whole_number(token: Token) -> int | None:
    """The value of a decimal, 0x hexadecimal or 0 octal number; of any other token None."""
    for form, base in _WHOLE_NUMBERS:
        if token.kind == "number" and form.fullmatch(token.text):
            return int(token.text, base)
    return None


def decimal_number(token: Token) -> float | None:
    """The value of a decimal number or of inf, infinity or nan; of any other token None."""
    if token.kind == "number" and _FLOAT.fullmatch(token.text):
        return float(token.text.rstrip("fF"))
    return float(token.text) if token.text.lower() in ("inf", "infinity", "nan") else None


def _unescape(kind: str, code: bytes) -> bytes:
    if kind == "octal":
        return bytes([int(code, 8) & 0xFF])
    if kind == "hexadecimal":
        return bytes([int(code, 16)])
    if kind == "letter":
        return _LETTERS.get(code, code)
    if kind == "long":
        return chr(int(code, 16)).encode("utf-8", "surrogatepass")
    units = bytes.fromhex(code.decode().replace("\\", "").replace("u", ""))  # two surrogates make one character
    return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
