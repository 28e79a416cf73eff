"""Shapes of a net's blobs and weights from its prototxt alone, computed without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from layerwise.errors import ModelError
from layerwise.layer_shape import LayerShape as LayerShape
from layerwise.layer_shape import Shape as Shape
from layerwise.layer_shape import refusal
from layerwise.layer_shape import shape_text as shape_text
from layerwise.shape_rules import RULES
from layerwise.source_shapes import SOURCES

_ENDS = ("Accuracy", "SoftmaxWithLoss")


def layer_shapes(net: Any, data_shape: Shape) -> dict[str, LayerShape]:
    """Name -> shape, without the batch, of each layer of a NetParameter between its blob `data` and its losses.

    data_shape: (C, H, W) of a patch.
    Raises ModelError for a layer whose type has no rule, or that does not fit its bottom.
    """
    blobs: dict[str, Shape] = {"data": (1, *data_shape)}
    shapes: dict[str, LayerShape] = {}
    for layer in net.layer:
        if layer.type in SOURCES or layer.type in _ENDS:
            continue
        shape = _shape_of(layer, [blobs[name] for name in layer.bottom])
        blobs.update(zip(layer.top, shape.tops, strict=True))
        shapes[layer.name] = replace(shape, tops=tuple(top[1:] for top in shape.tops))
    return shapes


def all_shapes(net: Any, data_shape: Shape | None = None) -> list[LayerShape | ModelError]:
    """The shapes of each layer of a NetParameter, with the batch; of one that cannot be known, the error that says why.

    Layers are taken as they stand, so those of the other phase should have been left out.
    data_shape: (C, H, W) of the pictures, in the place of what the file says or leaves open.
    """
    blobs: dict[str, Shape] = {}
    results: list[LayerShape | ModelError] = []
    for layer in net.layer:
        try:
            if layer.type in SOURCES:
                shape = SOURCES[layer.type](layer, data_shape)
            else:
                missing = [name for name in layer.bottom if name not in blobs]
                if missing and layer.type in RULES:
                    raise refusal(layer, f"reads {', '.join(map(repr, missing))}, of unknown shape")
                shape = _shape_of(layer, [blobs[name] for name in layer.bottom if name in blobs])
            blobs.update(zip(layer.top, shape.tops, strict=True))
            results.append(shape)
        except ModelError as error:
            for name in layer.top:  # an in-place layer of unknown shape hides what it is written over
                blobs.pop(name, None)
            results.append(error)
    return results


def _shape_of(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    if layer.type not in RULES:
        raise refusal(layer, f"has no shape rule; types that have one are {', '.join(sorted({*RULES, *SOURCES}))}")
    if not bottoms:
        raise refusal(layer, "reads no blob")
    shape = RULES[layer.type](layer, bottoms)
    if len(shape.tops) != len(layer.top):
        raise refusal(layer, f"gives {len(shape.tops)} blobs, and has {len(layer.top)} tops")
    return shape
