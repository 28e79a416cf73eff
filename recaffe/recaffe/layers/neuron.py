"""Layers that work on each value alone: ReLU and Dropout. They may work in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.random_stream import global_stream


class Neuron(Layer):
    """One bottom, one top of the same shape."""

    allows_in_place: ClassVar = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if top[0] is not bottom[0]:
            top[0].reshape(*bottom[0].shape)


class ReLU(Neuron):
    """max(x, 0) + negative_slope min(x, 0). Source: src/caffe/layers/relu_layer.cpp.

    In place, `backward` sees the output where Caffe's formula has the input: the sign, all it needs, is the same as
    long as negative_slope is not negative.
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value, slope = bottom[0].tensor(), self.param.relu_param.negative_slope
        if slope:
            top[0].set(torch.nn.functional.leaky_relu(value, slope))
        elif top[0] is bottom[0]:
            value.relu_()
            top[0].set(value)
        else:
            top[0].set(value.relu())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            value, slope = bottom[0].tensor(), self.param.relu_param.negative_slope
            gradient = top[0].diff_tensor()
            if slope:
                bottom[0].set_diff(torch.where(value > 0, gradient, gradient * slope))
            else:
                bottom[0].set_diff(torch.ops.aten.threshold_backward(gradient, value, 0))


class Dropout(Neuron):
    """At TRAIN a value survives with probability 1 - dropout_ratio and is scaled by 1 / (1 - dropout_ratio); at TEST
    nothing happens. Drops also where the layer is frozen.

    On a CPU the mask comes from the global random stream, one word per value in C order, as real Caffe's. On a GPU real
    Caffe uses curand and we torch's generator: equal in distribution only. Source: src/caffe/layers/dropout_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.ratio = self.param.dropout_param.dropout_ratio
        if not 0 < self.ratio < 1:
            raise self.error(f"has dropout_ratio {self.ratio}, expected more than 0 and less than 1")
        self._mask: torch.Tensor | None = None  # of the latest forward at TRAIN

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        if self.is_train:
            mask = self._draw(bottom[0].shape)
            top[0].set(value * mask)
            self._mask = mask if self.needs_backward else None
        elif top[0] is not bottom[0]:
            top[0].set(value.clone())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            gradient = top[0].diff_tensor()
            if self.is_train:
                if self._mask is None:
                    raise self.error("has no mask yet; run forward before backward")
                bottom[0].set_diff(gradient * self._mask)
            elif top[0] is not bottom[0]:
                bottom[0].set_diff(gradient.clone())

    def _draw(self, shape: tuple[int, ...]) -> torch.Tensor:
        """0 or 1 / (1 - ratio) for each value."""
        scale = 1.0 / (1.0 - self.ratio)
        if mode.device().type == "cpu":
            kept = torch.from_numpy(global_stream.bernoulli(math.prod(shape), 1.0 - self.ratio))
            return kept.view(shape).to(mode.dtype()).mul_(scale)
        kept = torch.empty(shape, dtype=mode.dtype(), device=mode.device())
        kept.bernoulli_(1.0 - self.ratio, generator=mode.gpu_generator())
        return kept.mul_(scale)
