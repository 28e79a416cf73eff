"""Large CSV tables by column, from anyone's hand: every complaint names the file, the row and the column."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from layerwise.errors import DataError

REPEATED = ("image_id", "group_id", "lesion_id")


@dataclass(frozen=True)
class ColumnTable:
    """columns: the text of each column that was asked for and is there, N values each, stripped of blanks.

    lines: (N,) int64, the line of the file at which each row ends.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def fail(self, row: int, column: str, problem: str) -> NoReturn:
        """Raise the DataError about one cell; row counts from 0."""
        raise DataError(f"{self.path}, row {row + 1} (line {self.lines[row]}), column {column}: {problem}")

    def numbers(self, column: str, empty: float | None = None) -> np.ndarray:
        """(N,) float64. DataError for a cell that is no finite number; an empty cell is `empty`, if that is given."""
        values = np.empty(len(self))
        for row, text in enumerate(self.columns[column]):
            if not text and empty is not None:
                values[row] = empty
                continue
            try:
                value = math.nan if "_" in text else float(text)  # Python reads 1_0 as 10
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                self.fail(row, column, f"found {text!r}, expected a finite number")
            values[row] = value
        return values

    def ids(self, column: str) -> list[str]:
        """The column, in which no cell may be empty."""
        for row, text in enumerate(self.columns[column]):
            if not text:
                self.fail(row, column, "is empty, expected an id")
        return self.columns[column]

    def places(self, column: str) -> dict[str, int]:
        """The row of each id. DataError where one comes twice."""
        place: dict[str, int] = {}
        for row, text in enumerate(self.ids(column)):
            if (first := place.setdefault(text, row)) != row:
                self.fail(row, column, f"{text!r} is listed twice, first in row {first + 1}")
        return place


def read_columns(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> ColumnTable:
    """The named columns of a comma-separated file with a header, in UTF-8, with or without byte order mark.

    Further columns and empty lines are passed over. Raises DataError for a file that is missing, not text, without
    header, or without a required column; for a column named twice; and for a row that is longer or shorter than the
    header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            return _read(path, handle, required, optional)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a comma-separated table: {error}") from None


def _read(path: Path, handle: TextIO, required: Sequence[str], optional: Sequence[str]) -> ColumnTable:
    reader = csv.reader(handle, strict=True)
    header = [name.strip() for name in next(reader, [])]
    for name in (*required, *optional):
        if header.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name} comes {header.count(name)} times")
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path}, line 1: column {', '.join(missing)} is missing; found {', '.join(header) or 'nothing'}"
        )
    wanted = [(name, header.index(name)) for name in dict.fromkeys((*required, *optional)) if name in header]
    values: list[list[str]] = [[] for _ in wanted]
    kept: dict[str, str] = {}  # the text of an id that comes in a thousand rows is kept once
    lines = array("q")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}, row {len(lines) + 1} (line {reader.line_num}): {len(cells)} cells under {len(header)} columns"
            )
        for column, (name, index) in zip(values, wanted, strict=True):
            text = cells[index].strip()
            column.append(kept.setdefault(text, text) if name in REPEATED else text)
        lines.append(reader.line_num)
    columns = {name: column for (name, _), column in zip(wanted, values, strict=True)}
    return ColumnTable(path, columns, np.array(lines, dtype=np.int64))
