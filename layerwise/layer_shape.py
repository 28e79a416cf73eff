"""The shapes of one layer, and what the rules that compute them share."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from layerwise.errors import ModelError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerShape:
    """tops: of each top. params: weight and bias of a learned layer, else empty.

    macs: multiply-accumulates of one forward pass with weights; what other layers compute is not counted.
    """

    tops: tuple[Shape, ...]
    params: tuple[Shape, ...] = ()
    macs: int = 0

    @property
    def output(self) -> Shape:
        """The first top's shape."""
        return self.tops[0]

    @property
    def n_parameters(self) -> int:
        return sum(prod(shape) for shape in self.params)


def shape_text(shape: Shape) -> str:
    """As Caffe's users write it: 96x3x11x11."""
    return "x".join(map(str, shape))


def refusal(layer: Any, problem: str) -> ModelError:
    """What to raise for a layer that has no shape: `problem` goes on from the layer's name."""
    return ModelError(f"layer '{layer.name}' ({layer.type}) {problem}")


def axis_of(layer: Any, axis: int, shape: Shape) -> int:
    """The axis of `shape` that a layer means, where -1 is the last."""
    if not -len(shape) <= axis < len(shape):
        raise refusal(layer, f"has axis {axis}, and its bottom is {shape_text(shape) or 'a single number'}")
    return axis % len(shape)
