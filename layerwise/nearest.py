"""Look a name up in one of the study's tables, with an error that helps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from layerwise.errors import UsageError

Record = TypeVar("Record")


def lookup(what: str, name: str, table: Mapping[str, Record]) -> Record:
    """Return `table[name]`; UsageError names the nearest known name and all of them otherwise."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"unknown {what} {name!r}: {hint}Known: {', '.join(table)}")
