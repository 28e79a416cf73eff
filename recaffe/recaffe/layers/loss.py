"""What losses have in common: labels, the number they divide by, and the class to derive from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe import mode
from recaffe.errors import LabelError
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2

LOG_THRESHOLD = 1e-20  # below it a probability counts as this, in the losses that are given probabilities


class Loss(Layer):
    """A scalar of predictions and labels, weighted by 1 in the net's loss; it may be left without a top.

    Source: src/caffe/layers/loss_layer.cpp.
    """

    bottom_range: ClassVar = (2, 2)
    adds_missing_tops: ClassVar = True
    default_loss_weight: ClassVar = 1.0

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        if len(top) > 1 and not self.param.loss_weight:
            raise self.error(f"has {len(top)} tops and no loss_weight; give one for each, 0 for the second")

    def allows_force_backward(self, index: int) -> bool:
        return index != 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        shapes = bottom[0].shape, bottom[1].shape
        if not all(shapes) or shapes[0][0] != shapes[1][0]:
            raise self.error(f"has bottoms of shapes {shapes[0]} and {shapes[1]}, expected the same first size")
        if not bottom[0].count:
            raise self.error(f"has an empty bottom of shape {shapes[0]}: there is nothing to take the mean of")
        top[0].reshape()

    def refuse_gradient(self, propagate_down: Sequence[bool], *indices: int) -> None:
        """Raise NetError if a gradient is asked for labels or other bottoms that cannot have one."""
        for index in indices:
            if index < len(propagate_down) and propagate_down[index]:
                raise self.error(
                    f"cannot send a gradient to its bottom {index}, {self.param.bottom[index]!r}; set propagate_down "
                    "to false for it"
                )


def class_indices(layer: Layer, labels: torch.Tensor, classes: int, ignored: int | None) -> torch.Tensor:
    """`labels` (floats, any shape) as int64. Raises LabelError for one that is neither ignored nor in [0, classes)."""
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


def check_labels(layer: Layer, bottom: Blobs, axis: int) -> None:
    """Raise NetError unless bottom 1 has one label for each place of bottom 0 beside `axis`."""
    shape = bottom[0].shape
    places = math.prod((*shape[:axis], *shape[axis + 1 :]))
    if places != bottom[1].count:
        raise layer.error(
            f"has {bottom[1].count} labels of shape {bottom[1].shape} for predictions of shape {shape}, "
            f"expected {places}: one for each place beside axis {axis}"
        )


def ignored_label(param: Any) -> int | None:
    """The ignore_label of a LossParameter or AccuracyParameter, if it has one."""
    return param.ignore_label if param.HasField("ignore_label") else None


def counted(labels: torch.Tensor, ignored: int | None) -> torch.Tensor:
    """1 where a label counts, 0 where it, cut to a whole number, is the ignored one."""
    if ignored is None:
        return torch.ones_like(labels, dtype=mode.dtype())
    return (labels.long() != ignored).to(mode.dtype())


def normalization_of(param: Any, default: int) -> int:
    """The mode a LossParameter asks for: `normalization`, or the older `normalize`, or `default`."""
    if param.HasField("normalization"):
        return param.normalization
    if param.HasField("normalize"):
        return caffe_pb2.LossParameter.VALID if param.normalize else caffe_pb2.LossParameter.BATCH_SIZE
    return default


def normalizer(normalization: int, batch_size: int, places: int, counts: torch.Tensor) -> float | torch.Tensor:
    """What a sum of losses is divided by, never less than 1.

    FULL: all `places`. VALID: those that count, by `counted`. BATCH_SIZE: `batch_size`. NONE: 1.
    Source: get_normalizer of each loss.
    """
    modes = caffe_pb2.LossParameter
    if normalization == modes.VALID:
        return counts.sum().clamp(min=1)
    return max(1, {modes.FULL: places, modes.BATCH_SIZE: batch_size, modes.NONE: 1}[normalization])
