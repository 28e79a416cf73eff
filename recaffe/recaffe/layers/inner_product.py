"""InnerProduct, the fully connected layer, and Embed, the same for inputs that are one 1 among zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from recaffe.layers.base import Blobs, Layer


class InnerProduct(Layer):
    """top = bottom W^T + b, where all axes of the bottom from `axis` on are one vector.

    Weights: (num_output, length), or (length, num_output) with `transpose`; then, with bias_term, (num_output,).
    Source: src/caffe/layers/inner_product_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.inner_product_param
        if param.num_output < 1:
            raise self.error(f"has num_output {param.num_output}, expected at least 1")
        self.num_output, self.transpose = param.num_output, param.transpose
        self.axis = self.axis_of(bottom[0], param.axis)
        self.length = math.prod(bottom[0].shape[self.axis :])
        shape = (self.length, self.num_output) if self.transpose else (self.num_output, self.length)
        bias = [((self.num_output,), param.bias_filler)] if param.bias_term else []
        self.make_weights((shape, param.weight_filler), *bias)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        found = math.prod(bottom[0].shape[self.axis :])
        if found != self.length:
            raise self.error(
                f"has weights for {self.length} inputs, but its bottom of shape {bottom[0].shape} now gives {found}"
            )
        top[0].reshape(*bottom[0].shape[: self.axis], self.num_output)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        rows, weight = self._rows(bottom[0].tensor()), self.blobs[0].tensor()
        weight = weight.t() if self.transpose else weight
        bias = self.blobs[1].tensor() if len(self.blobs) > 1 else None
        top[0].set(torch.nn.functional.linear(rows, weight, bias).reshape(top[0].shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        gradient = top[0].diff_tensor().reshape(-1, self.num_output)
        if self.learns(0):
            rows = self._rows(bottom[0].tensor())
            self.blobs[0].add_diff(rows.t() @ gradient if self.transpose else gradient.t() @ rows)
        if len(self.blobs) > 1 and self.learns(1):
            self.blobs[1].add_diff(gradient.sum(0))
        if propagate_down[0]:
            weight = self.blobs[0].tensor()
            down = gradient @ (weight.t() if self.transpose else weight)
            bottom[0].set_diff(down.reshape(bottom[0].shape))

    def _rows(self, value: torch.Tensor) -> torch.Tensor:
        return value.reshape(-1, self.length)


class Embed(Layer):
    """For each value of the bottom, a whole number k from 0 to input_dim - 1, row k of the weights (+ bias).

    Top: the bottom's axes and one more of num_output. Weights: (input_dim, num_output), then, with bias_term,
    (num_output,). The bottom gets no gradient; a net with force_backward cannot have this layer, as in Caffe. A number
    out of range is a NetError where real Caffe reads foreign memory. Source: src/caffe/layers/embed_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.embed_param
        if param.num_output < 1 or param.input_dim < 1:
            raise self.error(
                f"has num_output {param.num_output} and input_dim {param.input_dim}; both must be at least 1"
            )
        self.num_output, self.input_dim = param.num_output, param.input_dim
        bias = [((self.num_output,), param.bias_filler)] if param.bias_term else []
        self.make_weights(((self.input_dim, self.num_output), param.weight_filler), *bias)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].shape, self.num_output)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        rows = self.blobs[0].tensor()[self._indices(bottom)]
        top[0].set(rows.add_(self.blobs[1].tensor()) if len(self.blobs) > 1 else rows)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            raise self.error("cannot send a gradient to its bottom; set propagate_down: false, not force_backward")
        gradient = top[0].diff_tensor().reshape(-1, self.num_output)
        if self.learns(0):
            self.blobs[0].diff_tensor().index_add_(0, self._indices(bottom).reshape(-1), gradient)
        if len(self.blobs) > 1 and self.learns(1):
            self.blobs[1].add_diff(gradient.sum(0))

    def _indices(self, bottom: Blobs) -> torch.Tensor:
        """The bottom as int64."""
        indices = bottom[0].tensor().long()
        bad = ((indices < 0) | (indices >= self.input_dim)).reshape(-1)
        if bool(bad.any()):
            place = int(bad.to(torch.uint8).argmax())
            raise self.error(
                f"reads {indices.reshape(-1)[place].item()} at place {place} of its bottom, expected 0 to "
                f"{self.input_dim - 1}, as input_dim is {self.input_dim}"
            )
        return indices
