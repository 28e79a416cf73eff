"""LRN, local response normalisation (src/caffe/layers/lrn_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2


class LRN(Layer):
    """top = x s^-beta, s = k + (alpha / n) (sum of x^2 over a neighbourhood of n values).

    ACROSS_CHANNELS: the local_size channels around each, n = local_size.
    WITHIN_CHANNEL: the local_size x local_size square around each, n = local_size^2, and k is 1 whatever the file says.
    Neighbours outside the blob are zeros. A neighbourhood is symmetric, hence the gradient
    dx = dy s^-beta - 2 (alpha / n) beta x (sum over the neighbourhood of dy y / s). There y is x s^-beta, but across
    channels, as in Caffe, what the top holds by then, which a layer that works in place may have changed.
    `engine` is accepted and changes nothing.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.lrn_param
        self.size, self.alpha, self.beta = param.local_size, param.alpha, param.beta
        if self.size % 2 == 0:
            raise self.error(f"has local_size {self.size}, expected an odd one")
        self.is_across = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS
        self.share = self.alpha / (self.size if self.is_across else self.size**2)  # alpha / n
        self.k = torch.tensor(param.k if self.is_across else 1.0)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if len(bottom[0].shape) != 4:
            raise self.error(f"has a bottom of shape {bottom[0].shape}, expected 4 axes")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = self._laid_out(bottom[0].tensor())
        power = self._power(self._scale(value))
        top[0].set(self._restored(self._own(power, value) * value, top[0].shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        value, gradient = self._laid_out(bottom[0].tensor()), self._laid_out(top[0].diff_tensor())
        scale = self._scale(value)
        direct = self._own(self._power(scale.clone()), value) * gradient
        along = self._laid_out(top[0].tensor()) * gradient if self.is_across else direct * value
        ratio = along.div_(self._own(scale, value))
        around = self._own(self._sum_around(ratio, ratio.new_ones(())), value) * value
        bottom[0].set_diff(self._restored(direct.sub_(around, alpha=2 * self.share * self.beta), bottom[0].shape))

    def _scale(self, value: torch.Tensor) -> torch.Tensor:
        """s of each value, in the rows of `_sum_around`."""
        sums = self._sum_around(value, value)
        return torch.add(self.k, sums, alpha=self.share, out=sums)

    def _power(self, scale: torch.Tensor) -> torch.Tensor:
        """scale^-beta, in the memory of `scale`. The usual beta of 0.75 costs two square roots in place of a power."""
        if self.beta == 0.75:
            root = scale.rsqrt_()
            return root.mul_(root.sqrt())
        return scale.pow_(-self.beta)

    def _sum_around(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The sum of first * second over each value's neighbourhood.

        Across channels the result has local_size - 1 values more a row than there are channels (see `_own`): rows are
        padded with zeros, so that the sum is a few additions of one long array to itself, shifted.
        """
        if not self.is_across:
            return torch.nn.functional.avg_pool2d(
                first * second, self.size, stride=1, padding=self.size // 2, divisor_override=1
            )
        rows, channels = first.shape
        width, half = channels + self.size - 1, self.size // 2
        padded = first.new_zeros(rows * width + self.size - 1)
        torch.mul(first, second, out=padded[: rows * width].view(rows, width)[:, half : half + channels])
        return _moving_sum(padded, self.size)[: rows * width].view(rows, width)

    def _own(self, sums: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """What `_sum_around` gave, without the values between the rows."""
        return sums[:, : value.shape[1]] if self.is_across else sums

    def _laid_out(self, value: torch.Tensor) -> torch.Tensor:
        """Across channels: (N H W, C). Within: as it is."""
        if not self.is_across:
            return value
        return value.permute(0, 2, 3, 1).reshape(-1, value.shape[1])

    def _restored(self, value: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        if not self.is_across:
            return value
        number, channels, height, width = shape
        return value.view(number, height, width, channels).permute(0, 3, 1, 2)


def _moving_sum(values: torch.Tensor, length: int) -> torch.Tensor:
    """Sums of `length` (odd) neighbours: result[i] = values[i] + ... + values[i + length - 1], by doubling."""
    result, covered = values, 1  # result[i] is the sum of `covered` values from i on
    power, width = values, 1  # the same of `width` values
    remaining = length >> 1
    while remaining:
        power = power[:-width] + power[width:]
        width *= 2
        if remaining & 1:
            result = result[: len(power) - covered] + power[covered:]
            covered += width
        remaining >>= 1
    return result
