"""Convolution (src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer


class Convolution(Layer):
    """Cross-correlation over 1 to 3 spatial axes, in groups; every bottom goes through the same weights.

    Weights: (num_output, channels / group, *kernel), then, with bias_term, (num_output,).
    Out size per axis: (size + 2 pad - (dilation (kernel - 1) + 1)) / stride + 1, rounded down.
    """

    bottom_range: ClassVar = (1, None)
    top_range: ClassVar = (1, None)
    tops_as_bottoms: ClassVar = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.convolution_param
        self.axis = self.axis_of(bottom[0], param.axis)
        self.channels = bottom[0].shape[self.axis]
        spatial_axes = len(bottom[0].shape) - self.axis - 1
        if not 1 <= spatial_axes <= 3:
            raise self.error(
                f"convolves over {spatial_axes} axes of a bottom of shape {bottom[0].shape}, known: 1 to 3"
            )
        self.kernel = self._per_axis("kernel", param.kernel_size, spatial_axes, default=None, least=1)
        self.stride = self._per_axis("stride", param.stride, spatial_axes, default=1, least=1)
        self.pad = self._per_axis("pad", param.pad, spatial_axes, default=0, least=0)
        self.dilation = self._per_axis("dilation", param.dilation, spatial_axes, default=1, least=1)
        self.group, self.num_output = param.group, param.num_output
        if self.num_output < 1 or self.group < 1:
            raise self.error(f"has num_output {self.num_output} and group {self.group}; both must be at least 1")
        if self.channels % self.group or self.num_output % self.group:
            raise self.error(
                f"cannot split {self.channels} channels and {self.num_output} outputs by {self.group} groups"
            )
        weights = ((self.num_output, self.channels // self.group, *self.kernel), param.weight_filler)
        self.make_weights(weights, *([((self.num_output,), param.bias_filler)] if param.bias_term else []))

    def _per_axis(self, name: str, values: Any, axes: int, default: int | None, least: int) -> list[int]:
        """One size per spatial axis, from the repeated field or from its _h and _w forms."""
        param = self.param.convolution_param
        forms = [f"{name}_{side}" for side in "hw"] if name != "dilation" else []
        if any(param.HasField(form) for form in forms):
            if axes != 2 or values:
                raise self.error(f"has {forms[0]} or {forms[1]}, which are for two spatial axes and exclude {name}")
            sizes = [getattr(param, form) for form in forms]
        elif len(values) in (1, axes):
            sizes = list(values) * (axes if len(values) == 1 else 1)
        elif not values and default is not None:
            sizes = [default] * axes
        else:
            raise self.error(f"has {len(values)} values for {name}, expected one, or one for each of {axes} axes")
        if min(sizes) < least:
            raise self.error(f"has {name} {sizes}, expected at least {least}")
        return sizes

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        for below, above in zip(bottom, top, strict=True):
            if len(below.shape) != self.axis + 1 + len(self.kernel) or below.shape[self.axis] != self.channels:
                raise self.error(
                    f"was made for {self.channels} channels on axis {self.axis} and {len(self.kernel)} axes behind it, "
                    f"but its bottom now has the shape {below.shape}"
                )
            sizes = [
                (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
                for size, kernel, stride, pad, dilation in zip(
                    below.shape[self.axis + 1 :], self.kernel, self.stride, self.pad, self.dilation, strict=True
                )
            ]
            if min(sizes) < 1:
                raise self.error(f"has a kernel of {self.kernel} on a smaller bottom of shape {below.shape}")
            above.reshape(*below.shape[: self.axis], self.num_output, *sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        weight = self.blobs[0].tensor()
        bias = self.blobs[1].tensor() if len(self.blobs) > 1 else None
        for below, above in zip(bottom, top, strict=True):
            result = torch.ops.aten.convolution(self._batch(below.tensor()), weight, bias, *self._geometry())
            above.set(result.reshape(above.shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        wanted = [index < len(self.blobs) and self.learns(index) for index in range(2)]
        weight = self.blobs[0].tensor()
        for below, above, propagate in zip(bottom, top, propagate_down, strict=True):
            gradients = torch.ops.aten.convolution_backward(
                self._batch(above.diff_tensor()),
                self._batch(below.tensor()),
                weight,
                [self.num_output],
                *self._geometry(),
                [propagate, *wanted],
            )
            for index in range(2):
                if wanted[index]:
                    self.blobs[index].add_diff(gradients[1 + index])
            if propagate:
                below.set_diff(gradients[0].reshape(below.shape))

    def _geometry(self) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
        return self.stride, self.pad, self.dilation, False, [0] * len(self.kernel), self.group

    def _batch(self, value: torch.Tensor) -> torch.Tensor:
        """`value` with all axes before the channels as one, in the layout that convolves fastest."""
        value = value.reshape(-1, *value.shape[self.axis :])
        return value.contiguous(memory_format=mode.image_layout()) if value.dim() == 4 else value
