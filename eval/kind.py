"""What one kind of curve (froc, roc) hands to the report, which knows nothing of curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class KindReport:
    """One evaluated run, ready to be shown and written.

    template: the page, of eval/. context: what it shows besides what every page shows. figures: name -> SVG text.
    write_tables: writes the kind's CSV files and evaluation.json to a folder. lines: for a terminal.
    """

    template: str
    context: dict[str, Any]
    figures: dict[str, str]
    write_tables: Callable[[Path], None]
    lines: Sequence[str]


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Right-aligned columns, three blanks apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["   ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
