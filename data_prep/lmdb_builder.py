"""Writes an LMDB of Datum as Caffe's convert_imageset does: whole or not at all, of any size, verified.

Facts of the format: BVLC/caffe tools/convert_imageset.cpp (main) and src/caffe/util/db_lmdb.cpp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.errors import DataError

KEY_DIGITS = 8
# chosen: a transaction of this many bytes keeps memory small and commits rare.
_BATCH_BYTES = 32 << 20
_FIRST_MAP_BYTES = 64 << 20


@dataclass(frozen=True)
class LmdbSummary:
    """count: records. sha256: of every key and value with their lengths, in key order; not of the file's pages."""

    count: int
    sha256: str


def datum_key(index: int, text: str) -> str:
    """Caffe's key: the running index in eight digits, so that key order is writing order, then what it is."""
    return f"{index:0{KEY_DIGITS}d}_{text}"


def encode_datum(patch_rgb: np.ndarray, label: int) -> bytes:
    """A serialised Datum of one (H, W, 3) uint8 RGB patch: channels first, blue first, not encoded."""
    height, width, _ = patch_rgb.shape
    return datum_of_pixels(datum_pixels(patch_rgb), height, width, label)


def datum_pixels(patch_rgb: np.ndarray) -> bytes:
    """The bytes of an (H, W, 3) uint8 RGB patch as a Datum holds them: (3, H, W), blue first."""
    return np.ascontiguousarray(patch_rgb[:, :, ::-1].transpose(2, 0, 1), np.uint8).tobytes()


def datum_of_pixels(pixels: bytes, height: int, width: int, label: int) -> bytes:
    """A serialised Datum around `datum_pixels`, byte for byte Caffe's (io.cpp, CVMatToDatum): it writes the default."""
    datum = caffe_pb2.Datum(channels=3, height=height, width=width, data=pixels, label=label, encoded=False)
    return datum.SerializeToString()


def write_lmdb(
    path: Path | str, records: Iterable[tuple[str, bytes]], first_map_bytes: int = _FIRST_MAP_BYTES
) -> LmdbSummary:
    """Write (key, serialised Datum) pairs, keys rising, to a new LMDB at `path`; read it back and compare.

    The map grows as needed from first_map_bytes. The database appears under its name complete and verified; on any
    error nothing is left. Raises DataError if the disk is full, a key does not rise, or what is read back differs.
    """
    target = Path(path)
    with whole_folder(target) as folder:
        with disk_full_is_data_error(target):
            written = _write(folder, records, first_map_bytes)
        if (found := summarise_lmdb(folder)) != written:
            raise DataError(f"{target}: wrote {written}, read back {found}. The disk does not keep what it is given.")
    return written


def summarise_lmdb(path: Path | str) -> LmdbSummary:
    """Count and content hash of an LMDB, in key order."""
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin(buffers=True) as txn:
        return _summary(txn.cursor())


def _write(folder: Path, records: Iterable[tuple[str, bytes]], first_map_bytes: int) -> LmdbSummary:
    digest = hashlib.sha256()
    count = 0
    with lmdb.open(str(folder), map_size=first_map_bytes, sync=False, writemap=False) as environment:
        for batch in _batches(records):
            _commit(environment, batch)
            for key, value in batch:
                _update(digest, key, value)
            count += len(batch)
        environment.sync(True)
    return LmdbSummary(count, digest.hexdigest())


def _batches(records: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    batch: list[tuple[bytes, bytes]] = []
    last = b""
    size = 0
    for text, value in records:
        key = text.encode("ascii")
        if key <= last:
            raise DataError(f"key {text} comes after {last.decode()}: keys must rise, Caffe reads in key order")
        last = key
        batch.append((key, value))
        size += len(value)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _commit(environment: lmdb.Environment, batch: list[tuple[bytes, bytes]]) -> None:
    """One transaction, tried again with a larger map as long as it does not fit."""
    while True:
        try:
            with environment.begin(write=True) as txn:
                for key, value in batch:
                    txn.put(key, value, append=True)
            return
        except lmdb.MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])


def _summary(pairs: Iterable[tuple[memoryview, memoryview]]) -> LmdbSummary:
    digest = hashlib.sha256()
    count = 0
    for key, value in pairs:
        _update(digest, key, value)
        count += 1
    return LmdbSummary(count, digest.hexdigest())


def _update(digest: hashlib._Hash, key: bytes | memoryview, value: bytes | memoryview) -> None:
    digest.update(len(key).to_bytes(4, "big"))
    digest.update(key)
    digest.update(len(value).to_bytes(8, "big"))
    digest.update(value)
