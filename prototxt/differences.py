"""What two nets or two solvers say differently: fields by what they mean, layers matched by name.

Layers that both nets name are one layer; of the others, two of one type at the same place between such are one that was
renamed. The order of layers counts only where it changed.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from recaffe.proto import caffe_pb2, text

from prototxt.field_changes import FieldChange, canonical_layer, field_changes

CHANGED, ADDED, REMOVED, MOVED = "changed", "added", "removed", "moved"


@dataclass(frozen=True)
class LayerChange:
    """One layer, by its name in the new net, or in the old one if it is no longer there.

    what: its type, and its phase if it is in one alone.
    kind: CHANGED; ADDED or REMOVED, with all that it says as fields; MOVED behind another layer, changed or not.
    """

    kind: str
    name: str
    what: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Differences:
    """fields: of the net or solver itself. layers: in the order of the new net, removed ones where they stood."""

    fields: tuple[FieldChange, ...]
    layers: tuple[LayerChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fields or self.layers)


def compare_messages(old: Any, new: Any) -> Differences:
    """The differences of two NetParameters or two SolverParameters in today's form; false if they mean the same."""
    if old.DESCRIPTOR.name != "NetParameter":
        return Differences(tuple(field_changes(old, new)))
    own = field_changes(_without_layers(old), _without_layers(new))
    return Differences(tuple(own), tuple(_layers(list(old.layer), list(new.layer))))


def _without_layers(net: Any) -> Any:
    copy = caffe_pb2.NetParameter()
    copy.CopyFrom(net)
    copy.ClearField("layer")
    return copy


def _layers(old: Sequence[Any], new: Sequence[Any]) -> Iterator[LayerChange]:
    partner = _matches(old, new)
    moved = _moved(partner)
    old_of = {second: first for first, second in partner.items()}
    gone = 0
    for place, layer in enumerate(new):
        first = old_of.get(place)
        if first is None:
            yield _whole(ADDED, layer)
            continue
        if first not in moved:
            yield from _removed(old[gone:first], range(gone, first), partner)
            gone = max(gone, first + 1)
        fields = tuple(field_changes(canonical_layer(old[first]), canonical_layer(layer)))
        if fields or first in moved:
            yield LayerChange(MOVED if first in moved else CHANGED, layer.name, _what(layer), fields)
    yield from _removed(old[gone:], range(gone, len(old)), partner)


def _removed(layers: Sequence[Any], places: Sequence[int], partner: dict[int, int]) -> Iterator[LayerChange]:
    for place, layer in zip(places, layers, strict=True):
        if place not in partner:
            yield _whole(REMOVED, layer)


def _whole(kind: str, layer: Any) -> LayerChange:
    nothing, said = type(layer)(name=layer.name, type=layer.type), canonical_layer(layer)
    sides = (nothing, said) if kind == ADDED else (said, nothing)
    return LayerChange(kind, layer.name, _what(layer), tuple(field_changes(*sides)))


def _what(layer: Any) -> str:
    phases = [caffe_pb2.Phase.Name(rule.phase) for rule in layer.include if rule.HasField("phase")]
    return ", ".join([layer.type, *phases])


def _matches(old: Sequence[Any], new: Sequence[Any]) -> dict[int, int]:
    """Place in `old` -> place in `new` of what is one layer."""
    partner: dict[int, int] = {}
    for key in (_name_and_rules, lambda layer: layer.name):  # the data layers of both phases share a name
        waiting = defaultdict(list)
        for place, layer in enumerate(new):
            if place not in partner.values():
                waiting[key(layer)].append(place)
        for place, layer in enumerate(old):
            if place not in partner and waiting[key(layer)]:
                partner[place] = waiting[key(layer)].pop(0)
    for before, after in _gaps(partner, len(old), len(new)):
        free = list(after)
        for place in before:
            same = next((other for other in free if new[other].type == old[place].type), None)
            if same is not None:
                partner[place] = same
                del free[: free.index(same) + 1]
    return partner


def _gaps(partner: dict[int, int], n_old: int, n_new: int) -> list[tuple[range, range]]:
    """Stretches of unmatched layers that stand between the same matched ones in both nets."""
    ends = sorted([(-1, -1), *partner.items(), (n_old, n_new)])
    return [
        (range(first + 1, second), range(first_new + 1, second_new))
        for (first, first_new), (second, second_new) in itertools.pairwise(ends)
        if not any(place in partner.values() for place in range(first_new + 1, second_new))
    ]


def _name_and_rules(layer: Any) -> tuple[str, ...]:
    return (layer.name, *(text.format(rule) for rule in (*layer.include, *layer.exclude)))


def _moved(partner: dict[int, int]) -> set[int]:
    """The fewest places in `old` without which the others keep their order: all but a longest increasing sequence."""
    best: list[int] = []  # best[n]: the place whose partner ends the lowest increasing sequence of n + 1
    before: dict[int, int | None] = {}
    for place in sorted(partner):
        n = bisect.bisect_left([partner[end] for end in best], partner[place])
        before[place] = best[n - 1] if n else None
        best[n : n + 1] = [place]
    kept: set[int] = set()
    last = best[-1] if best else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return set(partner) - kept
