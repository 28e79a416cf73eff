"""Accuracy (src/caffe/layers/accuracy_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.loss import class_indices, ignored_label


class Accuracy(Layer):
    """Share of places whose label is among the top_k scores; an optional second top has it per class.

    Of a tie, every other class counts as better, so equal scores are never right. A class without a label has 0.
    """

    bottom_range: ClassVar = (2, 2)
    top_range: ClassVar = (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.top_k = self.param.accuracy_param.top_k
        self.ignored = ignored_label(self.param.accuracy_param)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        shape = bottom[0].shape
        self.axis = self.axis_of(bottom[0], self.param.accuracy_param.axis)
        places = math.prod((*shape[: self.axis], *shape[self.axis + 1 :]))
        if places != bottom[1].count:
            raise self.error(f"has {bottom[1].count} labels for predictions of shape {shape}, expected {places}")
        if self.top_k > shape[self.axis]:
            raise self.error(f"has top_k {self.top_k}, more than its {shape[self.axis]} classes")
        top[0].reshape()
        if len(top) > 1:
            top[1].reshape(shape[self.axis])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        scores = bottom[0].tensor().movedim(self.axis, -1)
        classes = scores.shape[-1]
        labels = class_indices(self, bottom[1].tensor().reshape(scores.shape[:-1]), classes, self.ignored)
        counted = torch.ones_like(labels, dtype=torch.bool) if self.ignored is None else labels != self.ignored
        own_score = scores.gather(-1, labels.clamp(min=0, max=classes - 1).unsqueeze(-1))
        right = ((scores >= own_score).sum(-1) - 1 < self.top_k) & counted
        top[0].set(right.sum().to(mode.dtype()) / counted.sum().clamp(min=1))
        if len(top) > 1:
            total = torch.bincount(labels[counted], minlength=classes)
            top[1].set(torch.bincount(labels[right], minlength=classes).to(mode.dtype()) / total.clamp(min=1))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if any(propagate_down):
            raise self.error("has no gradient; give it no loss_weight and set propagate_down to false")
