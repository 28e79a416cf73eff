"""scores.csv of any classifier, as the arrays that ROC curves, intervals and tests count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.columns import ColumnTable, read_columns
from layerwise.errors import DataError

COLUMNS = ("id", "group_id", "label", "score")
SECOND = "score_b"
MOST_DRAWN = 1000  # chosen: what a redraw draws from; with so many its bars are off by 2 % of their length, about


@dataclass(frozen=True)
class RocStudy:
    """label: (M,) int64, 0 or 1, both there. group: (M,) int64, a place in `groups`. scores: (M,) of each system.

    The rows are in an order of their values: the order in the file changes no number, not even in the last digit.
    """

    label: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]
    scores: tuple[np.ndarray, ...]

    @property
    def drawn(self) -> np.ndarray:
        """(M,) int64: what a redraw draws, 0 .. D - 1: the groups; from MOST_DRAWN on, bags of groups dealt by chance.

        Sums over bags of independent groups vary as sums over the groups do, so bars and tests stay what they are,
        and a million groups need no more time than a thousand.
        """
        if len(self.groups) <= MOST_DRAWN:
            return self.group
        dealt = np.random.default_rng(0).permutation(len(self.groups)) % MOST_DRAWN
        return dealt[self.group]


def read_roc_study(path: Path) -> RocStudy:
    """A table with COLUMNS and, for a second system on the same cases, SECOND.

    Raises DataError with file, row and column: a missing column, no row, an id that comes twice, a group without name,
    a label other than 0 and 1, a score that is no finite number, and a class without any row.
    """
    table = read_columns(path, COLUMNS, (SECOND,))
    if not len(table):
        raise DataError(f"{path} has no row: there is nothing to evaluate")
    table.places("id")
    names = table.ids("group_id")
    groups = tuple(sorted(set(names)))
    place = {name: number for number, name in enumerate(groups)}
    group = np.fromiter((place[name] for name in names), dtype=np.int64, count=len(names))
    label = _labels(table)
    scores = [table.numbers(column) for column in ("score", SECOND) if column in table]
    order = np.lexsort((*reversed(scores), label, group))
    return RocStudy(label[order], group[order], groups, tuple(score[order] for score in scores))


def _labels(table: ColumnTable) -> np.ndarray:
    values = table.numbers("label")
    foreign = np.flatnonzero((values != 0) & (values != 1))
    if len(foreign):
        row = int(foreign[0])
        table.fail(row, "label", f"found {table.columns['label'][row]!r}, expected 0 or 1; merge the classes first")
    if (values == values[0]).all():
        raise DataError(
            f"{table.path}, column label: all rows, 1 to {len(table)}, have label {values[0]:g}; a ROC curve "
            "needs both classes"
        )
    return values.astype(np.int64)
