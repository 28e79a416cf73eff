"""Many items through a net of a fixed batch size (python/caffe/pycaffe.py, forward_all and _Net_batch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from recaffe.errors import NetError

Rows = dict[str, list[np.ndarray]]


def batches(arrays: Mapping[str, Any], size: int) -> Iterator[dict[str, np.ndarray]]:
    """The arrays, of equal length, cut into batches of `size` items; the last one is filled up with zeros."""
    whole = {name: np.asarray(array) for name, array in arrays.items()}
    lengths = {name: len(array) for name, array in whole.items()}
    if not lengths or len(set(lengths.values())) != 1:
        raise NetError(f"an array of equally many items is needed for each blob, found {lengths or 'none'}")
    for start in range(0, next(iter(lengths.values())), size):
        batch = {name: array[start : start + size] for name, array in whole.items()}
        yield {
            name: np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]))]) if len(part) < size else part
            for name, part in batch.items()
        }


def append(rows: Rows, batch: Mapping[str, np.ndarray]) -> None:
    """Add a batch's items, as copies. Raises NetError for a blob without a batch axis."""
    for name, array in batch.items():
        if not array.ndim:
            raise NetError(f"blob {name!r} is one number for the whole batch; take it from forward and backward")
        rows[name].extend(array.copy())


def surplus(rows: Rows, arrays: Mapping[str, Any]) -> int:
    """How many of the collected items were made of filling."""
    return len(next(iter(rows.values()))) - len(next(iter(arrays.values()))) if arrays else 0


def joined(rows: Rows, surplus: int) -> dict[str, np.ndarray]:
    """One array for each blob, without the last `surplus` items."""
    return {name: np.asarray(items)[: len(items) - surplus] for name, items in rows.items()}
