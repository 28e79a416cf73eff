"""The sequential reader of a database: records in key order, starting again after the last one.

Source: src/caffe/util/db_lmdb.cpp, db_leveldb.cpp and DataLayer::Next.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Protocol

import lmdb
from recaffe.data.errors import DatabaseError
from recaffe.proto import caffe_pb2

# A process may open a database only once: cursors share what is open, by the file's device and inode.
_opened: weakref.WeakValueDictionary[tuple[int, int], lmdb.Environment] = weakref.WeakValueDictionary()


class Cursor(Protocol):
    """A place in a database, shared with no other cursor. Begins at the first record. Use it in one thread at a time.

    `next` goes to the record with the next key; from the last one it goes to the first and returns False. `seek` goes
    to the record with that key; DatabaseError if there is none, and the place is then unchanged.
    """

    source: str

    @property
    def key(self) -> bytes: ...

    @property
    def value(self) -> bytes: ...

    def next(self) -> bool: ...

    def seek(self, key: bytes) -> None: ...

    def close(self) -> None: ...


def open_cursor(source: Path | str, backend: int) -> Cursor:
    """A cursor at the first record of a database; backend: DataParameter.LMDB or LEVELDB.

    Raises DatabaseError if `source` is no such database, or one without records.
    """
    if backend == caffe_pb2.DataParameter.LEVELDB:
        from recaffe.data.leveldb import LevelCursor

        return LevelCursor(source)
    return LmdbCursor(source)


class LmdbCursor:
    """A place in an LMDB; see `Cursor`."""

    def __init__(self, source: Path | str) -> None:
        self.source = str(source)
        self._environment = _open(Path(source))
        try:
            self._transaction = self._environment.begin()
            self._cursor = self._transaction.cursor()
            has_records = self._cursor.first()
        except lmdb.Error as error:
            raise DatabaseError(f"{source}: cannot be read as an LMDB: {error}") from None
        if not has_records:
            raise DatabaseError(f"{source}: the database is empty")

    @property
    def key(self) -> bytes:
        return self._cursor.key()

    @property
    def value(self) -> bytes:
        return self._cursor.value()

    def next(self) -> bool:
        try:
            return self._cursor.next() or not self._cursor.first()
        except lmdb.Error as error:
            raise DatabaseError(f"{self.source}: cannot be read any further: {error}") from None

    def seek(self, key: bytes) -> None:
        here = self.key
        if not key or not self._cursor.set_key(key):
            self._cursor.set_key(here)
            raise DatabaseError(f"{self.source}: has no record {key!r}; is it another database than before?")

    def close(self) -> None:
        self._cursor.close()
        self._transaction.abort()


def _open(source: Path) -> lmdb.Environment:
    if not source.exists():
        raise DatabaseError(f"{source}: no such database; build it, or correct data_param.source")
    if not (source / "data.mdb").is_file():
        hint = "it looks like a LevelDB: say `backend: LEVELDB`" if (source / "CURRENT").is_file() else ""
        raise DatabaseError(f"{source}: is no LMDB, {hint or 'a folder with data.mdb was expected'}")
    file = (source / "data.mdb").stat()
    environment = _opened.get((file.st_dev, file.st_ino))
    if environment is None:
        try:
            environment = lmdb.open(str(source), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            raise DatabaseError(f"{source}: cannot be opened as an LMDB: {error}") from None
        _opened[file.st_dev, file.st_ino] = environment
    return environment
