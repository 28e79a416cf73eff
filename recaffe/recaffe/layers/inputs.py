"""Layers that bring data into a net: Input and Data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.data.prefetch import Prefetcher
from recaffe.layers.base import Blobs, Layer
from recaffe.random_stream import global_stream


class Source(Layer):
    """No bottoms; what the tops hold comes from outside the net."""

    bottom_range: ClassVar = (0, 0)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        pass


class Input(Source):
    """Blobs that the caller fills. Shapes: one for all tops, one for each, or none (then reshape the blobs).

    Source: src/caffe/layers/input_layer.cpp.
    """

    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        if len(shapes) not in (0, 1, len(top)):
            raise self.error(f"has {len(shapes)} shapes for {len(top)} tops; give one, one for each, or none")
        for blob, shape in zip(top, shapes if len(shapes) != 1 else shapes * len(top), strict=False):
            blob.reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass


class Data(Source):
    """Records of an LMDB in the order of their keys, batch after batch without end: images, and labels as second top.

    The next batches are made in a background thread meanwhile. Source: src/caffe/layers/data_layer.cpp.
    """

    top_range: ClassVar = (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.batches = Prefetcher(self.param, self.phase, global_stream)
        top[0].reshape(*self.batches.shape)
        if len(top) > 1:
            top[1].reshape(self.batches.shape[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        batch = self.batches.next_batch()
        for blob, values in zip(top, (batch.data, batch.labels), strict=False):
            blob.reshape(*values.shape)
            blob.set(torch.from_numpy(values).to(mode.device(), mode.dtype()))
