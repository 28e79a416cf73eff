"""Smooth functions of each value: Sigmoid, TanH, Swish, BNLL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from recaffe.layers.base import Blobs
from recaffe.layers.neuron import Neuron


class Sigmoid(Neuron):
    """1 / (1 + exp(-x)). Source: src/caffe/layers/sigmoid_layer.cpp."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor().sigmoid())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].set_diff(torch.ops.aten.sigmoid_backward(top[0].diff_tensor(), top[0].tensor()))


class TanH(Neuron):
    """The hyperbolic tangent. Source: src/caffe/layers/tanh_layer.cpp."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor().tanh())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].set_diff(torch.ops.aten.tanh_backward(top[0].diff_tensor(), top[0].tensor()))


class Swish(Neuron):
    """x sigmoid(beta x). Source: src/caffe/layers/swish_layer.cpp."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.beta = self.param.swish_param.beta
        self._gate: torch.Tensor | None = None  # sigmoid(beta x) of the latest forward

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        gate = (value * self.beta).sigmoid_()
        self._gate = gate if self.needs_backward else None
        top[0].set(value * gate)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            if self._gate is None:
                raise self.error("kept nothing for a backward pass; run forward before backward")
            scaled = top[0].tensor() * self.beta
            bottom[0].set_diff(top[0].diff_tensor() * (scaled + self._gate * (1 - scaled)))


class BNLL(Neuron):
    """log(1 + exp(x)). In place its gradient is wrong, as in Caffe. Source: src/caffe/layers/bnll_layer.cpp."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        top[0].set(value.clamp(min=0).add_(value.abs().neg_().exp_().log1p_()))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].set_diff(bottom[0].tensor().sigmoid() * top[0].diff_tensor())
