"""Reduction and ArgMax: less comes out than goes in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2

_Operation = caffe_pb2.ReductionParameter


class Reduction(Layer):
    """coeff times the SUM, ASUM (of magnitudes), SUMSQ (of squares) or MEAN over all axes from `axis` on.

    Source: src/caffe/layers/reduction_layer.cpp.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, shape = self.param.reduction_param, bottom[0].shape
        self._kept_axes = self.axis_of(bottom[0], param.axis)
        top[0].reshape(*shape[: self._kept_axes])
        is_mean = param.operation == _Operation.MEAN
        length = math.prod(shape[self._kept_axes :]) if is_mean else 1
        self._coefficient = param.coeff / length if length else math.nan  # the mean of nothing

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        operation, rows = self.param.reduction_param.operation, bottom[0].tensor().flatten(self._kept_axes)
        if operation == _Operation.ASUM:
            rows = rows.abs()
        elif operation == _Operation.SUMSQ:
            rows = rows.square()
        top[0].set(rows.sum(-1).mul_(self._coefficient))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        operation, value = self.param.reduction_param.operation, bottom[0].tensor()
        if operation == _Operation.ASUM:
            slope = value.sign()
        elif operation == _Operation.SUMSQ:
            slope = value * 2
        else:
            slope = torch.ones_like(value)
        gradient = top[0].diff_tensor() * self._coefficient
        bottom[0].set_diff(slope.mul_(gradient.reshape(*top[0].shape, *[1] * (value.dim() - self._kept_axes))))


class ArgMax(Layer):
    """Places of the top_k largest values, largest first; of equal values the last place comes first, as in Caffe.

    Without `axis` each image is one row of values: the top is (N, 1, top_k), or with out_max_val (N, 2, top_k), places
    then values, with axes of size 1 added up to the bottom's number of axes. With `axis` the top is the bottom's shape
    with top_k there, and out_max_val gives the values in place of the places. Has no gradient.
    Source: src/caffe/layers/argmax_layer.cpp.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, shape = self.param.argmax_param, list(bottom[0].shape)
        self._axis = self.axis_of(bottom[0], param.axis) if param.HasField("axis") else None
        if self._axis is not None:
            available, shape[self._axis] = shape[self._axis], param.top_k
        else:
            self.axis_of(bottom[0], 0)
            available = math.prod(shape[1:])
            shape = [shape[0], 2 if param.out_max_val else 1, param.top_k, *[1] * (len(shape) - 3)]
        if not 1 <= param.top_k <= available:
            raise self.error(f"has top_k {param.top_k}, expected 1 to {available}, the number of values to choose from")
        top[0].reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        param, value = self.param.argmax_param, bottom[0].tensor()
        axis = 1 if self._axis is None else self._axis
        if self._axis is None:
            value = value.reshape(value.shape[0], math.prod(value.shape[1:]))
        ordered, order = value.flip(axis).sort(stable=True, dim=axis, descending=True)
        values, order = ordered.narrow(axis, 0, param.top_k), order.narrow(axis, 0, param.top_k)
        places = (value.shape[axis] - 1 - order).to(mode.dtype())
        if not param.out_max_val:
            result = places
        elif self._axis is None:
            result = torch.stack([places, values], dim=1)
        else:
            result = values.clone()
        top[0].set(result.reshape(top[0].shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            raise self.error("has no gradient; set propagate_down: false")
