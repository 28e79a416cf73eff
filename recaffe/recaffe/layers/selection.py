"""Layers that choose items of a batch: BatchReindex, Filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer


class BatchReindex(Layer):
    """Item i of the top is item index[i] of bottom 0; bottom 1 has the indices, repeated or left out as one likes.

    Source: src/caffe/layers/batch_reindex_layer.cpp.
    """

    bottom_range: ClassVar = (2, 2)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        if len(bottom[1].shape) != 1 or not bottom[0].shape:
            raise self.error(f"has indices of shape {bottom[1].shape} for {bottom[0].shape}, expected one axis")
        top[0].reshape(bottom[1].shape[0], *bottom[0].shape[1:])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].set(bottom[0].tensor().index_select(0, self._indices(bottom)))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[1]:
            raise self.error("cannot send a gradient to its indices; set propagate_down to false for its second bottom")
        if propagate_down[0]:
            gradient = top[0].diff_tensor()
            bottom[0].set_diff(gradient.new_zeros(bottom[0].shape).index_add_(0, self._indices(bottom), gradient))

    def _indices(self, bottom: Blobs) -> torch.Tensor:
        """int64; NetError for one that is no item of bottom 0."""
        values, items = bottom[1].tensor(), bottom[0].shape[0]
        bad = (values < 0) | (values >= items)
        if bool(bad.any()):
            raise self.error(f"reads the index {values[bad][0].item():g}, but its bottom has items 0 to {items - 1}")
        return values.long()


class Filter(Layer):
    """Of each bottom the items whose selector, the last bottom, is not 0: tops have as many items as are selected.

    Set up, a top has all items of its bottom, and at each forward those selected, perhaps none: then it is empty, and
    many layers refuse it. Source: src/caffe/layers/filter_layer.cpp.
    """

    bottom_range: ClassVar = (2, None)
    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        if len(top) != len(bottom) - 1:
            raise self.error(f"has {len(top)} tops for {len(bottom)} bottoms; each but the last, the selector, has one")
        self._selected: torch.Tensor | None = None  # places of the items that go on; None: not run yet

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        selector = bottom[-1]
        if not selector.shape or selector.count != selector.shape[0]:
            raise self.error(f"has a selector of shape {selector.shape}, expected one value for each item")
        for blob in bottom[:-1]:
            if blob.shape[:1] != selector.shape[:1]:
                raise self.error(f"has {selector.count} selectors for a bottom of shape {blob.shape}")
        is_first = self._selected is None
        self._selected = selector.tensor().reshape(-1).nonzero().reshape(-1)
        items = selector.count if is_first else len(self._selected)
        for index, (blob, source) in enumerate(zip(top, bottom, strict=False)):
            blob.reshape(items, *source.shape[1:])
            if self.loss_weight(index):  # a blob that grows forgets it
                blob.set_diff(torch.full(blob.shape, self.loss_weight(index), dtype=mode.dtype(), device=mode.device()))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        assert self._selected is not None
        for blob, source in zip(top, bottom, strict=False):
            blob.set(source.tensor().index_select(0, self._selected))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[-1]:
            raise self.error("cannot send a gradient to its selector; set propagate_down to false for its last bottom")
        assert self._selected is not None
        for blob, source, propagate in zip(top, bottom, propagate_down, strict=False):
            if propagate:
                gradient = blob.diff_tensor()
                source.set_diff(gradient.new_zeros(source.shape).index_copy_(0, self._selected, gradient))
