"""Layers that cut, repeat and reshape: Crop, Slice, Reshape, Tile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe.layers.base import Blobs, Layer


class Crop(Layer):
    """The part of bottom 0 that has bottom 1's sizes on the axes from `axis` on, beginning at `offset`.

    offset: one for all these axes, one for each, or none for 0. Bottom 1 gives its shape only.
    Source: src/caffe/layers/crop_layer.cpp.
    """

    bottom_range: ClassVar = (2, 2)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, shape, wanted = self.param.crop_param, bottom[0].shape, bottom[1].shape
        axis = self.axis_of(bottom[0], param.axis)
        cropped, offsets = len(shape) - axis, list(param.offset)
        if len(offsets) > 1 and len(offsets) != cropped:
            raise self.error(f"has {len(offsets)} offset for {cropped} axes from {axis} on; give one, all or none")
        if len(wanted) < len(shape):
            raise self.error(f"has the shape {wanted} to crop a bottom of shape {shape} to; it lacks axes")
        offsets = [0] * axis + (offsets * cropped if len(offsets) == 1 else offsets or [0] * cropped)
        sizes = shape[:axis] + wanted[axis : len(shape)]
        if any(offset + size > found for offset, size, found in zip(offsets, sizes, shape, strict=True)):
            raise self.error(f"crops sizes {sizes} at offsets {offsets}, out of the bounds of its bottom {shape}")
        self._place = tuple(slice(offset, offset + size) for offset, size in zip(offsets, sizes, strict=True))
        top[0].reshape(*sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor()[self._place].clone())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            gradient = top[0].diff_tensor().new_zeros(bottom[0].shape)
            gradient[self._place] = top[0].diff_tensor()
            bottom[0].set_diff(gradient)


class Slice(Layer):
    """Parts of the bottom along `axis`, cut before each `slice_point`, or as many equal parts as there are tops.

    A single top shares the bottom's values and gradients. Source: src/caffe/layers/slice_layer.cpp.
    """

    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param = self.param.slice_param
        if param.HasField("axis") and param.HasField("slice_dim"):
            raise self.error("has axis and slice_dim; give one of them")
        if param.slice_point and len(param.slice_point) != len(top) - 1:
            raise self.error(f"has {len(param.slice_point)} slice_point for {len(top)} tops, expected one fewer")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, shape = self.param.slice_param, list(bottom[0].shape)
        self.axis = self.axis_of(bottom[0], param.slice_dim if param.HasField("slice_dim") else param.axis)
        size = shape[self.axis]
        if param.slice_point:
            ends = [0, *param.slice_point, size]
            self.sizes = [end - start for start, end in itertools.pairwise(ends)]
            if min(self.sizes[:-1]) < 1 or self.sizes[-1] < 0 or len(top) > size:
                raise self.error(f"has slice_point {ends[1:-1]} on an axis of size {size}; they must rise within it")
        elif size % len(top):
            raise self.error(f"cannot cut an axis of size {size} into {len(top)} equal parts; give slice_point")
        else:
            self.sizes = [size // len(top)] * len(top)
        for blob, part in zip(top, self.sizes, strict=True):
            shape[self.axis] = part
            blob.reshape(*shape)
        if len(top) == 1:
            top[0].share_data(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        if len(top) > 1:
            for blob, part in zip(top, bottom[0].tensor().split(self.sizes, self.axis), strict=True):
                blob.set(part.clone())

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            if len(top) == 1:
                bottom[0].share_diff(top[0])
            else:
                bottom[0].set_diff(torch.cat([blob.diff_tensor() for blob in top], self.axis))


class Reshape(Layer):
    """The same values in another shape: `num_axes` axes from `axis` on (-1: all of them) become `shape`.

    In `shape`, 0 copies the bottom's size of that place and one -1 is what is left. A negative axis counts from behind
    the last one. Values and gradients are shared with the bottom. Source: src/caffe/layers/reshape_layer.cpp.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        param, old = self.param.reshape_param, bottom[0].shape
        start = param.axis if param.axis >= 0 else len(old) + param.axis + 1
        end = len(old) if param.num_axes == -1 else start + param.num_axes
        if not 0 <= start <= end <= len(old) or param.num_axes < -1:
            raise self.error(f"has axis {param.axis} and num_axes {param.num_axes}, out of range for a bottom {old}")
        new = list(param.shape.dim)
        if min(new, default=0) < -1 or new.count(-1) > 1:
            raise self.error(f"has shape {new}; sizes are at least 0, or -1 for one of them")
        for place, size in enumerate(new):
            if size == 0:
                if start + place >= len(old):
                    raise self.error(f"has shape {new}, whose 0 at {place} has no axis to copy in a bottom {old}")
                new[place] = old[start + place]
        shape = [*old[:start], *new, *old[end:]]
        if -1 in new:
            known = -math.prod(shape)
            if known == 0 or bottom[0].count % known:
                raise self.error(f"cannot reshape {old} to {shape}: {bottom[0].count} is no multiple of {known}")
            shape[start + new.index(-1)] = bottom[0].count // known
        if math.prod(shape) != bottom[0].count:
            raise self.error(f"cannot reshape {old} to {shape}: {bottom[0].count} values, not {math.prod(shape)}")
        top[0].reshape(*shape)
        top[0].share_data(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].share_diff(top[0])


class Tile(Layer):
    """The bottom `tiles` times, one copy after the other along `axis`. Source: src/caffe/layers/tile_layer.cpp."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self.tiles = self.param.tile_param.tiles
        if self.tiles < 1:
            raise self.error(f"has tiles {self.tiles}, expected at least 1")
        self.axis = self.axis_of(bottom[0], self.param.tile_param.axis)
        shape = list(bottom[0].shape)
        shape[self.axis] *= self.tiles
        top[0].reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(torch.cat([bottom[0].tensor()] * self.tiles, self.axis))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            shape = bottom[0].shape
            parts = top[0].diff_tensor().reshape(*shape[: self.axis], self.tiles, *shape[self.axis :])
            bottom[0].set_diff(parts.sum(self.axis))
