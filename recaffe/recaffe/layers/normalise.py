"""BatchNorm and MVN: mean 0 and variance 1, per channel over the batch or per image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
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
        if len(bottom[0].shape) < 2:
            raise self.error(f"has a bottom of shape {bottom[0].shape}, expected 2 axes or more")
        self.channels = bottom[0].shape[1]
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
        if shape[1:2] != (self.channels,):
            raise self.error(f"has statistics of {self.channels} channels, but its bottom now has the shape {shape}")
        if 0 in shape:
            raise self.error(f"has no values to take statistics of: its bottom has the shape {shape}")
        self._others = tuple(axis for axis in range(len(shape)) if axis != 1)
        self._per_channel = (1, self.channels, *[1] * (len(shape) - 2))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor()
        if self.uses_global:
            divisor = self.blobs[2].tensor()
            factor = torch.where(divisor == 0, divisor, 1 / divisor)
            mean, variance = ((blob.tensor() * factor).view(self._per_channel) for blob in self.blobs[:2])
            normal = value - mean
        else:  # in two passes, as Caffe; torch.var_mean takes tens of times as long
            mean = value.mean(self._others, keepdim=True)
            normal = value - mean
            variance = normal.square().mean(self._others, keepdim=True)
            self._remember(mean, variance, math.prod(value.shape) // self.channels)
        self._inverse = (variance + self.eps).rsqrt_()
        normal.mul_(self._inverse)
        # A copy for `backward`: a layer after this one may work in place.
        self._normal = normal.clone() if self.needs_backward else None
        top[0].set(normal)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, n: int) -> None:
        unbiased = variance * (n / (n - 1) if n > 1 else 1)
        for blob, new in zip(self.blobs, (mean, unbiased, torch.ones_like(self.blobs[2].tensor())), strict=True):
            blob.tensor().mul_(self.fraction).add_(new.view(blob.shape))

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


class MVN(Neuron):
    """top = (x - mean) / (deviation + eps), per image and channel, or per image with across_channels.

    normalize_variance: false leaves out the division. The top always has four axes, as in Caffe; up to three that the
    bottom lacks have the size 1. The gradient takes eps for negligible, and in place with normalize_variance it is not
    one: real Caffe has overwritten the top's diff by then. Source: src/caffe/layers/mvn_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.divides, self.eps = self.param.mvn_param.normalize_variance, self.param.mvn_param.eps
        self._axes = (1, 2, 3) if self.param.mvn_param.across_channels else (2, 3)
        self._divisor: torch.Tensor | None = None  # deviation + eps of the latest forward

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        shape = bottom[0].shape
        if len(shape) > 4:
            raise self.error(f"has a bottom of shape {shape}, expected at most 4 axes")
        top[0].reshape(*shape, *[1] * (4 - len(shape)))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = bottom[0].tensor().view(top[0].shape)
        centred = value - value.mean(self._axes, keepdim=True)
        if self.divides:
            divisor = centred.square().mean(self._axes, keepdim=True).sqrt_().add_(self.eps)
            self._divisor = divisor if self.needs_backward else None
            centred.div_(divisor)
        top[0].set(centred)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            down = self._gradient(top[0].tensor(), top[0].diff_tensor(), top[0] is bottom[0])
            bottom[0].set_diff(down.reshape(bottom[0].shape))

    def _gradient(self, result: torch.Tensor, gradient: torch.Tensor, in_place: bool) -> torch.Tensor:
        if not self.divides:
            return gradient - gradient.mean(self._axes, keepdim=True)
        if self._divisor is None:
            raise self.error("kept nothing for a backward pass; run forward before backward")
        along = (gradient * result).mean(self._axes, keepdim=True)
        if in_place:
            return (result * along).mul_(-2).div_(self._divisor)
        common = gradient.mean(self._axes, keepdim=True)
        return (gradient - common).addcmul_(result, along, value=-1).div_(self._divisor)
