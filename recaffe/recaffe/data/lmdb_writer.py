"""A new LMDB, written whole or not at all (what src/caffe/util/db_lmdb.cpp writes with mode NEW)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
from recaffe.data.errors import DatabaseError

_FIRST_MAP_BYTES = 2**24  # chosen: small; the map doubles when it is full
_BATCH_BYTES = 2**23  # chosen: large enough for few transactions, small enough to be held in memory twice
_BATCH_RECORDS = 1000  # as in Caffe's tools


class LmdbWriter:
    """Takes records for one environment and commits them in batches."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment
        self._batch: list[tuple[bytes, bytes]] = []
        self._bytes = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; of two with the same key the later one stays."""
        self._batch.append((key, value))
        self._bytes += len(key) + len(value)
        if self._bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_RECORDS:
            self.commit()

    def commit(self) -> None:
        """Write what was put, in a map that is doubled until it fits."""
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in self._batch:
                        transaction.put(key, value)
                break
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        self._batch, self._bytes = [], 0


@contextmanager
def new_lmdb(path: Path | str) -> Iterator[LmdbWriter]:
    """Make the database `path`, which must not exist: it is written beside, synced, and renamed at the end of the
    `with`; on any error nothing stays. Raises DatabaseError.
    """
    target = Path(path)
    if target.exists():
        raise DatabaseError(f"{target}: is there already; remove it, or name another database")
    if not target.absolute().parent.is_dir():
        raise DatabaseError(f"{target}: there is no folder {target.absolute().parent} to make it in")
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        with lmdb.open(str(partial), map_size=_FIRST_MAP_BYTES, sync=False) as environment:
            writer = LmdbWriter(environment)
            yield writer
            writer.commit()
            environment.sync(True)
        partial.rename(target)
    except lmdb.Error as error:
        raise DatabaseError(f"{target}: cannot be written: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
