"""Pooling (src/caffe/layers/pooling_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream
from torch.nn.functional import pad as pad_tensor

LOWEST = -torch.finfo(torch.float32).max  # what Caffe starts a maximum from


class Pooling(Layer):
    """MAX, AVE or STOCHASTIC over kernel_h x kernel_w windows of the last two of 4 axes.

    Out size: (size + 2 pad - kernel) / stride + 1, rounded up (round_mode FLOOR: down); with padding, a last window
    that would start beyond the image is dropped. AVE divides by the part of the window that lies in the padded image,
    zeros of the padding included. With global_pooling the window is the whole image. A second top of MAX is the place
    of each maximum in its plane, h * width + w.

    STOCHASTIC takes one value of each window at TRAIN, with a probability in proportion to the value, and at TEST the
    mean that this gives, sum of x^2 / sum of x (0 where the sum is not above 0). It takes the first value, row by row,
    at which the sum so far reaches a uniform random number times the whole sum; values should not be negative. Real
    Caffe has it on the GPU only and draws with curand; here it also works on the CPU, with one uniform number of the
    global random stream per window, in C order.
    """

    top_range: ClassVar = (1, 2)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.pooling_param
        self.is_max = param.pool == caffe_pb2.PoolingParameter.MAX
        self.is_stochastic = param.pool == caffe_pb2.PoolingParameter.STOCHASTIC
        if len(top) > 1 and not self.is_max:
            raise self.error("has a second top, which only MAX pooling gives")
        self.is_global = param.global_pooling
        self.pad = self._height_width("pad", 0)
        self.stride = self._height_width("stride", 1)
        if self.is_global:
            if any(param.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
                raise self.error("has global_pooling and a kernel; give one of them")
            if self.pad != (0, 0) or self.stride != (1, 1):
                raise self.error(f"has global_pooling with pad {self.pad} and stride {self.stride}; leave them out")
        else:
            self.kernel = self._height_width("kernel", None)
            if min(self.kernel) < 1 or min(self.stride) < 1:
                raise self.error(f"has kernel {self.kernel} and stride {self.stride}, expected at least 1")
            if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
                raise self.error(f"has pad {self.pad} not smaller than its kernel {self.kernel}")
            if self.is_stochastic and self.pad != (0, 0):
                raise self.error(f"has pad {self.pad}, which STOCHASTIC pooling cannot have")
        self._places: torch.Tensor | None = None  # of the values taken by the latest forward, in the padded planes

    def _height_width(self, name: str, default: int | None) -> tuple[int, int]:
        """(height, width) from `name` (kernel_size for the kernel) or from its _h and _w forms."""
        param: Any = self.param.pooling_param
        both = "kernel_size" if name == "kernel" else name
        sides = [param.HasField(f"{name}_{side}") for side in "hw"]
        if any(sides):
            if not all(sides) or param.HasField(both):
                raise self.error(f"needs either {both}, or both {name}_h and {name}_w")
            return getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
        if default is None and not param.HasField(both):
            raise self.error(f"has no {both}")
        return getattr(param, both), getattr(param, both)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if len(bottom[0].shape) != 4:
            raise self.error(f"has a bottom of shape {bottom[0].shape}, expected 4 axes")
        sizes = bottom[0].shape[2:]
        if self.is_global:
            self.kernel = (sizes[0], sizes[1])
        geometry = list(zip(sizes, self.kernel, self.stride, self.pad, strict=True))
        self.out = [self._out_size(*axis) for axis in geometry]
        # What torch is given beyond the near padding, so that every window of Caffe's is a whole window.
        self.far_pad = [
            (out - 1) * stride + kernel - size - pad
            for out, (size, kernel, stride, pad) in zip(self.out, geometry, strict=True)
        ]
        if min(self.out) < 1:
            raise self.error(f"has a kernel of {self.kernel} on a smaller bottom of shape {bottom[0].shape}")
        if any(
            (out - 1) * stride - pad >= size for out, (size, _, stride, pad) in zip(self.out, geometry, strict=True)
        ):
            raise self.error(
                f"with kernel {self.kernel}, stride {self.stride} on {sizes} has a last window wholly outside its "
                "bottom; use round_mode: FLOOR or another stride"
            )
        for blob in top:
            blob.reshape(*bottom[0].shape[:2], *self.out)

    def _out_size(self, size: int, kernel: int, stride: int, pad: int) -> int:
        steps = (size + 2 * pad - kernel) / stride
        is_ceil = self.param.pooling_param.round_mode == caffe_pb2.PoolingParameter.CEIL
        out = (math.ceil(steps) if is_ceil else math.floor(steps)) + 1
        if self.pad != (0, 0) and (out - 1) * stride >= size + pad:
            out -= 1
        return out

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        value = self._padded(bottom[0].tensor())
        if self.is_stochastic:
            top[0].set(self._draw(value) if self.is_train else self._expected(value))
        elif not self.is_max:
            sums = torch.nn.functional.avg_pool2d(value, self.kernel, self.stride, divisor_override=1)
            top[0].set(sums.div_(self._window_counts(bottom[0].shape)))
        elif self.needs_backward or len(top) > 1:
            result, self._places = torch.ops.aten.max_pool2d_with_indices(value, self.kernel, self.stride)
            top[0].set(result)
            if len(top) > 1:
                top[1].set(self._unpadded_places(bottom[0].shape[3]))
        else:
            top[0].set(torch.nn.functional.max_pool2d(value, self.kernel, self.stride))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if not propagate_down[0]:
            return
        value = self._padded(bottom[0].tensor())
        gradient = top[0].diff_tensor().contiguous(memory_format=mode.image_layout())
        if self.is_max or self.is_stochastic:
            if self._places is None:
                raise self.error("has taken no values yet: run forward before backward, and STOCHASTIC at TRAIN")
            down = torch.ops.aten.max_pool2d_with_indices_backward(
                gradient, value, self.kernel, self.stride, [0, 0], [1, 1], False, self._places
            )
        else:
            share = gradient / self._window_counts(bottom[0].shape)
            down = torch.ops.aten.avg_pool2d_backward(share, value, self.kernel, self.stride, [0, 0], False, True, 1)
        height, width = bottom[0].shape[2:]
        bottom[0].set_diff(down[:, :, self.pad[0] : self.pad[0] + height, self.pad[1] : self.pad[1] + width])

    def _draw(self, value: torch.Tensor) -> torch.Tensor:
        """One value of each window, drawn."""
        windows = self._windows(value)
        sums = windows.cumsum(-1)
        thresholds = self._uniform(windows.shape[:-1]) * sums[..., -1]
        taken = (sums >= thresholds.unsqueeze(-1)).to(torch.uint8).argmax(-1, keepdim=True)
        if self.needs_backward:
            row, column = (
                torch.arange(out, device=value.device) * step for out, step in zip(self.out, self.stride, strict=True)
            )
            row = row[:, None] + taken.squeeze(-1).div(self.kernel[1], rounding_mode="floor")
            self._places = row * value.shape[3] + column + taken.squeeze(-1) % self.kernel[1]
        return windows.gather(-1, taken).squeeze(-1)

    def _expected(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of what `_draw` gives."""
        windows = self._windows(value)
        sums = windows.sum(-1)
        return torch.where(sums > 0, windows.square().sum(-1) / sums, 0.0)

    def _windows(self, value: torch.Tensor) -> torch.Tensor:
        """(N, C, out height, out width, kernel height * kernel width)"""
        (height, width), (down, right) = self.kernel, self.stride
        return value.unfold(2, height, down).unfold(3, width, right).flatten(-2)

    def _uniform(self, shape: torch.Size) -> torch.Tensor:
        """Numbers from 0 to 1."""
        if mode.device().type == "cpu":
            return torch.from_numpy(global_stream.uniform(shape.numel(), 0, 1)).view(shape).to(mode.dtype())
        return torch.rand(shape, generator=mode.gpu_generator(), dtype=mode.dtype(), device=mode.device())

    def _padded(self, value: torch.Tensor) -> torch.Tensor:
        """`value` with the padding around it; cut where the windows, rounded down, leave a rest."""
        value = value.contiguous(memory_format=mode.image_layout())
        amounts = (self.pad[1], self.far_pad[1], self.pad[0], self.far_pad[0])
        if max(amounts) <= 0:
            return value
        return pad_tensor(value, [max(amount, 0) for amount in amounts], value=LOWEST if self.is_max else 0.0)

    def _window_counts(self, shape: tuple[int, ...]) -> torch.Tensor:
        """(out height, out width): how many places of the padded image each window covers."""
        along = []
        for size, kernel, stride, pad, out in zip(shape[2:], self.kernel, self.stride, self.pad, self.out, strict=True):
            start = torch.arange(out, device=mode.device()) * stride - pad
            along.append((start + kernel).clamp(max=size + pad) - start)
        return along[0][:, None] * along[1][None, :]

    def _unpadded_places(self, width: int) -> torch.Tensor:
        assert self._places is not None
        padded_width = width + self.pad[1] + max(self.far_pad[1], 0)
        row = self._places.div(padded_width, rounding_mode="floor") - self.pad[0]
        column = self._places % padded_width - self.pad[1]
        return (row * width + column).to(mode.dtype())
