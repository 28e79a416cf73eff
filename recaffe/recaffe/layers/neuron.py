"""What layers have in common that give each value of one bottom its own value in one top; and Dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.random_stream import global_stream


class Neuron(Layer):
    """One bottom, one top of the same shape; may work in place. Source: src/caffe/layers/neuron_layer.cpp.

    In place, `backward` sees the output where a formula has the input, as in Caffe; a layer that lives with that badly
    says so.
    """

    allows_in_place: ClassVar = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if top[0] is not bottom[0]:
            top[0].reshape(*bottom[0].shape)


class Dropout(Neuron):
    """At TRAIN a value survives with probability 1 - dropout_ratio and is scaled by 1 / (1 - dropout_ratio); at TEST
    nothing happens. Drops also where the layer is frozen.

    On a CPU the mask comes from the global random stream, one word per value in C order, as real Caffe's. On a GPU real
    Caffe uses curand and we torch's generator: equal in distribution only. Source: src/caffe/layers/dropout_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.ratio = self.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise self.error(f"has dropout_ratio {self.ratio}, expected 0 or more and less than 1")
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
