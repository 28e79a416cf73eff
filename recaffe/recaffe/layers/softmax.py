"""Softmax and SoftmaxWithLoss (src/caffe/layers/softmax_layer.cpp, softmax_loss_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe import mode
from recaffe.errors import LabelError
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2

FLT_MIN = torch.finfo(torch.float32).tiny  # a probability is never taken as less: the largest loss is 87.3365


def class_indices(layer: Layer, labels: torch.Tensor, classes: int, ignored: int | None) -> torch.Tensor:
    """`labels` (float32, any shape) as int64. Raises LabelError for one that is neither ignored nor in [0, classes)."""
    indices = labels.long()
    bad = (indices < 0) | (indices >= classes)
    if ignored is not None:
        bad &= indices != ignored
    if bool(bad.any()):
        place = int(bad.reshape(-1).to(torch.uint8).argmax())
        raise LabelError(
            f"layer {layer.name!r} ({layer.type}) reads label {indices.reshape(-1)[place].item()} at place {place} of "
            f"its batch, but its bottom has {classes} classes, 0 to {classes - 1}; "
            "correct the labels of the database, or num_output of the layer below"
        )
    return indices


def ignored_label(param: Any) -> int | None:
    """The ignore_label of a LossParameter or AccuracyParameter, if it has one."""
    return param.ignore_label if param.HasField("ignore_label") else None


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


class SoftmaxWithLoss(Layer):
    """Mean of -log(probability of the label).

    Bottoms: scores, and labels, one for each place beside the softmax axis. `ignore_label` places count nowhere. The
    sum is divided by `normalization`: VALID (the default) the number of places not ignored, FULL all places, BATCH_SIZE
    the places before the axis, NONE 1; never by less than 1. A second top is documented in Caffe but
    cannot be had there: the inner Softmax refuses two loss weights, the layer itself one.
    """

    bottom_range: ClassVar = (2, 2)
    adds_missing_tops: ClassVar = True
    default_loss_weight: ClassVar = 1.0

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.loss_param
        self.ignored = ignored_label(param)
        self.normalization = param.normalization
        if not param.HasField("normalization") and param.HasField("normalize"):
            self.normalization = (
                caffe_pb2.LossParameter.VALID if param.normalize else caffe_pb2.LossParameter.BATCH_SIZE
            )
        self._probability: torch.Tensor | None = None

    def allows_force_backward(self, index: int) -> bool:
        return index != 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self.axis = self.axis_of(bottom[0], self.param.softmax_param.axis)
        shape = bottom[0].shape
        places = math.prod(shape) // shape[self.axis]
        if places != bottom[1].count or shape[0] != bottom[1].shape[0]:
            raise self.error(
                f"has {bottom[1].count} labels of shape {bottom[1].shape} for predictions of shape {shape}, "
                f"expected {places}: one for each place beside axis {self.axis}"
            )
        top[0].reshape()

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        probability = bottom[0].tensor().softmax(self.axis)
        labels = self._labels(bottom)
        chosen = probability.gather(self.axis, labels.clamp(min=0, max=bottom[0].shape[self.axis] - 1))
        losses = chosen.clamp_(min=FLT_MIN).log_().neg_()
        top[0].set((losses * self._counted(labels)).sum() / self._normalizer(labels))
        self._probability = probability if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[1]:
            raise self.error("cannot send a gradient to its labels; remove propagate_down of the second bottom")
        if not propagate_down[0]:
            return
        if self._probability is None:
            raise self.error("has no probabilities yet; run forward before backward")
        labels = self._labels(bottom)
        counted = self._counted(labels)
        gradient = self._probability * counted
        gradient.scatter_add_(self.axis, labels.clamp(min=0, max=gradient.shape[self.axis] - 1), -counted)
        bottom[0].set_diff(gradient.mul_(top[0].diff_tensor() / self._normalizer(labels)))

    def _labels(self, bottom: Blobs) -> torch.Tensor:
        """int64, of the shape of the predictions with 1 on the axis."""
        shape = list(bottom[0].shape)
        classes, shape[self.axis] = shape[self.axis], 1
        return class_indices(self, bottom[1].tensor().reshape(shape), classes, self.ignored)

    def _counted(self, labels: torch.Tensor) -> torch.Tensor:
        """1 where the label counts, 0 where it is ignored."""
        is_counted = torch.ones_like(labels) if self.ignored is None else labels != self.ignored
        return is_counted.to(mode.dtype())

    def _normalizer(self, labels: torch.Tensor) -> float | torch.Tensor:
        modes = caffe_pb2.LossParameter
        if self.normalization == modes.VALID and self.ignored is not None:
            return self._counted(labels).sum().clamp_(min=1)
        if self.normalization in (modes.FULL, modes.VALID):
            return max(labels.numel(), 1)
        return math.prod(labels.shape[: self.axis]) if self.normalization == modes.BATCH_SIZE else 1
