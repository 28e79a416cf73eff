"""Blobs: arrays with a gradient, computed on by torch, seen by numpy when someone looks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from recaffe import mode
from recaffe.errors import BlobSizeError, NetError

Shape = tuple[int, ...]
_MOST_AXES = 32  # Caffe's kMaxBlobAxes
_MOST_VALUES = 2**31 - 1  # Caffe counts in int


class Storage:
    """Values, of the type `mode.dtype`, behind one or more blobs: the data or the diff of a Blob, perhaps shared.

    Until someone calls `array`, results are taken over as they are, in whatever memory order the engine likes. From
    then on they are written into the array that was given out, so that it shows every later value. On a GPU the array
    is a host copy that is fresh at each call of `array` and is uploaded before the next use, as Caffe's SyncedMemory.
    No value at all means zeros.
    """

    def __init__(self) -> None:
        self._value: torch.Tensor | None = None
        self._host: torch.Tensor | None = None  # whose memory was given out
        self._host_leads = False  # on a GPU: the host copy may have been written to
        self._is_lent = False  # the value belongs to someone else and must not be changed

    @property
    def is_zero(self) -> bool:
        """Whether the values are known to be zeros. False may also be zeros."""
        return self._value is None

    def tensor(self, shape: Shape) -> torch.Tensor:
        """The values on the current device, to read or to change in place."""
        device = mode.device()
        if self._value is None:
            self._value = torch.zeros(shape, dtype=mode.dtype(), device=device)
        if self._is_lent:
            self._value, self._is_lent = self._value.clone(), False
        if self._host_leads and self._host is not None and device.type != "cpu":
            self._value, self._host_leads = self._host.to(device), False
        elif self._value.device != device:
            self._value = self._moved(self._value, device)
        return self._value if self._value.shape == shape else self._value.reshape(shape)

    def _moved(self, value: torch.Tensor, device: torch.device) -> torch.Tensor:
        if device.type != "cpu" or self._host is None:
            return value.to(device)
        if not self._host_leads:
            self._host.copy_(value)
        self._host_leads = False
        return self._host

    def set(self, value: torch.Tensor) -> None:
        """Take over a result. From now on `value` belongs to this storage."""
        if self._value is value:
            return
        if self._host is not None and self._value is self._host:
            self._host.view(value.shape).copy_(value)
        else:
            self._value, self._host_leads, self._is_lent = value, False, False

    def lend(self, value: torch.Tensor) -> None:
        """Show `value`, which stays someone else's: it is copied before anyone may change it."""
        if self._host is not None and self._value is self._host:
            self._host.view(value.shape).copy_(value)
        else:
            self._value, self._host_leads, self._is_lent = value, False, True

    def add(self, value: torch.Tensor) -> None:
        """Add a result, which belongs to this storage from now on."""
        if self._value is None:
            self._value = value.contiguous()
        else:
            self.tensor(tuple(value.shape)).add_(value)

    def zero(self) -> None:
        if self._host is not None and self._value is self._host:
            self._host.zero_()
        else:
            self._value, self._host_leads, self._is_lent = None, False, False

    def first(self, count: int) -> Storage:
        """A storage of the first `count` values in C order, in the same memory where that is possible."""
        kept = Storage()
        if self._value is not None:
            kept._value, kept._is_lent = self._value.reshape(-1)[:count], self._is_lent
        if self._host is not None:
            is_value = self._value is self._host
            kept._host, kept._host_leads = self._host.reshape(-1)[:count], self._host_leads
            kept._value = kept._host if is_value else kept._value
        return kept

    def array(self, shape: Shape) -> np.ndarray:
        value = self.tensor(shape)
        if mode.device().type == "cpu":
            if self._value is not self._host or self._host is None:
                self._value = self._host = value.contiguous()
        else:
            if self._host is None:
                self._host = torch.empty(shape, dtype=mode.dtype())
            if not self._host_leads:
                self._host.view(shape).copy_(value)
            self._host_leads = True
        return self._host.view(shape).numpy()


class Blob:
    """pycaffe's Blob. `data` and `diff` are live float32 arrays in C order: writing into them acts on the net, and an
    array once taken shows the values of every later pass (on a GPU: take it again after the pass)."""

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self._shape: Shape = tuple(int(size) for size in shape)
        self._data = Storage()
        self._diff = Storage()

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def count(self) -> int:
        return math.prod(self._shape)

    @property
    def num(self) -> int:
        return self._legacy_size(0)

    @property
    def channels(self) -> int:
        return self._legacy_size(1)

    @property
    def height(self) -> int:
        return self._legacy_size(2)

    @property
    def width(self) -> int:
        return self._legacy_size(3)

    def _legacy_size(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise NetError(f"a blob of shape {self._shape} has no num, channels, height, width; use shape")
        return self._shape[axis] if axis < len(self._shape) else 1

    @property
    def data(self) -> np.ndarray:
        return self._data.array(self._shape)

    @property
    def diff(self) -> np.ndarray:
        return self._diff.array(self._shape)

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape. As many values as fit stay, in C order; a larger blob starts with zeros.

        Raises BlobSizeError for a negative size or more than 2^31 - 1 values. Source: Blob::Reshape.
        """
        new = tuple(int(size) for size in shape)
        count = math.prod(new)
        if any(size < 0 for size in new) or math.prod(size for size in new if size) > _MOST_VALUES:
            raise BlobSizeError(f"a blob cannot have the shape {new}: at most {_MOST_VALUES} values, no negative size")
        if len(new) > _MOST_AXES:
            raise BlobSizeError(f"a blob cannot have {len(new)} axes, {_MOST_AXES} at most")
        if count < self.count:
            self._data, self._diff = self._data.first(count), self._diff.first(count)
        elif count > self.count:
            self._data, self._diff = Storage(), Storage()
        self._shape = new

    # ---- for layers and solvers: tensors on the current device ----

    def tensor(self) -> torch.Tensor:
        """The data, to read or to change in place; any memory order."""
        return self._data.tensor(self._shape)

    def diff_tensor(self) -> torch.Tensor:
        return self._diff.tensor(self._shape)

    def set(self, value: torch.Tensor) -> None:
        """Make a result the data; the tensor belongs to the blob from now on."""
        self._data.set(value)

    def set_diff(self, value: torch.Tensor) -> None:
        self._diff.set(value)

    def lend_diff(self, value: torch.Tensor) -> None:
        """Show a tensor that stays someone else's as the diff."""
        self._diff.lend(value)

    def add_diff(self, value: torch.Tensor) -> None:
        self._diff.add(value)

    def zero_diff(self) -> None:
        self._diff.zero()

    @property
    def diff_is_zero(self) -> bool:
        """Whether the diff is known to be zeros."""
        return self._diff.is_zero

    @property
    def data_is_zero(self) -> bool:
        return self._data.is_zero

    def share_data(self, other: Blob) -> None:
        """Let both blobs have one data, `other`'s; counts must be equal, shapes need not."""
        self._data = other._data

    def share_diff(self, other: Blob) -> None:
        self._diff = other._diff


class BlobVec(list[Blob]):
    """pycaffe's list of blobs, a layer's weights."""

    def add_blob(self, *shape: int) -> None:
        """Append a new blob of this shape, zeros."""
        self.append(Blob(shape))
