"""InnerProduct, the fully connected layer (src/caffe/layers/inner_product_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from recaffe.layers.base import Blobs, Layer


class InnerProduct(Layer):
    """top = bottom W^T + b, where all axes of the bottom from `axis` on are one vector.

    Weights: (num_output, length), or (length, num_output) with `transpose`; then, with bias_term, (num_output,).
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
