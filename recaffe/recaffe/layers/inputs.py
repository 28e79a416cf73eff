"""Layers that bring data into a net: Input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from recaffe.layers.base import Blobs, Layer, register


@register
class Input(Layer):
    """Blobs that the caller fills. Shapes: one for all tops, one for each, or none (then reshape the blobs).

    Source: src/caffe/layers/input_layer.cpp.
    """

    bottom_range: ClassVar = (0, 0)
    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        if len(shapes) not in (0, 1, len(top)):
            raise self.error(f"has {len(shapes)} shapes for {len(top)} tops; give one, one for each, or none")
        for blob, shape in zip(top, shapes if len(shapes) != 1 else shapes * len(top), strict=False):
            blob.reshape(*shape)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        pass
