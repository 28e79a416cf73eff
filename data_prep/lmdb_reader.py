"""Reads an LMDB of Datum back, in key order, as Caffe's Data layer does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

from layerwise.errors import DataError
from layerwise.files import atomic_path


def read_datums(lmdb_path: Path | str) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield (key, label, patch_bgr) with patch_bgr (channels, H, W) uint8, in key order."""
    path = Path(lmdb_path)
    if not (path / "data.mdb").is_file():
        raise DataError(
            f"{path} is not an LMDB: it has no data.mdb. Build the databases with `python -m data_prep.<application>`."
        )
    with lmdb.open(str(path), readonly=True, lock=False, readahead=True) as environment, environment.begin() as txn:
        for key, value in txn.cursor():
            datum = caffe_pb2.Datum.FromString(value)
            shape = (datum.channels, datum.height, datum.width)
            if len(datum.data) != int(np.prod(shape)):
                raise DataError(
                    f"{path}, key {key.decode()}: {len(datum.data)} bytes of pixels, expected "
                    f"{shape[0]} x {shape[1]} x {shape[2]} uint8. The database is damaged, or not of uint8 "
                    "patches: build it again."
                )
            yield key.decode(), datum.label, np.frombuffer(datum.data, np.uint8).reshape(shape)


def count_datums(lmdb_path: Path | str) -> int:
    with lmdb.open(str(lmdb_path), readonly=True, lock=False) as environment:
        return environment.stat()["entries"]


def export_patches(lmdb_path: Path | str, npy_path: Path | str) -> tuple[list[str], np.ndarray]:
    """Write all patches as one (N, C, H, W) uint8 .npy, which any numpy maps into memory; return keys and labels (N,).

    Memory stays constant: real Caffe's Python, which may have no lmdb, scores from this file.
    """
    keys: list[str] = []
    labels: list[int] = []
    n = count_datums(lmdb_path)
    if n == 0:
        raise DataError(f"{lmdb_path} is empty: there is nothing to score")
    with atomic_path(npy_path) as partial:
        out: np.ndarray | None = None
        for index, (key, label, patch) in enumerate(read_datums(lmdb_path)):
            if out is None:
                out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(n, *patch.shape))
            if patch.shape != out.shape[1:]:
                raise DataError(f"{lmdb_path}, key {key}: a patch of {patch.shape}, the first one has {out.shape[1:]}")
            out[index] = patch
            keys.append(key)
            labels.append(label)
        assert out is not None
        out.flush()
    return keys, np.asarray(labels, np.int64)
