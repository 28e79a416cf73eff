"""Functions of each value that have a corner or a step: ReLU, PReLU, ELU, AbsVal, Clip, Threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs
from recaffe.layers.neuron import Neuron
from recaffe.proto import caffe_pb2


class ReLU(Neuron):
    """max(x, 0) + negative_slope min(x, 0). Source: src/caffe/layers/relu_layer.cpp.

    In place the sign, all that `backward` needs, is the same as long as negative_slope is not negative.
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
                bottom[0].set_diff(_bent(gradient, value, slope))
            else:
                bottom[0].set_diff(torch.ops.aten.threshold_backward(gradient, value, 0))


class PReLU(Neuron):
    """max(x, 0) + slope min(x, 0) with a learned slope. Source: src/caffe/layers/prelu_layer.cpp.

    Weight: (channels,) for the channels of axis 1, or () with channel_shared; filled with 0.25 unless `filler` says
    otherwise. In place it keeps a copy of its input.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param, shape = self.param.prelu_param, bottom[0].shape
        if len(shape) < 2:
            raise self.error(f"has a bottom of shape {shape}, expected 2 axes or more")
        quarter = caffe_pb2.FillerParameter(type="constant", value=0.25)
        filler = param.filler if param.HasField("filler") else quarter
        self.make_weights((() if param.channel_shared else (shape[1],), filler))
        self._kept: torch.Tensor | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        slopes, shape = self.blobs[0].shape, bottom[0].shape
        if len(shape) < 2 or (slopes and slopes[0] != shape[1]):
            raise self.error(f"has slopes of shape {slopes}, but its bottom now has the shape {shape}")
        self._view = (1, *slopes, *[1] * (len(shape) - 2)) if slopes else (1,) * len(shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        if top[0] is bottom[0] and self.needs_backward:
            self._kept = value.clone()
        top[0].set(torch.nn.functional.prelu(value, self.blobs[0].tensor().reshape(-1)))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        value, gradient = bottom[0].tensor(), top[0].diff_tensor()
        if top[0] is bottom[0]:
            if self._kept is None:
                raise self.error("kept no input, as it works in place; run forward before backward")
            value = self._kept
        if self.learns(0):
            of_slopes = gradient * value.clamp(max=0)
            others = [axis for axis, size in enumerate(self._view) if size == 1]
            self.blobs[0].add_diff(of_slopes.sum(others).reshape(self.blobs[0].shape))
        if propagate_down[0]:
            slopes = self.blobs[0].tensor().view(self._view)
            bottom[0].set_diff(_bent(gradient, value, slopes))


class ELU(Neuron):
    """x above 0, alpha (exp(x) - 1) below. Source: src/caffe/layers/elu_layer.cpp."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(torch.nn.functional.elu(bottom[0].tensor(), self.param.elu_param.alpha))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            slopes = top[0].tensor() + self.param.elu_param.alpha
            bottom[0].set_diff(_bent(top[0].diff_tensor(), bottom[0].tensor(), slopes))


class AbsVal(Neuron):
    """|x|; at 0 the gradient is 0. Source: src/caffe/layers/absval_layer.cpp."""

    allows_in_place: ClassVar = False

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor().abs())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].set_diff(bottom[0].tensor().sign() * top[0].diff_tensor())


class Clip(Neuron):
    """x, but not below `min` nor above `max`; the gradient passes from min to max, both included.

    In place it therefore passes everywhere, as in Caffe. Source: src/caffe/layers/clip_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.clip_param
        if not (param.HasField("min") and param.HasField("max")):
            raise self.error("needs clip_param { min max }")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.clip_param
        top[0].set(bottom[0].tensor().clamp(max=param.max).clamp_(min=param.min))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            value, param = bottom[0].tensor(), self.param.clip_param
            bottom[0].set_diff(top[0].diff_tensor() * ((value >= param.min) & (value <= param.max)))


class Threshold(Neuron):
    """1 above `threshold`, else 0. Has no gradient. Source: src/caffe/layers/threshold_layer.cpp."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set((bottom[0].tensor() > self.param.threshold_param.threshold).to(mode.dtype()))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            raise self.error("has no gradient; set propagate_down: false")


def _bent(gradient: torch.Tensor, value: torch.Tensor, slope: torch.Tensor | float) -> torch.Tensor:
    """The gradient where `value` is above 0, elsewhere times slope. On a CPU torch.where takes twice as long."""
    above = value.sign().clamp_(min=0)
    return (1 - above).mul_(slope).add_(above).mul_(gradient)
