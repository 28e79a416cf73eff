"""Softmax and SoftmaxWithLoss (src/caffe/layers/softmax_layer.cpp, softmax_loss_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.loss import (
    Loss,
    check_labels,
    class_indices,
    counted,
    ignored_label,
    normalization_of,
    normalizer,
)
from recaffe.proto import caffe_pb2

FLT_MIN = torch.finfo(torch.float32).tiny  # a probability is never taken as less: the largest loss is 87.3365


class Softmax(Layer):
    """exp(x) / sum of exp(x) along `axis`."""

    allows_in_place: ClassVar = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self.axis = self.axis_of(bottom[0], self.param.softmax_param.axis)
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor().softmax(self.axis))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            probability, gradient = top[0].tensor(), top[0].diff_tensor()
            inner = (gradient * probability).sum(self.axis, keepdim=True)
            bottom[0].set_diff((gradient - inner).mul_(probability))


class SoftmaxWithLoss(Loss):
    """Mean of -log(probability of the label).

    Bottoms: scores, and labels, one for each place beside the softmax axis. `ignore_label` places count nowhere. The
    sum is divided as `loss.normalizer` says, VALID by default; `mean_loss` (a scalar tensor) is that of the latest
    forward over the labels that count, whatever it is divided by. A second top is documented in Caffe but cannot be had
    there: the inner Softmax refuses two loss weights, the layer itself one.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        self.ignored = ignored_label(self.param.loss_param)
        self.normalization = normalization_of(self.param.loss_param, caffe_pb2.LossParameter.VALID)
        self._probability: torch.Tensor | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        self.axis = self.axis_of(bottom[0], self.param.softmax_param.axis)
        check_labels(self, bottom, self.axis)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        probability = bottom[0].tensor().softmax(self.axis)
        labels = self._labels(bottom)
        chosen = probability.gather(self.axis, labels.clamp(min=0, max=bottom[0].shape[self.axis] - 1))
        counts = counted(labels, self.ignored)
        total = (chosen.clamp_(min=FLT_MIN).log_().neg_() * counts).sum()
        top[0].set(total / self._normalizer(labels))
        self.mean_loss = total / counts.sum().clamp(min=1)
        self._probability = probability if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 1)
        if not propagate_down[0]:
            return
        if self._probability is None:
            raise self.error("has no probabilities yet; run forward before backward")
        labels = self._labels(bottom)
        counts = counted(labels, self.ignored)
        gradient = self._probability * counts
        gradient.scatter_add_(self.axis, labels.clamp(min=0, max=gradient.shape[self.axis] - 1), -counts)
        bottom[0].set_diff(gradient.mul_(top[0].diff_tensor() / self._normalizer(labels)))

    def _labels(self, bottom: Blobs) -> torch.Tensor:
        """int64, of the shape of the predictions with 1 on the axis."""
        shape = list(bottom[0].shape)
        classes, shape[self.axis] = shape[self.axis], 1
        return class_indices(self, bottom[1].tensor().reshape(shape), classes, self.ignored)

    def _normalizer(self, labels: torch.Tensor) -> float | torch.Tensor:
        batch_size = math.prod(labels.shape[: self.axis])
        return normalizer(self.normalization, batch_size, labels.numel(), counted(labels, self.ignored))
