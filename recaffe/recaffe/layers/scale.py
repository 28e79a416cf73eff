"""Scale and Bias: a factor and a summand that are learned, or come as a second bottom, repeated over a blob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe.blob import Blob
from recaffe.layers.base import Blobs
from recaffe.layers.neuron import Neuron
from recaffe.proto import caffe_pb2


class _WithOperand(Neuron):
    """One bottom and a smaller array, the operand, whose axes are the bottom's from `axis` on.

    The operand is the first weight, or the second bottom where there is one. A weight takes `num_axes` axes of the
    bottom, -1 for all of the rest; of none, it is a scalar.
    """

    bottom_range: ClassVar = (1, 2)

    def _weight_shape(self, bottom: Blobs, axis: int, num_axes: int) -> tuple[int, ...]:
        shape, start = bottom[0].shape, self.axis_of(bottom[0], axis)
        end = len(shape) if num_axes == -1 else start + num_axes
        if num_axes < -1 or end > len(shape):
            raise self.error(f"has num_axes {num_axes} from axis {start} on, but its bottom has the shape {shape}")
        return shape[start:end]

    def _align(self, bottom: Blobs, axis: int) -> None:
        """Find how the operand is repeated over the bottom."""
        shape, operand = bottom[0].shape, self._operand(bottom).shape
        start = self.axis_of(bottom[0], axis) if operand else 0
        if shape[start : start + len(operand)] != operand:
            raise self.error(f"has an operand of shape {operand} for axis {start} on of a bottom of shape {shape}")
        self._view = (*[1] * start, *operand, *[1] * (len(shape) - start - len(operand)))
        self._others = tuple(index for index, size in enumerate(self._view) if size == 1)

    def _operand(self, bottom: Blobs) -> Blob:
        return bottom[1] if len(bottom) == 2 else self.blobs[0]

    def _wants_gradient_of_operand(self, propagate_down: Sequence[bool]) -> bool:
        return propagate_down[1] if len(propagate_down) == 2 else self.learns(0)

    def _repeated(self, blob: Blob) -> torch.Tensor:
        return blob.tensor().view(self._view)

    def _summed(self, value: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """The sum of `value` over all places that one value of the operand stands for."""
        return (value.sum(self._others) if self._others else value.clone()).reshape(shape)


class Bias(_WithOperand):
    """top = bottom + operand. Source: src/caffe/layers/bias_layer.cpp."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.bias_param
        if len(bottom) == 1:
            self.make_weights((self._weight_shape(bottom, param.axis, param.num_axes), param.filler))

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        self._align(bottom, self.param.bias_param.axis)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor() + self._repeated(self._operand(bottom)))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        gradient = top[0].diff_tensor()
        if self._wants_gradient_of_operand(propagate_down):
            summed = self._summed(gradient, self._operand(bottom).shape)
            self.blobs[0].add_diff(summed) if self.blobs else bottom[1].set_diff(summed)
        if propagate_down[0] and top[0] is not bottom[0]:
            bottom[0].set_diff(gradient.clone())


class Scale(_WithOperand):
    """top = bottom * operand (+ bias).

    A factor that is a weight is filled with 1 unless `filler` says otherwise. With bias_term the bias, of the factor's
    shape, is the last weight. In place the layer keeps a copy of its bottom. A factor with as many values as the bottom
    is peculiar: its gradient replaces the one before instead of adding to it, as in Caffe, which matters with
    iter_size and shared weights. Source: src/caffe/layers/scale_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.scale_param
        specs: list[tuple[tuple[int, ...], Any]] = []
        if len(bottom) == 1:
            ones = caffe_pb2.FillerParameter(type="constant", value=1)
            shape = self._weight_shape(bottom, param.axis, param.num_axes)
            specs.append((shape, param.filler if param.HasField("filler") else ones))
        self.has_bias = param.bias_term
        if self.has_bias:
            num_axes = param.num_axes if len(bottom) == 1 else len(bottom[1].shape)
            specs.append((self._weight_shape(bottom, param.axis, num_axes), param.bias_filler))
        self.make_weights(*specs)
        self._kept: torch.Tensor | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        self._align(bottom, self.param.scale_param.axis)
        if self.has_bias and self.blobs[-1].shape != self._operand(bottom).shape:
            raise self.error(
                f"has a bias of shape {self.blobs[-1].shape} and a factor of shape {self._operand(bottom).shape}"
            )

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        if top[0] is bottom[0] and self.needs_backward:
            self._kept = value.clone()
        scaled = value * self._repeated(self._operand(bottom))
        top[0].set(scaled.add_(self._repeated(self.blobs[-1])) if self.has_bias else scaled)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        gradient, operand = top[0].diff_tensor(), self._operand(bottom)
        if self.has_bias and self.learns(len(self.blobs) - 1):
            self.blobs[-1].add_diff(self._summed(gradient, operand.shape))
        if self._wants_gradient_of_operand(propagate_down):
            summed = self._summed(gradient * self._input(top, bottom), operand.shape)
            replaces = len(bottom) == 2 or operand.count == bottom[0].count
            operand.set_diff(summed) if replaces else operand.add_diff(summed)
        if propagate_down[0]:
            bottom[0].set_diff(gradient * self._repeated(operand))

    def _input(self, top: Blobs, bottom: Blobs) -> torch.Tensor:
        if top[0] is not bottom[0]:
            return bottom[0].tensor()
        if self._kept is None:
            raise self.error("kept no input, as it works in place; run forward before backward")
        return self._kept
