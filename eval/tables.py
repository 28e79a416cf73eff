"""CSV tables as this package reads them: every complaint names the file, the line and the column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from layerwise.errors import DataError
from layerwise.files import read_csv

Row = dict[str, str]


def read_table(path: Path, columns: Sequence[str], made_by: str) -> list[Row]:
    """All rows of `path`, which must have at least `columns`; further columns are allowed.

    made_by: the command that writes this file, for the message where it is missing or old.
    Raises DataError for a missing file, a missing column, or a row with too few fields.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing. It is written by {made_by}: run that first.")
    rows = read_csv(path)
    found = list(rows[0]) if rows else path.read_text(encoding="utf-8-sig").strip().split(",")
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(
            f"{path}: column {', '.join(missing)} is missing; found {', '.join(map(str, found))}. "
            f"Write the file anew with {made_by}."
        )
    for line, row in enumerate(rows, start=2):
        if any(row[column] is None for column in columns):
            raise DataError(f"{path}, line {line}: the row ends early; is the file truncated?")
    return rows


def number(where: str, row: Row, column: str, low: float = -math.inf, high: float = math.inf) -> float:
    """The finite number in `column`, within low .. high; DataError that says `where` (file and line) otherwise."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and low <= value <= high):
        within = f" in {low:g} .. {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
        raise DataError(f"{where}: {column} is {row[column]!r}, expected a finite number{within}")
    return value


def index_by(path: Path, rows: Sequence[Row], column: str) -> dict[str, Row]:
    """Rows by the id in `column`, in file order; DataError where an id comes twice."""
    indexed: dict[str, Row] = {}
    for row in rows:
        if row[column] in indexed:
            raise DataError(f"{path}: {column} {row[column]!r} is listed twice")
        indexed[row[column]] = row
    return indexed
