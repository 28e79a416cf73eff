"""Eltwise (src/caffe/layers/eltwise_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2


class Eltwise(Layer):
    """PROD, SUM (with a coefficient per bottom) or MAX of bottoms of one shape, value by value.

    Of equal values of the first two bottoms the second is MAX's, of later ones the earlier, as in Caffe.
    """

    bottom_range: ClassVar = (2, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.eltwise_param
        self.operation = param.operation
        if param.coeff and (len(param.coeff) != len(bottom) or self.operation == caffe_pb2.EltwiseParameter.PROD):
            raise self.error(
                f"has {len(param.coeff)} coeff for {len(bottom)} bottoms; SUM takes one for each, PROD none"
            )
        self.coefficients = list(param.coeff) or [1.0] * len(bottom)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        for blob in bottom[1:]:
            if blob.shape != bottom[0].shape:
                raise self.error(f"has bottoms of shapes {bottom[0].shape} and {blob.shape}, expected equal ones")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        values = [blob.tensor() for blob in bottom]
        if self.operation == caffe_pb2.EltwiseParameter.SUM:
            result = values[0] * self.coefficients[0]
            for value, coefficient in zip(values[1:], self.coefficients[1:], strict=True):
                result.add_(value, alpha=coefficient)
        elif self.operation == caffe_pb2.EltwiseParameter.PROD:
            result = values[0] * values[1]
            for value in values[2:]:
                result.mul_(value)
        else:
            result = values[0].maximum(values[1])
            for value in values[2:]:
                result = result.maximum(value)
        top[0].set(result)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        gradient = top[0].diff_tensor()
        for index, (blob, propagate) in enumerate(zip(bottom, propagate_down, strict=True)):
            if not propagate:
                continue
            if self.operation == caffe_pb2.EltwiseParameter.SUM:
                blob.set_diff(gradient * self.coefficients[index])
            elif self.operation == caffe_pb2.EltwiseParameter.PROD:
                blob.set_diff(self._product_gradient(index, top, bottom))
            else:
                blob.set_diff(gradient * (self._winner(bottom) == index))

    def _product_gradient(self, index: int, top: Blobs, bottom: Blobs) -> torch.Tensor:
        """The product of the others; with stable_prod_grad: false, the whole product divided by this one."""
        if not self.param.eltwise_param.stable_prod_grad:
            return top[0].tensor() / bottom[index].tensor() * top[0].diff_tensor()
        result = top[0].diff_tensor().clone()
        for other, blob in enumerate(bottom):
            if other != index:
                result.mul_(blob.tensor())
        return result

    def _winner(self, bottom: Blobs) -> torch.Tensor:
        """Which bottom each maximum came from."""
        best = bottom[0].tensor()
        winner = torch.zeros_like(best, dtype=torch.uint8)
        for index, blob in enumerate(bottom[1:], start=1):
            value = blob.tensor()
            wins = value >= best if index == 1 else value > best
            winner.masked_fill_(wins, index)
            best = best.maximum(value)
        return winner
