"""Convolution and Deconvolution (src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp, deconv_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.im2col import Windows

Gradients = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]


class Convolution(Layer):
    """Cross-correlation over any number of spatial axes, in groups; every bottom goes through the same weights.

    Weights: (num_output, channels / group, *kernel), then, with bias_term, (num_output,).
    Out size per axis: (size + 2 pad - (dilation (kernel - 1) + 1)) / stride + 1, rounded down.
    """

    bottom_range: ClassVar = (1, None)
    top_range: ClassVar = (1, None)
    tops_as_bottoms: ClassVar = True
    transposed: ClassVar = False

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.convolution_param
        self.axis = self.axis_of(bottom[0], param.axis)
        self.channels = bottom[0].shape[self.axis]
        self.spatial_axes = len(bottom[0].shape) - self.axis - 1
        self.windows = Windows.of(self, self.spatial_axes)
        self.group, self.num_output = param.group, param.num_output
        if self.num_output < 1 or self.group < 1:
            raise self.error(f"has num_output {self.num_output} and group {self.group}; both must be at least 1")
        if self.channels % self.group or self.num_output % self.group:
            raise self.error(
                f"cannot split {self.channels} channels and {self.num_output} outputs by {self.group} groups"
            )
        ends = (self.channels, self.num_output) if self.transposed else (self.num_output, self.channels)
        weights = ((ends[0], ends[1] // self.group, *self.windows.kernel), param.weight_filler)
        self.make_weights(weights, *([((self.num_output,), param.bias_filler)] if param.bias_term else []))

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        for below, above in zip(bottom, top, strict=True):
            if len(below.shape) != self.axis + 1 + self.spatial_axes or below.shape[self.axis] != self.channels:
                raise self.error(
                    f"was made for {self.channels} channels on axis {self.axis} and {self.spatial_axes} axes behind "
                    f"it, but its bottom now has the shape {below.shape}"
                )
            sizes = self._out_sizes(below.shape[self.axis + 1 :])
            if min(sizes, default=1) < 1:
                raise self.error(f"has a kernel of {list(self.windows.kernel)} on a smaller bottom {below.shape}")
            above.reshape(*below.shape[: self.axis], self.num_output, *sizes)

    def _out_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return self.windows.counts(sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        weight, *biases = (blob.tensor() for blob in self.blobs)
        bias = biases[0] if biases else None
        for below, above in zip(bottom, top, strict=True):
            value = self._batch(below.tensor())
            if 1 <= self.spatial_axes <= 3:
                result = torch.ops.aten.convolution(value, weight, bias, *self._geometry())
            else:
                result = self._of_windows(value, weight, above.shape[self.axis + 1 :])
                if bias is not None:
                    result += bias.reshape(-1, *[1] * self.spatial_axes)
            above.set(result.reshape(above.shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        wanted = [index < len(self.blobs) and self.learns(index) for index in range(2)]
        weight = self.blobs[0].tensor()
        for below, above, propagate in zip(bottom, top, propagate_down, strict=True):
            gradient, value = self._batch(above.diff_tensor()), self._batch(below.tensor())
            gradients: Gradients
            if 1 <= self.spatial_axes <= 3:
                gradients = torch.ops.aten.convolution_backward(
                    gradient, value, weight, [self.num_output], *self._geometry(), [propagate, *wanted]
                )
            else:
                gradients = self._gradients_of_windows(gradient, value, weight)
            for blob, result, is_wanted in zip(self.blobs, gradients[1:], wanted, strict=False):
                if is_wanted and result is not None:
                    blob.add_diff(result)
            if propagate and gradients[0] is not None:
                below.set_diff(gradients[0].reshape(below.shape))

    def _geometry(self) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
        windows = self.windows
        unused = [0] * self.spatial_axes
        return list(windows.stride), list(windows.pad), list(windows.dilation), self.transposed, unused, self.group

    def _batch(self, value: torch.Tensor) -> torch.Tensor:
        """`value` with all axes before the channels as one, in the layout that convolves fastest."""
        value = value.reshape(-1, *value.shape[self.axis :])
        return value.contiguous(memory_format=mode.image_layout()) if value.dim() == 4 else value

    # ---- any number of axes: one matrix product over the columns of all windows ----

    def _of_windows(self, value: torch.Tensor, weight: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        rows = self._rows(weight)
        if self.transposed:
            columns = rows.transpose(1, 2) @ self._grouped(value)
            return self.windows.image(columns.reshape(len(value), -1, *value.shape[2:]), sizes)
        return (rows @ self._grouped(self.windows.columns(value))).reshape(len(value), self.num_output, *sizes)

    def _gradients_of_windows(self, gradient: torch.Tensor, value: torch.Tensor, weight: torch.Tensor) -> Gradients:
        rows = self._rows(weight)
        if self.transposed:
            outs, columns = self._grouped(value), self._grouped(self.windows.columns(gradient))
            down = (rows @ columns).reshape(value.shape)
        else:
            outs, columns = self._grouped(gradient), self._grouped(self.windows.columns(value))
            spread = (rows.transpose(1, 2) @ outs).reshape(len(value), -1, *gradient.shape[2:])
            down = self.windows.image(spread, value.shape[2:])
        bias = gradient.sum([axis for axis in range(gradient.dim()) if axis != 1])
        return down, (outs @ columns.transpose(2, 3)).sum(0).reshape(weight.shape), bias

    def _rows(self, weight: torch.Tensor) -> torch.Tensor:
        """(group, outputs / group, inputs / group * kernel places)"""
        return weight.reshape(self.group, weight.shape[0] // self.group, -1)

    def _grouped(self, value: torch.Tensor) -> torch.Tensor:
        """(N, group, channels / group, places)"""
        return value.reshape(value.shape[0], self.group, value.shape[1] // self.group, -1)


class Deconvolution(Convolution):
    """The transpose of a Convolution: what that sends down as gradient goes up here, for upsampling.

    Weights: (channels, num_output / group, *kernel), then, with bias_term, (num_output,).
    Out size per axis: stride (size - 1) + dilation (kernel - 1) + 1 - 2 pad.
    """

    transposed: ClassVar = True

    def _out_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return self.windows.sizes(sizes)
