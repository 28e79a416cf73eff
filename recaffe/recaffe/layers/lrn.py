"""LRN, local response normalisation (src/caffe/layers/lrn_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer, register
from recaffe.proto import caffe_pb2


@register
class LRN(Layer):
    """top = x s^-beta, s = k + (alpha / n) (sum of x^2 over a neighbourhood of n values).

    ACROSS_CHANNELS: the local_size channels around each, n = local_size.
    WITHIN_CHANNEL: the local_size x local_size square around each, n = local_size^2, and k is 1 whatever the file says.
    Neighbours outside the blob are zeros. A neighbourhood is symmetric, hence the gradient
    dx = dy s^-beta - 2 (alpha / n) beta x (sum over the neighbourhood of dy x s^(-beta - 1)).
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.lrn_param
        self.size, self.alpha, self.beta = param.local_size, param.alpha, param.beta
        if self.size % 2 == 0:
            raise self.error(f"has local_size {self.size}, expected an odd one")
        self.is_across = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS
        self.k = param.k if self.is_across else 1.0
        self._band: torch.Tensor | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if len(bottom[0].shape) != 4:
            raise self.error(f"has a bottom of shape {bottom[0].shape}, expected 4 axes")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = self._laid_out(bottom[0].tensor())
        top[0].set(self._restored(self._power(self._scale(value)).mul_(value), top[0].shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        value, gradient = self._laid_out(bottom[0].tensor()), self._laid_out(top[0].diff_tensor())
        scale = self._scale(value)
        direct = self._power(scale.clone()).mul_(gradient)
        ratio = (direct * value).div_(scale)
        around = self._mean_around(ratio).mul_(value)
        bottom[0].set_diff(self._restored(direct.sub_(around, alpha=2 * self.alpha * self.beta), bottom[0].shape))

    def _scale(self, value: torch.Tensor) -> torch.Tensor:
        return self._mean_around(value * value).mul_(self.alpha).add_(self.k)

    def _power(self, scale: torch.Tensor) -> torch.Tensor:
        """scale^-beta, in the memory of `scale`. The usual beta of 0.75 costs two square roots in place of a power."""
        if self.beta == 0.75:
            root = scale.rsqrt_()
            return root.mul_(root.sqrt())
        return scale.pow_(-self.beta)

    def _mean_around(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over each value's neighbourhood, divided by n."""
        if self.is_across:
            return value @ self._band_matrix(value.shape[1])
        return torch.nn.functional.avg_pool2d(value, self.size, stride=1, padding=self.size // 2)

    def _band_matrix(self, channels: int) -> torch.Tensor:
        """(channels, channels): 1 / n where two channels are neighbours. As a matrix product the sum is fastest."""
        band = self._band
        if band is None or band.shape[0] != channels or band.device != mode.device():
            index = torch.arange(channels, device=mode.device())
            near = (index[:, None] - index[None, :]).abs() <= self.size // 2
            self._band = band = near.to(torch.float32).div_(self.size)
        return band

    def _laid_out(self, value: torch.Tensor) -> torch.Tensor:
        """Across channels: (N H W, C), for the matrix product. Within: as it is."""
        if not self.is_across:
            return value
        return value.permute(0, 2, 3, 1).reshape(-1, value.shape[1])

    def _restored(self, value: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        if not self.is_across:
            return value
        number, channels, height, width = shape
        return value.view(number, height, width, channels).permute(0, 3, 1, 2)
