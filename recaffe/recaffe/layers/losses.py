"""EuclideanLoss, HingeLoss, MultinomialLogisticLoss, ContrastiveLoss: losses whose target is a number or a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe.layers.base import Blobs
from recaffe.layers.loss import LOG_THRESHOLD, Loss, class_indices
from recaffe.proto import caffe_pb2


class EuclideanLoss(Loss):
    """Sum of (a - b)^2 / (2 N), N being the first size; both bottoms may have a gradient.

    Source: src/caffe/layers/euclidean_loss_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        self._difference: torch.Tensor | None = None

    def allows_force_backward(self, index: int) -> bool:
        return True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise self.error(f"has bottoms of shapes {bottom[0].shape} and {bottom[1].shape}, expected one size")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        difference = bottom[0].tensor() - bottom[1].tensor().reshape(bottom[0].shape)
        top[0].set(difference.square().sum() / bottom[0].shape[0] / 2)
        self._difference = difference if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if self._difference is None:
            raise self.error("has no difference yet; run forward before backward")
        scale = top[0].diff_tensor() / bottom[0].shape[0]
        for blob, sign, propagate in zip(bottom, (1, -1), propagate_down, strict=True):
            if propagate:
                blob.set_diff((self._difference * (sign * scale)).reshape(blob.shape))


class _ClassLoss(Loss):
    """One label for each of N rows of scores: all axes of bottom 0 after the first are one row of classes."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        if bottom[1].count != bottom[1].shape[0]:
            raise self.error(f"has labels of shape {bottom[1].shape}, expected one for each of the first size")

    def rows_and_labels(self, bottom: Blobs) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (N, classes), and int64 labels (N, 1)."""
        rows = bottom[0].tensor().reshape(bottom[0].shape[0], -1)
        return rows, class_indices(self, bottom[1].tensor().reshape(-1, 1), rows.shape[1], None)


class HingeLoss(_ClassLoss):
    """Mean over rows of the sum of max(0, 1 + score), the score of the label negated; L2: of its square.

    Source: src/caffe/layers/hinge_loss_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        self._margins: torch.Tensor | None = None
        self.is_squared = self.param.hinge_loss_param.norm == caffe_pb2.HingeLossParameter.L2

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        rows, labels = self.rows_and_labels(bottom)
        margins = _negate_labels(rows.clone(), labels).add_(1).clamp_(min=0)
        total = margins.square().sum() if self.is_squared else margins.sum()
        top[0].set(total / len(rows))
        self._margins = margins if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 1)
        if not propagate_down[0]:
            return
        if self._margins is None:
            raise self.error("has no margins yet; run forward before backward")
        slope = self._margins * 2 if self.is_squared else self._margins.sign()
        gradient = _negate_labels(slope, self.rows_and_labels(bottom)[1])
        bottom[0].set_diff(gradient.mul_(top[0].diff_tensor() / len(gradient)).reshape(bottom[0].shape))


def _negate_labels(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return rows.scatter_(1, labels, -rows.gather(1, labels))


class MultinomialLogisticLoss(_ClassLoss):
    """Mean over rows of -log(probability of the label); the bottom holds probabilities.

    Source: src/caffe/layers/multinomial_logistic_loss_layer.cpp.
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        rows, labels = self.rows_and_labels(bottom)
        top[0].set(rows.gather(1, labels).clamp_(min=LOG_THRESHOLD).log_().sum().neg_() / len(rows))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 1)
        if propagate_down[0]:
            rows, labels = self.rows_and_labels(bottom)
            slopes = -top[0].diff_tensor() / len(rows) / rows.gather(1, labels).clamp_(min=LOG_THRESHOLD)
            bottom[0].set_diff(torch.zeros_like(rows).scatter_(1, labels, slopes).reshape(bottom[0].shape))


class ContrastiveLoss(Loss):
    """Sum over pairs of d^2 if similar, else of max(0, margin - d)^2, divided by 2 N; d is the distance of the rows.

    Bottoms: two times (N, C), and N flags, not 0 for similar pairs. legacy_version has max(0, margin - d^2) instead.
    The gradient divides by d + 1e-4, as Caffe's. Source: src/caffe/layers/contrastive_loss_layer.cpp.
    """

    bottom_range: ClassVar = (3, 3)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        super().setup(bottom, top)
        self.margin = self.param.contrastive_loss_param.margin
        self.is_legacy = self.param.contrastive_loss_param.legacy_version
        self._difference: torch.Tensor | None = None

    def allows_force_backward(self, index: int) -> bool:
        return index != 2

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        rows, channels = (*shapes[0], 1)[:2]
        if not bottom[0].count == bottom[1].count == rows * channels or bottom[2].count != rows:
            raise self.error(f"has bottoms of shapes {shapes}, expected (N, C), (N, C) and (N,)")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        first, second = (blob.tensor().reshape(len(self._similar(bottom)), -1) for blob in bottom[:2])
        difference = first - second
        squares = difference.square().sum(1, keepdim=True)
        apart = self.margin - squares if self.is_legacy else self.margin - squares.sqrt()
        apart = apart.clamp(min=0)
        losses = torch.where(self._similar(bottom), squares, apart if self.is_legacy else apart.square())
        top[0].set(losses.sum() / len(losses) / 2)
        self._difference = difference if self.needs_backward else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.refuse_gradient(propagate_down, 2)
        difference = self._difference
        if difference is None:
            raise self.error("has no difference yet; run forward before backward")
        squares = difference.square().sum(1, keepdim=True)
        if self.is_legacy:
            pull = torch.where(squares < self.margin, -1.0, 0.0).to(difference.dtype)
        else:
            distance = squares.sqrt()
            pull = -(self.margin - distance).clamp(min=0) / (distance + 1e-4)
        pull = torch.where(self._similar(bottom), 1.0, pull)
        gradient = difference * pull * (top[0].diff_tensor() / len(difference))
        for blob, sign, propagate in zip(bottom, (1, -1), propagate_down[:2], strict=False):
            if propagate:
                blob.set_diff((gradient * sign).reshape(blob.shape))

    def _similar(self, bottom: Blobs) -> torch.Tensor:
        """bool (N, 1)"""
        return bottom[2].tensor().reshape(-1, 1).long() != 0
