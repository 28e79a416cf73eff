"""BatchNorm and Scale, which Caffe keeps apart: the one standardises, the other learns a factor and a bias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe.blob import Blob
from recaffe.layers.base import Blobs
from recaffe.layers.neuron import Neuron
from recaffe.proto import caffe_pb2


class BatchNorm(Neuron):
    """top = (x - mean) / sqrt(variance + eps), per channel (axis 1) over everything else.

    At TRAIN with the batch's own statistics, which are also added to running sums; at TEST, or with use_global_stats,
    with the running ones. Weights, none of which is learned: sums of means (channels,), sums of variances (channels,),
    and what both are divided by (1,); a forward pass multiplies all three by moving_average_fraction and adds the
    batch's mean, its variance times n / (n - 1), and 1. Source: src/caffe/layers/batch_norm_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.batch_norm_param
        self.fraction, self.eps = param.moving_average_fraction, param.eps
        self.uses_global = param.use_global_stats if param.HasField("use_global_stats") else not self.is_train
        self.channels = 1 if len(bottom[0].shape) == 1 else bottom[0].shape[1]
        for spec in self.param.param:
            if spec.lr_mult != 0:
                raise self.error(f"has lr_mult {spec.lr_mult:g}, but its statistics are not learned; set it to 0")
        while len(self.param.param) < 3:
            self.param.param.add(lr_mult=0)
        zeros = caffe_pb2.FillerParameter(type="constant", value=0)
        self.make_weights(((self.channels,), zeros), ((self.channels,), zeros), ((1,), zeros))

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if len(shape) > 1 and shape[1] != self.channels:
            raise self.error(f"has statistics of {self.channels} channels, but its bottom now has {shape[1]}")
        self._others = tuple(axis for axis in range(len(shape)) if axis != 1) if len(shape) > 1 else (0,)
        self._per_channel = (1, self.channels, *[1] * (len(shape) - 2)) if len(shape) > 1 else (1,)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        if self.uses_global:
            divisor = self.blobs[2].tensor()
            factor = torch.where(divisor == 0, divisor, 1 / divisor)
            mean, variance = self.blobs[0].tensor() * factor, self.blobs[1].tensor() * factor
        else:
            variance, mean = torch.var_mean(value, dim=self._others, correction=0)
            self._remember(mean, variance, math.prod(value.shape) // self.channels)
        self._inverse = (variance + self.eps).rsqrt_().view(self._per_channel)
        normal = (value - mean.view(self._per_channel)) * self._inverse
        # A copy for `backward`: a layer after this one may work in place.
        self._normal = normal.clone() if self.needs_backward else None
        top[0].set(normal)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, n: int) -> None:
        unbiased = variance * (n / (n - 1) if n > 1 else 1)
        for blob, new in zip(self.blobs, (mean, unbiased, torch.ones_like(mean[:1])), strict=True):
            blob.tensor().mul_(self.fraction).add_(new)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        gradient = top[0].diff_tensor()
        if self.uses_global:
            bottom[0].set_diff(gradient * self._inverse)
            return
        if self._normal is None:
            raise self.error("kept nothing for a backward pass, which its net did not announce")
        common = gradient.mean(self._others, keepdim=True)
        along = (gradient * self._normal).mean(self._others, keepdim=True)
        bottom[0].set_diff((gradient - common).addcmul_(self._normal, along, value=-1).mul_(self._inverse))


class Scale(Neuron):
    """top = bottom * factor (+ bias), the factor repeated over the axes that it lacks.

    With one bottom the factor is a weight of the bottom's axes from `axis` on, `num_axes` of them (-1: all), filled
    with 1 unless `filler` says otherwise; with two it is the second bottom, which starts at `axis`. With bias_term the
    bias, of the factor's shape, is the last weight. Source: src/caffe/layers/scale_layer.cpp, bias_layer.cpp.
    """

    bottom_range: ClassVar = (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.scale_param
        self.axis = self.axis_of(bottom[0], param.axis)
        shape = bottom[1].shape if len(bottom) == 2 else self._weight_shape(bottom[0], param.num_axes)
        specs: list[tuple[tuple[int, ...], Any]] = []
        if len(bottom) == 1:
            ones = caffe_pb2.FillerParameter(type="constant", value=1)
            specs.append((shape, param.filler if param.HasField("filler") else ones))
        if param.bias_term:
            specs.append((shape, param.bias_filler))
        self.make_weights(*specs)
        self.has_bias = param.bias_term

    def _weight_shape(self, bottom: Blob, num_axes: int) -> tuple[int, ...]:
        end = len(bottom.shape) if num_axes == -1 else self.axis + num_axes
        if num_axes < -1 or end > len(bottom.shape):
            raise self.error(f"has num_axes {num_axes} from axis {self.axis} on, but its bottom has {bottom.shape}")
        return tuple(bottom.shape[self.axis : end])

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        shape = tuple((bottom[1] if len(bottom) == 2 else self.blobs[0]).shape)
        covered = tuple(bottom[0].shape[self.axis : self.axis + len(shape)])
        if covered != shape:
            raise self.error(
                f"has a factor of shape {shape} from axis {self.axis} on, but its bottom is {bottom[0].shape}"
            )
        rest = len(bottom[0].shape) - self.axis - len(shape)
        self._factor_shape = shape
        self._view = (*[1] * self.axis, *shape, *[1] * rest)
        self._others = tuple(axis for axis, length in enumerate(self._view) if length == 1)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value, factor = bottom[0].tensor(), self._factor(bottom).tensor().view(self._view)
        if self.needs_backward:  # working in place hides the bottom from `backward`
            self._bottom = value.clone() if top[0] is bottom[0] else value
        scaled = value * factor
        top[0].set(scaled.add_(self.blobs[-1].tensor().view(self._view)) if self.has_bias else scaled)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        gradient = top[0].diff_tensor()
        if self.has_bias and self.learns(len(self.blobs) - 1):
            self.blobs[-1].add_diff(self._summed(gradient))
        is_weight = len(bottom) == 1
        if (is_weight and self.learns(0)) or (not is_weight and propagate_down[1]):
            of_factor = self._summed(gradient * self._bottom)
            self.blobs[0].add_diff(of_factor) if is_weight else bottom[1].set_diff(of_factor)
        if propagate_down[0]:
            bottom[0].set_diff(gradient * self._factor(bottom).tensor().view(self._view))

    def _factor(self, bottom: Blobs) -> Blob:
        return bottom[1] if len(bottom) == 2 else self.blobs[0]

    def _summed(self, value: torch.Tensor) -> torch.Tensor:
        return (value.sum(self._others) if self._others else value).reshape(self._factor_shape)
