"""How a command ends: with a code and a line for people, never with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from layerwise.errors import DataError, UsageError, exit_code_main

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such scheme"), 2, "usage: no such scheme"),
        (DataError("line 3 is empty"), 1, "error: line 3 is empty"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_an_error_of_ours_is_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @exit_code_main
    def main() -> int:
        raise error

    assert main() == code
    assert capsys.readouterr().err == said + "\n"


def test_a_bug_of_ours_shows_where_it_is() -> None:
    @exit_code_main
    def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    program = (
        "from layerwise.errors import exit_code_main\n"
        "@exit_code_main\n"
        "def main():\n"
        "    for _ in range(100_000):\n"
        "        print('a line')\n"
        "raise SystemExit(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait() == 1
