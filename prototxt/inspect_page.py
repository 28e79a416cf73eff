"""The inspector's page as one HTML text: no network, no other file, readable on a phone and in print."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from layerwise.applications import Application
from layerwise.nets import NetRecord
from prototxt.differences import Differences, compare_messages
from prototxt.inspection import Inspected, LayerView


@dataclass(frozen=True)
class Pair:
    """Two schemes by their numbers in the page, and what their nets and solvers say differently.

    is_next: whether one follows the other in depth.
    """

    first: int
    second: int
    net: Differences
    solver: Differences
    is_next: bool


@dataclass(frozen=True)
class SolverRow:
    """A field and its values, by scheme, a dash where it is not set. In `values` with one entry it is that of all,
    after each scheme's own name is written as <scheme>."""

    field: str
    values: tuple[str, ...]


def inspector_page(application: Application, net: NetRecord, schemes: Sequence[Inspected]) -> str:
    """The page of all schemes of one application. Every text from a file is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=_count, rate=_rate, share_of=_share_of)
    return environment.get_template("inspect.html.jinja").render(
        application=application,
        net=net,
        patch="×".join(map(str, net.patch_shape(application))),
        views=[scheme.view for scheme in schemes],
        layer_of=[{layer.name: layer for layer in scheme.view.layers} for scheme in schemes],
        rows=_all_layers(schemes),
        solver_rows=_solver_rows(schemes),
        pairs=_pairs(schemes),
    )


def _all_layers(schemes: Sequence[Inspected]) -> list[LayerView]:
    """Those of the first scheme, then those that only later ones have."""
    return list({layer.name: layer for scheme in reversed(schemes) for layer in scheme.view.layers}.values())


def _solver_rows(schemes: Sequence[Inspected]) -> list[SolverRow]:
    views = [scheme.view for scheme in schemes]
    rows = []
    for field in dict.fromkeys(field for view in views for field in view.solver):
        named = {view.solver.get(field, "–").replace(view.name, "<scheme>") for view in views}
        rows.append(
            SolverRow(field, tuple(named) if len(named) == 1 else tuple(view.solver.get(field, "–") for view in views))
        )
    return rows


def _pairs(schemes: Sequence[Inspected]) -> list[Pair]:
    return [
        Pair(
            first,
            second,
            compare_messages(schemes[first].net, schemes[second].net),
            compare_messages(schemes[first].solver, schemes[second].solver),
            is_next=second == first + 1,
        )
        for first, second in itertools.combinations(range(len(schemes)), 2)
    ]


def _count(value: int) -> str:
    """A count with thin spaces between the thousands."""
    return f"{value:,}".replace(",", "\u2009")


def _rate(value: float) -> str:
    return f"{value:g}"


def _share_of(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else ""
