"""SigmoidCrossEntropyLoss and InfogainLoss: losses whose target is more than one class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.io import blobproto_to_array
from recaffe.layers.base import Blobs
from recaffe.layers.loss import (
    LOG_THRESHOLD,
    Loss,
    check_labels,
    class_indices,
    counted,
    ignored_label,
    normalization_of,
    normalizer,
)
from recaffe.proto import caffe_pb2, files


class SigmoidCrossEntropyLoss(Loss):
    """Sum of -t log(p) - (1 - t) log(1 - p) with p = sigmoid(score), for targets t of the scores' size.

    Divided as `loss.normalizer` says, by the batch size by default. Places whose target, cut to a whole number, is
    ignore_label count nowhere. Source: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        self.ignored = ignored_label(self.param.loss_param)
        self.normalization = normalization_of(self.param.loss_param, caffe_pb2.LossParameter.BATCH_SIZE)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise self.error(f"has {bottom[1].count} targets for {bottom[0].count} scores, expected as many")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        score, target = bottom[0].tensor(), bottom[1].tensor().reshape(bottom[0].shape)
        losses = score.clamp(min=0) - score * target + score.abs().neg_().exp_().log1p_()
        counts = counted(target, self.ignored)
        top[0].set(losses.mul_(counts).sum() / self._normalizer(bottom, counts))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 1)
        if not propagate_down[0]:
            return
        score, target = bottom[0].tensor(), bottom[1].tensor().reshape(bottom[0].shape)
        counts = counted(target, self.ignored)
        gradient = score.sigmoid().sub_(target).mul_(counts)
        bottom[0].set_diff(gradient.mul_(top[0].diff_tensor() / self._normalizer(bottom, counts)))

    def _normalizer(self, bottom: Blobs, counts: torch.Tensor) -> float | torch.Tensor:
        return normalizer(self.normalization, bottom[0].shape[0], bottom[0].count, counts)


class InfogainLoss(Loss):
    """Sum over places of -(row of H for the label) . log(softmax of the scores along `axis`).

    H (classes, classes) is the third bottom or, without one, the BlobProto in the file `source`. Labels,
    ignore_label and normalization as in SoftmaxWithLoss. A second top is the softmax; it needs two loss_weight.
    Source: src/caffe/layers/infogain_loss_layer.cpp.
    """

    bottom_range: ClassVar = (2, 3)
    top_range: ClassVar = (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        param = self.param.infogain_loss_param
        if self.param.loss_param.HasField("normalize"):
            raise self.error("has normalize, which it does not know; use normalization: VALID or BATCH_SIZE")
        self.ignored = ignored_label(self.param.loss_param)
        self.normalization = self.param.loss_param.normalization
        self._probability: torch.Tensor | None = None
        self._matrix: torch.Tensor | None = None  # from the file
        if len(bottom) < 3:
            if not param.HasField("source"):
                raise self.error("has neither a third bottom nor a source for its infogain matrix")
            if not Path(param.source).is_file():
                raise self.error(f"cannot open the file {param.source} of its infogain matrix")
            values = blobproto_to_array(files.read_binary(param.source, caffe_pb2.BlobProto))
            self._matrix = torch.from_numpy(values).to(mode.dtype())

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        self.axis = self.axis_of(bottom[0], self.param.infogain_loss_param.axis)
        check_labels(self, bottom, self.axis)
        classes = bottom[0].shape[self.axis]
        found = bottom[2].shape if self._matrix is None else tuple(self._matrix.shape)
        if math.prod(found) != classes * classes:
            raise self.error(f"has an infogain matrix of shape {found} for {classes} classes, expected {classes} by it")
        for blob in top[1:]:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        probability = bottom[0].tensor().softmax(self.axis)
        rows, counts = self._rows(bottom)
        losses = probability.movedim(self.axis, -1).clamp(min=LOG_THRESHOLD).log_().mul_(rows).sum(-1).neg_()
        top[0].set((losses * counts).sum() / self._normalizer(counts))
        for blob in top[1:]:
            blob.set(probability.clone())
        self._probability = probability if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 1, 2)
        if not propagate_down[0]:
            return
        if self._probability is None:
            raise self.error("has no probabilities yet; run forward before backward")
        rows, counts = self._rows(bottom)
        scale = counts * (top[0].diff_tensor() / self._normalizer(counts))
        gradient = self._probability.movedim(self.axis, -1) * rows.sum(-1, keepdim=True) - rows
        bottom[0].set_diff(gradient.mul_(scale.unsqueeze(-1)).movedim(-1, self.axis).contiguous())

    def _rows(self, bottom: Blobs) -> tuple[torch.Tensor, torch.Tensor]:
        """H's row for the label of each place (places..., classes), and 1 where the label counts (places...)."""
        shape = list(bottom[0].shape)
        classes = shape.pop(self.axis)
        labels = class_indices(self, bottom[1].tensor().reshape(shape), classes, self.ignored)
        matrix = bottom[2].tensor() if self._matrix is None else self._matrix.to(mode.device())
        return matrix.reshape(classes, classes)[labels.clamp(0, classes - 1)], counted(labels, self.ignored)

    def _normalizer(self, counts: torch.Tensor) -> float | torch.Tensor:
        return normalizer(self.normalization, math.prod(counts.shape[: self.axis]), counts.numel(), counts)
