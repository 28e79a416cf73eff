"""Exp, Log and Power of scale * x + shift."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from recaffe import mode
from recaffe.blob import Blob
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.neuron import Neuron


class Exp(Neuron):
    """base ^ (scale x + shift), with base -1 for e. Source: src/caffe/layers/exp_layer.cpp."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.exp_param
        log_base = _log_of_base(self, param.base)
        self.inner, self.outer = log_base * param.scale, log_base * param.shift

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set((bottom[0].tensor() * self.inner).add_(self.outer).exp_())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].set_diff((top[0].tensor() * top[0].diff_tensor()).mul_(self.inner))


class Log(Neuron):
    """The logarithm of scale x + shift to `base`, -1 for e. In place see `_send_down`.

    Source: src/caffe/layers/log_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.log_param
        self.log_base = _log_of_base(self, param.base)
        if self.log_base == 0:
            raise self.error("has base 1, to which there is no logarithm")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(self._inside(bottom[0]).log_().div_(self.log_base))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            derivative = self._inside(bottom[0]).reciprocal_().mul_(self.param.log_param.scale / self.log_base)
            _send_down(top[0], bottom[0], derivative)

    def _inside(self, blob: Blob) -> torch.Tensor:
        return (blob.tensor() * self.param.log_param.scale).add_(self.param.log_param.shift)


class Power(Neuron):
    """(scale x + shift) ^ power. In place see `_send_down`. Source: src/caffe/layers/power_layer.cpp.

    The derivative is Caffe's: with the output divided by the base of the power, hence NaN where that base is 0, except
    for the powers 0, 1 and 2.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.power_param
        self.power, self.scale, self.shift = param.power, param.scale, param.shift

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        if self.power * self.scale == 0:  # whatever the bottom holds, NaN included
            value = torch.full(bottom[0].shape, self.shift, dtype=mode.dtype(), device=mode.device())
        else:
            value = self._base(bottom[0])
        top[0].set(value if self.power == 1 else value.pow_(self.power))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        factor = self.power * self.scale
        if factor == 0 or self.power == 1:
            derivative = torch.full(bottom[0].shape, factor, dtype=mode.dtype(), device=mode.device())
        elif self.power == 2:
            derivative = self._base(bottom[0]).mul_(factor)
        else:
            derivative = (top[0].tensor() / self._base(bottom[0])).mul_(factor)
        _send_down(top[0], bottom[0], derivative)

    def _base(self, blob: Blob) -> torch.Tensor:
        """scale x + shift, in memory of its own."""
        return (blob.tensor() * self.scale).add_(self.shift)


def _log_of_base(layer: Layer, base: float) -> float:
    """The natural logarithm of the field `base`, 1 for -1."""
    if base != -1 and not 0 < base < math.inf:
        raise layer.error(f"has base {base:g}, expected a number above 0, or -1 for e")
    return 1.0 if base == -1 else math.log(base)


def _send_down(top: Blob, bottom: Blob, derivative: torch.Tensor) -> None:
    """Make derivative times the top's diff the bottom's diff.

    In place real Caffe has overwritten the top's diff with the derivative by then, so that the derivative's square
    comes out and the gradient from above is lost. Who trains through such a layer should give its top another name.
    """
    bottom.set_diff(derivative * (derivative if top is bottom else top.diff_tensor()))
