"""Layers that bring data into a net: Input, and what those share that make batches ahead; Data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from recaffe import mode
from recaffe.data.database_loader import DatabaseLoader
from recaffe.data.prefetch import Loader, Prefetcher
from recaffe.layers.base import Blobs, Layer
from recaffe.random_stream import RandomStream, global_stream


class Source(Layer):
    """No bottoms; what the tops hold comes from outside the net."""

    bottom_range: ClassVar = (0, 0)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        pass


def show(top: Blobs, arrays: Sequence[np.ndarray]) -> None:
    """Let the tops hold these float32 arrays, which belong to them from now on."""
    for blob, values in zip(top, arrays, strict=False):
        blob.reshape(*values.shape)
        blob.set(torch.from_numpy(values).to(mode.device(), mode.dtype()))


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


class Prefetching(Source):
    """Images as first top (N, C, H, W), labels as second (N,), of batches that a background thread makes meanwhile.

    Source: src/caffe/layers/base_data_layer.cpp.
    """

    top_range: ClassVar = (2, 2)
    make_loader: ClassVar[Callable[[Any, int, RandomStream], Loader]]

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        loader = type(self).make_loader(self.param, self.phase, global_stream)
        self.batches = Prefetcher(loader, self.param.data_param.prefetch)
        for blob, shape in zip(top, (loader.shape, loader.shape[:1]), strict=False):
            blob.reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        batch = self.batches.next_batch()
        show(top, (batch.data, batch.labels))

    def state(self) -> dict[str, np.ndarray]:
        return dict(self.batches.state())

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.batches.set_state(state)


class Data(Prefetching):
    """Records of an LMDB or LevelDB in the order of their keys, batch after batch without end.

    Source: src/caffe/layers/data_layer.cpp.
    """

    top_range: ClassVar = (1, 2)
    make_loader = DatabaseLoader
