"""SPP, spatial pyramid pooling (src/caffe/layers/spp_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from recaffe import mode
from recaffe.blob import Blob
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.pooling import Pooling
from recaffe.proto import caffe_pb2


class SPP(Layer):
    """Poolings into 1 x 1, 2 x 2, 4 x 4, ... bins, one after the other: a vector (N, C (1 + 4 + 16 + ...)) for images
    of any size. Of a pyramid_height of 1 the top is (N, C, 1, 1), as in Caffe.

    A level of b bins has kernel and stride ceil(size / b) and pads half of what b kernels have too much, rounded up;
    where such padding is not below the kernel, the image is too small for the level.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.levels = self.param.spp_param.pyramid_height
        if not 1 <= self.levels <= 16:  # chosen: 2^32 bins would be beyond any image
            raise self.error(f"has pyramid_height {self.levels}, expected 1 to 16")
        self._shape: tuple[int, ...] = (0,)  # no bottom has it: the first one is a new shape, as any other
        self._image: Blob | None = None  # the bottom of the latest forward, whose diff each level writes

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if bottom[0].shape != self._shape:
            if len(bottom[0].shape) != 4 or not bottom[0].count:
                raise self.error(f"has a bottom of shape {bottom[0].shape}, expected 4 axes, none of them empty")
            self._poolings = [Pooling(self._pooling_param(level, *bottom[0].shape[2:])) for level in range(self.levels)]
            self._pooled = [Blob() for _ in self._poolings]
            for pooling, pooled in zip(self._poolings, self._pooled, strict=True):
                pooling.connect(bottom, [pooled])
            self._shape = bottom[0].shape
        if self.levels == 1:
            top[0].reshape(*self._pooled[0].shape)
        else:
            top[0].reshape(self._shape[0], sum(math.prod(blob.shape[1:]) for blob in self._pooled))

    def _pooling_param(self, level: int, height: int, width: int) -> caffe_pb2.LayerParameter:
        bins = 2**level
        kernel_h, kernel_w = -(-height // bins), -(-width // bins)
        param = caffe_pb2.LayerParameter(name=self.name, type="Pooling")
        param.pooling_param.pool = self.param.spp_param.pool
        param.pooling_param.kernel_h = param.pooling_param.stride_h = kernel_h
        param.pooling_param.kernel_w = param.pooling_param.stride_w = kernel_w
        param.pooling_param.pad_h = (kernel_h * bins - height + 1) // 2
        param.pooling_param.pad_w = (kernel_w * bins - width + 1) // 2
        return param

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        image = Blob(self._shape)  # in the layout that all levels want
        image.set(bottom[0].tensor().contiguous(memory_format=mode.image_layout()))
        for pooling, pooled in zip(self._poolings, self._pooled, strict=True):
            pooling.needs_backward = self.needs_backward
            pooling.forward([image], [pooled])
        self._image = image if self.needs_backward else None
        if self.levels == 1:
            top[0].set(self._pooled[0].tensor().clone())
        else:
            top[0].set(torch.cat([blob.tensor().reshape(self._shape[0], -1) for blob in self._pooled], 1))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        if self._image is None:
            raise self.error("has no image yet; run forward before backward")
        sizes = [math.prod(blob.shape[1:]) for blob in self._pooled]
        gradients: list[torch.Tensor] = []
        parts = top[0].diff_tensor().reshape(self._shape[0], -1).split(sizes, 1)
        for pooling, pooled, part in zip(self._poolings, self._pooled, parts, strict=True):
            pooled.set_diff(part.reshape(pooled.shape).contiguous(memory_format=mode.image_layout()))
            pooling.backward([pooled], [True], [self._image])
            gradients.append(self._image.diff_tensor())
        bottom[0].set_diff(sum(gradients[1:], start=gradients[0]))
