"""Rows of HDF5 files, batch after batch. Source: src/caffe/layers/hdf5_data_layer.cpp and util/hdf5.cpp."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import DataError
from recaffe.data.files import read_bytes
from recaffe.data.prefetch import State, check_batch_size
from recaffe.data.shuffle import libc_random

_MOST_VALUES = 2**31 - 1  # of a blob, as Blob::Reshape checks
_MOST_DEFLATED = 1100  # chosen: zlib makes at most 1032 bytes of one; what says more has nothing behind it
_MOST_HOLLOW = 2**26  # chosen: bytes that a dataset may have without storing them, as one that was never written to


class Hdf5Rows:
    """The rows of the datasets `names` of each file that the list `source` names, file after file without end.

    Files are read whole, one at a time. With `shuffles` the order of the files changes at the start and after the last
    one, the order of the rows when a file is loaded and again when it was gone through to its end and loaded anew (or
    begun again, if it is the only one). The numbers for it come from `libc_random`, as in Caffe: no seed acts on it.
    `shapes`: of a batch of each dataset. Raises DataError, which names the file and the dataset: a list or file that
    is missing or unreadable; no such dataset; one that holds no numbers, no axis, no rows, or another shape than those
    before; datasets of unlike numbers of rows.
    """

    def __init__(self, source: str, names: Sequence[str], batch_size: int, shuffles: bool) -> None:
        self._source, self._names, self._batch_size, self._shuffles = source, names, batch_size, shuffles
        check_batch_size(batch_size, source)
        self._paths = _read_paths(source)
        self._row_shapes: list[tuple[int, ...]] = []
        self._files = np.arange(len(self._paths))
        if shuffles:
            self._files = libc_random.shuffled(self._files)
        self._file = self._row = 0
        self._load()
        self.shapes = [(batch_size, *shape) for shape in self._row_shapes]

    def next_batch(self) -> list[NDArray[np.float32]]:
        """A batch of each dataset, float32 (batch_size, ...), which the caller may keep."""
        batches = [np.empty(shape, dtype=np.float32) for shape in self.shapes]
        filled = 0
        while filled < self._batch_size:
            rows = self._rows[self._row : self._row + self._batch_size - filled]
            for batch, values in zip(batches, self._datasets, strict=True):
                batch[filled : filled + len(rows)] = values[rows]
            filled += len(rows)
            self._advance(len(rows))
        return batches

    def _advance(self, count: int) -> None:
        self._row += count
        if self._row < len(self._rows):
            return
        self._row = 0
        if len(self._paths) > 1:
            self._file += 1
            if self._file == len(self._paths):
                self._file = 0
                if self._shuffles:
                    self._files = libc_random.shuffled(self._files)
            self._load()
        if self._shuffles:
            self._rows = libc_random.shuffled(self._rows)

    def _load(self) -> None:
        """Load the file whose turn it is."""
        self._datasets = self._read(self._paths[self._files[self._file]])
        self._rows = np.arange(len(self._datasets[0]))
        if self._shuffles:
            self._rows = libc_random.shuffled(self._rows)

    def _read(self, path: str) -> list[NDArray[np.float32]]:
        try:
            with h5py.File(path, "r") as file:
                datasets = [_read_dataset(file, name, path) for name in self._names]
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} (listed in {self._source}): cannot be read as an HDF5 file: {error}") from None
        counts = [len(values) for values in datasets]
        if len(set(counts)) > 1:
            listed = ", ".join(f"{name!r} {count}" for name, count in zip(self._names, counts, strict=True))
            raise DataError(f"{path}: its datasets have unlike numbers of rows: {listed}")
        shapes = [values.shape[1:] for values in datasets]
        self._row_shapes = self._row_shapes or shapes
        for name, shape, expected in zip(self._names, shapes, self._row_shapes, strict=True):
            if shape != expected:
                raise DataError(f"{path}: rows of {name!r} have the shape {shape}, in the first file {expected}")
        return datasets

    def state(self) -> State:
        """{"files", "rows": the orders, int64 (N,); "file", "row": the next places in them; "random": uint32 (31,)}."""
        return {
            "files": self._files,
            "file": np.array(self._file),
            "rows": self._rows,
            "row": np.array(self._row),
            "random": libc_random.state(),
        }

    def set_state(self, state: State) -> None:
        """Go on from there. Raises DataError if the list has another length than then, or the file other rows."""
        files, file = np.array(state["files"], dtype=np.int64), int(state["file"])
        if not _is_order(files, len(self._paths)) or not 0 <= file < len(files):
            raise DataError(f"{self._source}: lists {len(self._paths)} files, but {len(files)} when the state was kept")
        rows, row = np.array(state["rows"], dtype=np.int64), int(state["row"])
        path = self._paths[files[file]]
        datasets = self._read(path)
        if not _is_order(rows, len(datasets[0])) or not 0 <= row < len(rows):
            raise DataError(f"{path}: has {len(datasets[0])} rows, but {len(rows)} when the state was kept")
        self._files, self._file, self._rows, self._row, self._datasets = files, file, rows, row, datasets
        libc_random.set_state(np.asarray(state["random"]))


def _read_paths(source: str) -> list[str]:
    """The paths in a list file, which blanks and line ends separate."""
    paths = os.fsdecode(read_bytes(source, "the list of HDF5 files")).split()
    if not paths:
        raise DataError(f"{source}: lists no HDF5 file, expected at least one path")
    return paths


def _read_dataset(file: h5py.File, name: str, path: str) -> NDArray[np.float32]:
    """The values of a dataset, float32. What it says of its size is checked before anything is allocated."""
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(f"{path}: has no dataset {name!r} (the top's name); it has {', '.join(file) or 'none'}")
    if dataset.dtype.kind not in "fiu" or dataset.dtype.subdtype is not None or dataset.shape is None:
        raise DataError(f"{path}: dataset {name!r} is of type {dataset.dtype}, expected integers or floats")
    if not dataset.shape or dataset.shape[0] < 1:
        raise DataError(f"{path}: dataset {name!r} has the shape {dataset.shape}, expected rows along the first axis")
    count = math.prod(dataset.shape)
    stored = dataset.id.get_storage_size()
    is_hollow = count * dataset.dtype.itemsize > max(_MOST_HOLLOW, _MOST_DEFLATED * stored)
    if count > _MOST_VALUES or (is_hollow and not dataset.is_virtual):
        raise DataError(
            f"{path}: dataset {name!r} says that it has the shape {dataset.shape}, of which {stored} bytes are stored; "
            f"a blob has at most {_MOST_VALUES} values"
        )
    return dataset.astype(np.float32)[()]


def _is_order(order: NDArray[np.int64], count: int) -> bool:
    return np.array_equal(np.sort(order), np.arange(count))
