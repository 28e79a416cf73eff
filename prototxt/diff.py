"""python -m prototxt.diff a.prototxt b.prototxt: what two nets, or two solvers, say differently.

Files are compared by what they mean: comments, the order of fields, defaults written out or not, and old dialects that
say the same make no difference. Exit code 0 the same, 1 different, 2 unreadable or not comparable, as diff has them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

from layerwise.errors import ModelError, exit_code_main
from prototxt.differences import ADDED, MOVED, REMOVED, Differences, LayerChange, compare_messages
from prototxt.field_changes import FieldChange
from prototxt.read import read_prototxt

_SIGNS = {ADDED: "+ ", REMOVED: "- "}


def diff_files(old: str, new: str) -> Differences:
    """The differences of two prototxt files; ModelError if one cannot be read, or one is a net and one a solver."""
    first, second = read_prototxt(old), read_prototxt(new)
    if first.kind != second.kind:
        raise ModelError(f"{old} is a {first.kind} and {new} a {second.kind}; compare two of one kind")
    return compare_messages(first.message, second.message)


def format_differences(differences: Differences) -> str:
    """One line for each layer and field that differ, and their number; the same nets give one line that says so."""
    if not differences:
        return "no difference: both mean the same"
    lines = [_field_line(change) for change in differences.fields]
    for layer in differences.layers:
        lines += _layer_lines(layer)
    return "\n".join([*lines, _summary(differences)])


def _layer_lines(layer: LayerChange) -> Iterator[str]:
    moved = ", in another place" if layer.kind == MOVED else ""
    yield f"{_SIGNS.get(layer.kind, '')}layer {layer.name} ({layer.what}){moved}"
    for change in layer.fields:
        if layer.kind == ADDED:
            yield f"    {change.field}: {change.new}"
        elif layer.kind == REMOVED:
            yield f"    {change.field}: {change.old}"
        else:
            yield f"    {_field_line(change)}"


def _field_line(change: FieldChange) -> str:
    return f"{change.field}: {change.old} -> {change.new}"


def _summary(differences: Differences) -> str:
    counts = Counter(layer.kind for layer in differences.layers)
    parts = [f"{n} layer{'s' if n > 1 else ''} {kind}" for kind, n in counts.items()]
    if differences.fields:
        parts.append(f"{len(differences.fields)} field{'s' if len(differences.fields) > 1 else ''} outside layers")
    return ", ".join(parts)


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m prototxt.diff", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("old", help="a net or solver")
    parser.add_argument("new", help="another of the same kind")
    args = parser.parse_args()
    try:
        differences = diff_files(args.old, args.new)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2  # 1 would say that the files differ
    print(format_differences(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
