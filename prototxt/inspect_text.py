"""Inspections for a terminal: one net by layers, or an application's schemes beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerwise.shapes import shape_text
from prototxt.inspection import NEW, TUNED, LayerView, NetView

_NET_HEADS = ("layer", "type", "window", "output", "parameters", "MACs")
_RATE_HEADS = ("", "rate", "decay", "starts from")
_LETTERS = "F frozen   T tuned   N tuned, starts from its filler; rates and decays of weight/bias"
_MACS = "MACs: multiply-accumulates with weights in one picture's forward pass; nothing else is counted."


def format_net(view: NetView) -> str:
    """The net as a table, one layer a line, with totals and what could not be known."""
    rates = "rates" if view.solver else "factors of the rate and of the decay (no solver is given)"
    lines = [f"{view.name}: phase {view.phase}, batch {view.batch}; {rates}", ""]
    rows = [(*_NET_HEADS, *_RATE_HEADS), *(_net_cells(layer) + _rate_cells(layer) for layer in view.layers)]
    lines += _table(rows, numbers=(4, 5))
    lines += ["", *_totals(view), _LETTERS, _MACS]
    if view.other_phase:
        lines.append(f"not in phase {view.phase}: {', '.join(view.other_phase)}")
    lines += [f"unknown: {reason}" for reason in view.unknown]
    return "\n".join(lines)


def format_schemes(views: Sequence[NetView]) -> str:
    """What the schemes share, the net of the first, and what each does to each learned layer; then the solvers."""
    first = views[0]
    lines = list(_table([_NET_HEADS, *map(_net_cells, first.layers)], numbers=(4, 5)))
    lines += ["", *_totals(first)[:1], _MACS, "", "Rates of weight/bias of each learned layer:", ""]
    learned = [layer.name for layer in first.layers if layer.arrays]
    rows = [("scheme", *learned, "learned")]
    rows += [(view.name, *(_scheme_cell(view, name) for name in learned), f"{view.n_learned:,}") for view in views]
    lines += _table(rows, numbers=(len(learned) + 1,))
    lines += ["", "F frozen   T tuned from copied weights   N new: tuned from its filler"]
    decays = dict.fromkeys(
        _by_array(layer, "decay") for view in views for layer in view.layers if layer.state in (TUNED, NEW)
    )
    lines += [f"Decay of weight/bias where a layer learns: {', '.join(decays)}", "", "Starts of weight / bias:", ""]
    lines += _start_lines(views, learned)
    lines += ["", "Solvers:", ""]
    lines += _solver_lines(views)
    return "\n".join(lines)


def _net_cells(layer: LayerView) -> tuple[str, ...]:
    return (
        layer.name,
        layer.type,
        layer.details,
        "unknown" if layer.shape is None else " ".join(shape_text(top) or "1" for top in layer.shape.tops),
        f"{layer.n_parameters:,}" if layer.arrays else "",
        f"{layer.macs:,}" if layer.macs else "",
    )


def _rate_cells(layer: LayerView) -> tuple[str, ...]:
    return (
        layer.state,
        _by_array(layer, "rate"),
        _by_array(layer, "decay"),
        _start(layer),
    )


def _by_array(layer: LayerView, value: str) -> str:
    return "/".join(f"{getattr(array, value):g}" for array in layer.arrays)


def _start(layer: LayerView) -> str:
    return " / ".join(dict.fromkeys(array.start for array in layer.arrays))


def _scheme_cell(view: NetView, name: str) -> str:
    layer = next((layer for layer in view.layers if layer.name == name), None)
    if layer is None:
        return "-"
    rates = "/".join(f"{array.rate:g}".removeprefix("0") for array in layer.arrays)
    return f"{layer.state} {rates}" if layer.state in (TUNED, NEW) else layer.state


def _totals(view: NetView) -> list[str]:
    partly = " in the layers that are known" if view.unknown else ""
    share = 100 * view.n_learned / view.n_parameters if view.n_parameters else 0
    return [
        f"{view.n_parameters:,} parameters, {view.macs:,} MACs a picture{partly}",
        f"learned: {view.n_learned:,} parameters ({share:.1f} %)",
    ]


def _start_lines(views: Sequence[NetView], learned: Sequence[str]) -> Iterator[str]:
    """A column for schemes that start alike."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for view in views:
        starts = {layer.name: _start(layer) for layer in view.layers}
        alike.setdefault(tuple(starts.get(name, "-") for name in learned), []).append(view.name)
    heads = [names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" for names in alike.values()]
    yield from _table([("layer", *heads), *zip(learned, *alike, strict=True)], numbers=())


def _solver_lines(views: Sequence[NetView]) -> Iterator[str]:
    for field in dict.fromkeys(field for view in views for field in view.solver):
        by_value: dict[str, list[str]] = {}
        for view in views:
            by_value.setdefault(view.solver.get(field, "(not set)").replace(view.name, "<scheme>"), []).append(
                view.name
            )
        if len(by_value) == 1:
            yield f"{field}: {next(iter(by_value))}"
        else:
            yield f"{field}: " + "; ".join(f"{value} in {_names(names, views)}" for value, names in by_value.items())


def _names(names: Sequence[str], views: Sequence[NetView]) -> str:
    return ", ".join(names) if len(names) <= len(views) / 2 else f"the other {len(names)}"


def _table(rows: Sequence[tuple[str, ...]], numbers: tuple[int, ...]) -> Iterator[str]:
    """Lines with columns as wide as they need, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(w) if n in numbers else cell.ljust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
