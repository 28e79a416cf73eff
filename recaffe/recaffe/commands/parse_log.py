"""usage: recaffe parse_log LOG_FILE OUTPUT_FOLDER [--delimiter=,] [--verbose]

Turns a training log, Caffe's or recaffe's, into OUTPUT_FOLDER/<name of the log>.train and .test: CSV with the columns
NumIters, Seconds, LearningRate and one for each output of the net, as tools/extra/parse_log.py of Caffe writes them.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recaffe.commands.flags import UsageError, flag, parse
from recaffe.errors import CaffeError
from recaffe.proto.files import atomic_path

# I1122 21:47:35.123456 or, from newer versions of glog, I20261122 21:47:35.123456
_HEAD = re.compile(r"[IWEF](\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d+) ")
_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|nan)"
_ITERATION = re.compile(r"Iteration (\d+)")
_RATE = re.compile(rf"\blr = ({_NUMBER})")
_OUTPUT = re.compile(rf"(Train|Test) net output #\d+: (\S+) = ({_NUMBER})")
_LEADING = ("NumIters", "Seconds", "LearningRate")
Row = dict[str, float]


@dataclass
class Flags:
    verbose: bool = flag(False, "Say which files were written.")
    delimiter: str = flag(",", "What stands between two columns.")


def main(argv: Sequence[str]) -> int:
    flags, words = parse(Flags, argv)
    if len(words) != 2:
        raise UsageError(f"needs a log file and a folder for the CSV files; found {len(words)}")
    if len(flags.delimiter) != 1:
        raise UsageError(f"flag --delimiter is {flags.delimiter!r}, expected one character")
    log_file, folder = map(Path, words)
    if not folder.is_dir():
        raise CaffeError(f"{folder}: no such folder to write the CSV files to")
    with log_file.open(encoding="utf-8", errors="replace") as lines:
        tables = read_log(lines, datetime.fromtimestamp(log_file.stat().st_mtime).year)
    for kind, rows in tables.items():
        _write(folder / f"{log_file.name}.{kind.lower()}", rows, flags)
    return 0


def read_log(lines: Iterable[str], year: int) -> dict[str, list[Row]]:
    """The rows "Train" and "Test" of a log; year: that of the first line, which glog does not write.

    A row has NumIters, Seconds since "Solving" (or, where that line is missing, since the first one), LearningRate,
    and the outputs by name. What other programs printed between Caffe's lines is passed over.
    """
    tables = {"Train": _Table(), "Test": _Table()}
    clock = _Clock(year)
    iteration, rate = math.nan, math.nan
    for line in lines:
        seconds = clock.seconds(line)
        if match := _ITERATION.search(line):
            iteration = float(match[1])
        if match := _RATE.search(line):
            rate = float(match[1])
        match = _OUTPUT.search(line)
        if match and seconds is not None and not math.isnan(iteration):
            tables[match[1]].add(dict(zip(_LEADING, (iteration, seconds, rate), strict=True)), match[2], match[3])
    return {kind: table.finished() for kind, table in tables.items()}


class _Clock:
    """Seconds since the training first began, from the heads of lines."""

    def __init__(self, year: int) -> None:
        self._year = year
        self._start: datetime | None = None
        self._is_solving = False
        self._last: datetime | None = None

    def seconds(self, line: str) -> float | None:
        """None where the line has no head."""
        match = _HEAD.match(line)
        if match is None:
            return None
        year, month, day, hour, minute, second, fraction = match.groups()
        if self._last is not None and int(month) < self._last.month:
            self._year += 1
        microsecond = int(fraction[:6].ljust(6, "0"))
        try:
            clock = (int(hour), int(minute), int(second), microsecond)
            moment = datetime(int(year or self._year), int(month), int(day), *clock)
        except ValueError:  # no such moment: not a head after all
            return None
        if self._start is None or ("Solving " in line and not self._is_solving):
            self._start, self._is_solving = moment, "Solving " in line
        self._last = moment
        return (moment - self._start).total_seconds()


class _Table:
    """Rows that fill up output by output. A row ends with its iteration, or with as many columns as the first has."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._open: Row | None = None

    def add(self, leading: Row, name: str, value: str) -> None:
        if self._open is not None and self._open["NumIters"] != leading["NumIters"]:
            self._rows.append(self._open)
            self._open = None
        row = self._open or leading
        row[name] = float(value)
        self._open = row
        if self._rows and len(row) == len(self._rows[0]):
            self._rows.append(row)
            self._open = None

    def finished(self) -> list[Row]:
        """All rows; one that the end of the log cut short is left out, unless it is the only one."""
        rows = self._rows or ([self._open] if self._open else [])
        if len(rows) > 1:
            rows[0]["LearningRate"] = rows[1]["LearningRate"]  # Caffe logs the rate after the first outputs
        return rows


def _write(path: Path, rows: Sequence[Row], flags: Flags) -> None:
    if not rows:
        if flags.verbose:
            print(f"Not writing {path}; no lines to write")
        return
    columns = dict.fromkeys(name for row in rows for name in row)
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(columns), delimiter=flags.delimiter)
        writer.writeheader()
        writer.writerows(rows)
    if flags.verbose:
        print(f"Wrote {path}")
