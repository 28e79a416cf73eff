"""Windows that slide over an image: their geometry, and their values side by side (Im2col)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from recaffe.layers.base import Blobs, Layer
from torch.nn.functional import pad as pad_tensor


@dataclass(frozen=True)
class Windows:
    """Where windows lie over the spatial axes of an image: a number per axis each."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, layer: Layer, axes: int) -> Windows:
        """Those that a layer's convolution_param asks for over `axes` spatial axes. Raises NetError.

        Source: BaseConvolutionLayer::LayerSetUp in src/caffe/layers/base_conv_layer.cpp.
        """
        return cls(
            _per_axis(layer, "kernel", "kernel_size", axes, default=None, least=1),
            _per_axis(layer, "stride", "stride", axes, default=1, least=1),
            _per_axis(layer, "pad", "pad", axes, default=0, least=0),
            _per_axis(layer, "dilation", "dilation", axes, default=1, least=1),
        )

    @property
    def extent(self) -> tuple[int, ...]:
        """Sizes of a window from its first place to its last."""
        return tuple(gap * (size - 1) + 1 for size, gap in zip(self.kernel, self.dilation, strict=True))

    def counts(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are over an image of these sizes; below 1 where none fits."""
        return tuple(
            (size + 2 * pad - extent) // stride + 1
            for size, pad, extent, stride in zip(sizes, self.pad, self.extent, self.stride, strict=True)
        )

    def sizes(self, counts: Sequence[int]) -> tuple[int, ...]:
        """The smallest image that has that many windows: what a Deconvolution gives."""
        return tuple(
            stride * (count - 1) + extent - 2 * pad
            for count, pad, extent, stride in zip(counts, self.pad, self.extent, self.stride, strict=True)
        )

    def columns(self, image: torch.Tensor) -> torch.Tensor:
        """The values of (N, channels, *sizes) by windows: (N, channels * kernel places, *counts)."""
        counts = self.counts(image.shape[2:])
        image = pad_tensor(image, [pad for pad in reversed(self.pad) for _ in range(2)]).contiguous()
        strides = image.stride()
        within = [step * gap for step, gap in zip(strides[2:], self.dilation, strict=True)]
        between = [step * stride for step, stride in zip(strides[2:], self.stride, strict=True)]
        view = image.as_strided((*image.shape[:2], *self.kernel, *counts), (*strides[:2], *within, *between))
        return view.reshape(len(image), -1, *counts)

    def image(self, columns: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """The sums of what `columns` (N, channels * kernel places, *counts) has for each place of an image."""
        counts = columns.shape[2:]
        columns = columns.reshape(len(columns), -1, math.prod(self.kernel), *counts)
        padded = [size + 2 * pad for size, pad in zip(sizes, self.pad, strict=True)]
        image = columns.new_zeros(*columns.shape[:2], *padded)
        for index, place in enumerate(itertools.product(*map(range, self.kernel))):
            starts = [step * gap for step, gap in zip(place, self.dilation, strict=True)]
            where = (
                slice(start, start + stride * (count - 1) + 1, stride)
                for start, stride, count in zip(starts, self.stride, counts, strict=True)
            )
            image[(..., *where)] += columns[:, :, index]
        inside = (slice(pad, pad + size) for pad, size in zip(self.pad, sizes, strict=True))
        return image[(..., *inside)].contiguous()


def _per_axis(layer: Layer, name: str, field: str, axes: int, default: int | None, least: int) -> tuple[int, ...]:
    """One size per spatial axis, from the repeated field or from its _h and _w forms."""
    param: Any = layer.param.convolution_param
    values = list(getattr(param, field))
    forms = [f"{name}_{side}" for side in "hw"] if name != "dilation" else []
    if any(param.HasField(form) for form in forms):
        if axes != 2 or values:
            raise layer.error(f"has {forms[0]} or {forms[1]}, which are for two spatial axes and exclude {name}")
        values = [getattr(param, form) for form in forms]
    elif not values and default is not None:
        values = [default] * axes
    elif len(values) not in (1, axes):
        raise layer.error(f"has {len(values)} values for {name}, expected one, or one for each of {axes} axes")
    if min(values, default=least) < least:
        raise layer.error(f"has {name} {values}, expected at least {least}")
    return tuple(values if len(values) == axes else values * axes)


class Im2col(Layer):
    """The values of every window of a Convolution side by side: the channels become channels x kernel places.

    Source: src/caffe/layers/im2col_layer.cpp.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.axis = self.axis_of(bottom[0], self.param.convolution_param.axis)
        axes = len(bottom[0].shape) - self.axis - 1
        if axes < 1:
            raise self.error(f"needs spatial axes behind axis {self.axis} of a bottom of shape {bottom[0].shape}")
        self.windows = Windows.of(self, axes)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        shape = bottom[0].shape
        if len(shape) != self.axis + 1 + len(self.windows.kernel):
            raise self.error(f"was made for other axes than those of its bottom, now of shape {shape}")
        counts = self.windows.counts(shape[self.axis + 1 :])
        if min(counts) < 1:
            raise self.error(f"has a kernel of {self.windows.kernel} on a smaller bottom of shape {shape}")
        top[0].reshape(*shape[: self.axis], shape[self.axis] * math.prod(self.windows.kernel), *counts)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        images = bottom[0].tensor().reshape(-1, *bottom[0].shape[self.axis :])
        top[0].set(self.windows.columns(images).reshape(top[0].shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            columns = top[0].diff_tensor().reshape(-1, *top[0].shape[self.axis :])
            images = self.windows.image(columns, bottom[0].shape[self.axis + 1 :])
            bottom[0].set_diff(images.reshape(bottom[0].shape))
