"""The tables S1 to S4 from our runs, cell by cell beside the paper's, and the best depth against every other scheme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.paper_tables import NUMBERS, paper_cell
from eval.significance import Pair, Significance
from eval.study import ApplicationStudy

LEVEL = 0.05
TEST_NAMES = {
    "p_group_bootstrap": "redraws of whole groups",
    "p_permutation": "exchanges of whole groups",
    "p_t": "paired t over regions",
    "p_wilcoxon": "Wilcoxon's signed ranks over regions",
}


@dataclass(frozen=True)
class TableCell:
    """plain: significant before the correction only; strong: after it too, or by the paper's own rule."""

    strong: str = ""
    plain: str = ""
    paper: str = ""
    is_empty: bool = False


@dataclass(frozen=True)
class Triangle:
    """Every scheme against every one above it. heads: of the columns; rows: (name, cells)."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]


def triangles(study: ApplicationStudy, found: Significance) -> list[Triangle]:
    """Of curves: the paper's rule, then both paired tests. Of boundaries: each test of LI and of MA."""
    name, number = study.application.name, NUMBERS[study.application.name]
    if study.application.curve == "boundary":
        return [
            _triangle(
                f"Table {number}, {boundary}: p by {TEST_NAMES[test]}",
                found,
                lambda pairs, boundary=boundary, test=test: _p_cell(pairs, boundary, test, name),
            )
            for boundary in ("LI", "MA")
            for test in ("p_t", "p_wilcoxon", "p_group_bootstrap")
        ]
    by_rule = _triangle(
        f"Table {number} by the paper's rule: bars that do not overlap", found, lambda pairs: _rule_cell(pairs, name)
    )
    return [
        by_rule,
        *(
            _triangle(f"The same pairs by {TEST_NAMES[test]}", found, lambda pairs, test=test: _test_cell(pairs, test))
            for test in ("p_group_bootstrap", "p_permutation")
        ),
    ]


def against(study: ApplicationStudy, found: Significance, best: str) -> list[Pair]:
    """The headline of `best` against every other scheme, `best` first."""
    headline = found.columns[-1]
    pairs = []
    for pair in found.pairs:
        if pair.column != headline or best not in (pair.first, pair.second):
            continue
        pairs.append(pair if pair.first == best else _turned(pair))
    return sorted(pairs, key=lambda pair: found.schemes.index(pair.second))


def p_text(p: float | None) -> str:
    """As the paper prints them."""
    return "–" if p is None else "<.0001" if p < 0.0001 else f"{p:.4f}".removeprefix("0")


def _turned(pair: Pair) -> Pair:
    turned = {"ahead": "behind", "behind": "ahead", "level": "level", None: None}
    low, high = pair.ci95
    ends = (None if high is None else -high, None if low is None else -low)
    return Pair(pair.second, pair.first, pair.column, -pair.better_by, ends, turned[pair.by_bars], pair.p, pair.holm)


def _triangle(title: str, found: Significance, cell: Callable[[list[Pair]], TableCell]) -> Triangle:
    of = {}
    for pair in found.pairs:
        of.setdefault((pair.first, pair.second), []).append(pair)
    rows = tuple(
        (
            _short(first),
            tuple(cell(of[first, second]) for second in found.schemes[:at])
            + (TableCell(is_empty=True),) * (len(found.schemes) - 1 - at),
        )
        for at, first in enumerate(found.schemes)
        if at
    )
    return Triangle(title, tuple(_short(name) for name in found.schemes[:-1]), rows)


def _short(scheme: str) -> str:
    return scheme.removeprefix("finetune-").removeprefix("scratch-")


def _rule_cell(pairs: Sequence[Pair], application: str) -> TableCell:
    paper = paper_cell(application, "", pairs[0].first, pairs[0].second)
    if all(pair.by_bars is None for pair in pairs):
        return TableCell("no bars", paper=paper)
    ahead = [pair for pair in pairs if pair.by_bars == "ahead"]
    return TableCell(_points(ahead, [pair for pair in pairs if pair.by_bars == "behind"]), paper=paper)


def _test_cell(pairs: Sequence[Pair], test: str) -> TableCell:
    rejected = [pair for pair in pairs if (p := pair.p[test]) is not None and p < LEVEL]
    kept = [pair for pair in rejected if (p := pair.holm[test]) is not None and p < LEVEL]
    return TableCell(_signed(kept), _signed([pair for pair in rejected if pair not in kept]))


def _p_cell(pairs: Sequence[Pair], boundary: str, test: str, application: str) -> TableCell:
    pair = next(pair for pair in pairs if pair.column == boundary)
    p, corrected = pair.p[test], pair.holm[test]
    text = ("" if p is None or p >= LEVEL else "+ " if pair.better_by > 0 else "− ") + p_text(p)
    paper = paper_cell(application, boundary, pair.first, pair.second)
    is_strong = corrected is not None and corrected < LEVEL
    return TableCell(text if is_strong else "", "" if is_strong else text, paper)


def _signed(pairs: Sequence[Pair]) -> str:
    ahead = [pair for pair in pairs if pair.better_by >= 0]
    return _points(ahead, [pair for pair in pairs if pair.better_by < 0])


def _points(ahead: Sequence[Pair], behind: Sequence[Pair]) -> str:
    """`+ 0.01 0.1 − 1`: ahead at the first two points, behind at the third."""
    parts = [(sign, " ".join(_point(pair.column) for pair in own)) for sign, own in (("+", ahead), ("−", behind))]
    return " ".join(f"{sign}\u00a0{points}" for sign, points in parts if points)


def _point(column: str) -> str:
    """`0.01` of `at 0.01 FP per frame`, `mean` of the headline."""
    return column.split()[1] if column.startswith("at ") else "mean"
