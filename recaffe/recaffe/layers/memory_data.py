"""MemoryData (src/caffe/layers/memory_data_layer.cpp)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from recaffe import mode
from recaffe.data.transformer import Transformer
from recaffe.errors import NetError
from recaffe.layers.base import Blobs, Layer
from recaffe.random_stream import global_stream

log = logging.getLogger("recaffe.net")


class MemoryData(Layer):
    """Batches of two arrays of the caller's, `net.set_input_arrays(data, labels)`, one after the other without end.

    Tops: data (batch_size, channels, height, width) and labels (batch_size,), from the first forward on
    (batch_size, 1, 1, 1). A transform_param has no effect but on the random stream, as in Caffe, and is warned of.
    """

    bottom_range: ClassVar = (0, 0)
    top_range: ClassVar = (2, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.memory_data_param
        self.batch_size = param.batch_size
        self.item_shape = (param.channels, param.height, param.width)
        if self.batch_size < 1 or min(self.item_shape) < 1:
            raise self.error(
                f"has batch_size {self.batch_size} and items of shape {self.item_shape}; memory_data_param must give "
                "batch_size, channels, height and width, all above 0"
            )
        Transformer(self.param.transform_param, self.phase).seed_from(
            global_stream
        )  # Caffe makes one, and never asks it
        self._data: NDArray[np.float32] | None = None
        self._labels: NDArray[np.float32] | None = None
        self._position = 0
        top[0].reshape(self.batch_size, *self.item_shape)
        top[1].reshape(self.batch_size)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def set_arrays(self, data: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Read these from now on, from their start; (N, *item_shape) and (N, 1, 1, 1), float32 in C order.

        Source: MemoryDataLayer::Reset, and Net_SetInputArrays in _caffe.cpp. Raises NetError for any other array.
        """
        self._check("data array", data, self.item_shape)
        self._check("labels array", labels, (1, 1, 1))
        if len(data) != len(labels):
            raise NetError(f"data and labels must have the same first dimension, found {len(data)} and {len(labels)}")
        if not len(data) or len(data) % self.batch_size:
            raise self.error(f"was given {len(data)} items, expected a multiple of its batch_size {self.batch_size}")
        if self.param.HasField("transform_param"):
            log.warning("layer %r (MemoryData) does not transform arrays: its transform_param has no effect", self.name)
        self._data, self._labels, self._position = data, labels, 0

    def _check(self, what: str, array: NDArray[np.float32], item_shape: Sequence[int]) -> None:
        if not array.flags.c_contiguous:
            raise NetError(f"{what} must be C contiguous; pass np.ascontiguousarray(array)")
        if array.ndim != 4 or array.shape[1:] != tuple(item_shape):
            raise NetError(f"{what} has the shape {array.shape}, expected (N, {', '.join(map(str, item_shape))})")
        if array.dtype != np.float32:
            raise NetError(f"{what} must be float32, found {array.dtype}")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        if self._data is None or self._labels is None:
            raise self.error("has no data yet; call net.set_input_arrays(data, labels) before forward")
        batch = slice(self._position, self._position + self.batch_size)
        self._position = batch.stop % len(self._data)
        top[1].reshape(self.batch_size, 1, 1, 1)
        for blob, values in zip(top, (self._data[batch], self._labels[batch]), strict=True):
            blob.set(torch.from_numpy(values).to(mode.device(), mode.dtype(), copy=True))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        pass

    def state(self) -> dict[str, np.ndarray]:
        return {"position": np.array(self._position)}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._position = int(state["position"]) if self._data is None else int(state["position"]) % len(self._data)
