"""DummyData: blobs that fillers fill."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from recaffe import mode
from recaffe.blob import Blob
from recaffe.fillers import FillerError, fill
from recaffe.layers.base import Blobs
from recaffe.layers.inputs import Source
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream

_OLD_SIZES = ("num", "channels", "height", "width")


class DummyData(Source):
    """Constant tops are filled once, at set-up; others anew at each forward, in their order, from the global stream.

    Shapes (`shape`, or the older num, channels, height, width): one for all tops or one for each. Fillers: one for all
    tops, one for each, or none, which is zeros. Source: src/caffe/layers/dummy_data_layer.cpp.
    """

    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.dummy_data_param
        fillers = list(param.data_filler) or [caffe_pb2.FillerParameter(type="constant")]
        self._fillers = self._for_each_top("data_filler", fillers, len(top))
        for blob, shape, filler in zip(top, self._shapes(len(top)), self._fillers, strict=True):
            blob.reshape(*shape)
            if filler.type == "constant":
                self._fill(blob, filler)

    def _shapes(self, n_tops: int) -> list[tuple[int, ...]]:
        param = self.param.dummy_data_param
        if not any(getattr(param, name) for name in _OLD_SIZES):
            return self._for_each_top("shape", [tuple(shape.dim) for shape in param.shape], n_tops)
        if param.shape:
            raise self.error("has both shape and num, channels, height or width; keep one of the two forms")
        sizes = (self._for_each_top(name, list(getattr(param, name)), n_tops) for name in _OLD_SIZES)
        return list(zip(*sizes, strict=True))

    def _for_each_top(self, name: str, values: list[Any], n_tops: int) -> list[Any]:
        if len(values) not in (1, n_tops):
            raise self.error(f"has {len(values)} {name} for {n_tops} tops; give one, or one for each")
        return values * n_tops if len(values) == 1 else values

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        for blob, filler in zip(top, self._fillers, strict=True):
            if filler.type != "constant":
                self._fill(blob, filler)

    def _fill(self, blob: Blob, filler: Any) -> None:
        try:
            values = fill(filler, blob.shape, global_stream)
        except FillerError as error:
            raise self.error(f"cannot fill its top: {error}") from None
        blob.set(torch.from_numpy(values).to(mode.device(), mode.dtype()))
