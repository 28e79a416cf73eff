"""Layers that only pass values on: Split, Concat, Flatten, Silence, Parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2


class Split(Layer):
    """Every top is the bottom; the gradients of the tops are summed. Nets insert it by themselves.

    Source: src/caffe/layers/split_layer.cpp.
    """

    top_range: ClassVar = (1, None)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        for blob in top:
            blob.reshape(*bottom[0].shape)
            blob.share_data(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            total = top[0].diff_tensor().clone()
            for blob in top[1:]:
                if not blob.diff_is_zero:
                    total.add_(blob.diff_tensor())
            bottom[0].set_diff(total)


class Concat(Layer):
    """The bottoms one after the other along `axis`. Source: src/caffe/layers/concat_layer.cpp."""

    bottom_range: ClassVar = (1, None)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.concat_param
        if param.HasField("axis") and param.HasField("concat_dim"):
            raise self.error("has axis and concat_dim; give one of them")
        self.axis = self.axis_of(bottom[0], param.concat_dim if param.HasField("concat_dim") else param.axis)
        shapes = [list(blob.shape) for blob in bottom]
        total = sum(shape.pop(self.axis) if len(shape) > self.axis else 0 for shape in shapes)
        if any(shape != shapes[0] for shape in shapes):
            found = ", ".join(str(blob.shape) for blob in bottom)
            raise self.error(f"has bottoms of shapes {found}; they may differ on axis {self.axis} only")
        top[0].reshape(*shapes[0][: self.axis], total, *shapes[0][self.axis :])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(torch.cat([blob.tensor() for blob in bottom], self.axis))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        parts = top[0].diff_tensor().split([blob.shape[self.axis] for blob in bottom], self.axis)
        for blob, part, propagate in zip(bottom, parts, propagate_down, strict=True):
            if propagate:
                blob.set_diff(part.clone())


class Flatten(Layer):
    """The axes from `axis` to `end_axis` become one; values and gradients are shared with the bottom.

    Source: src/caffe/layers/flatten_layer.cpp.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, shape = self.param.flatten_param, bottom[0].shape
        start, end = self.axis_of(bottom[0], param.axis), self.axis_of(bottom[0], param.end_axis)
        if start > end + 1:  # with `axis` right behind `end_axis` an axis of size 1 comes between them
            raise self.error(f"has axis {param.axis} behind end_axis {param.end_axis} in a bottom of shape {shape}")
        top[0].reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
        top[0].share_data(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].share_diff(top[0])


class Silence(Layer):
    """Takes blobs that nobody uses, so that they are no outputs of the net.

    Source: src/caffe/layers/silence_layer.cpp.
    """

    bottom_range: ClassVar = (1, None)
    top_range: ClassVar = (0, 0)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        for blob, propagate in zip(bottom, propagate_down, strict=True):
            if propagate:
                blob.zero_diff()


class Parameter(Layer):
    """A weight as a blob: the top is the weight, of `shape`, at first zeros. No bottom.

    What the layers above send down is the weight's gradient; it replaces the one before instead of adding to it, as in
    Caffe. Source: include/caffe/layers/parameter_layer.hpp.
    """

    bottom_range: ClassVar = (0, 0)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        shape = tuple(self.param.parameter_param.shape.dim)
        self.make_weights((shape, caffe_pb2.FillerParameter(type="constant", value=0)))
        top[0].reshape(*shape)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].share_data(self.blobs[0])
        top[0].share_diff(self.blobs[0])

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        pass
