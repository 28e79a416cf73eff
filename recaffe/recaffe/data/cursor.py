"""The sequential reader of an LMDB: records in key order, starting again after the last one.

Source: src/caffe/util/db_lmdb.cpp and DataLayer::Next.
"""

from __future__ import annotations

import weakref
from pathlib import Path

import lmdb
from recaffe.errors import CaffeError


class DatabaseError(CaffeError):
    """A database that is missing, empty or unreadable, or a record in it that does not fit."""


# A process may open a database only once: cursors share what is open, by the file's device and inode.
_opened: weakref.WeakValueDictionary[tuple[int, int], lmdb.Environment] = weakref.WeakValueDictionary()


class Cursor:
    """A place in a database, shared with no other cursor. Begins at the first record. Use it in one thread at a time.

    Raises DatabaseError if `source` is no LMDB folder, or one without records.
    """

    def __init__(self, source: Path | str) -> None:
        self.source = str(source)
        self._environment = _open(Path(source))
        self._transaction = self._environment.begin()
        self._cursor = self._transaction.cursor()
        if not self._cursor.first():
            raise DatabaseError(f"{source}: the database is empty")

    def __len__(self) -> int:
        """How many records the database has."""
        return self._transaction.stat()["entries"]

    @property
    def key(self) -> bytes:
        """The key of the record at this place."""
        return self._cursor.key()

    @property
    def value(self) -> bytes:
        """The record at this place."""
        return self._cursor.value()

    def next(self) -> None:
        """Go to the record with the next key, from the last one to the first."""
        if not self._cursor.next():
            self._cursor.first()

    def seek(self, key: bytes) -> None:
        """Go to the record with this key. Raises DatabaseError if there is none; the place is then unchanged."""
        here = self.key
        if not self._cursor.set_key(key):
            self._cursor.set_key(here)
            raise DatabaseError(f"{self.source}: has no record {key!r}; is it another database than before?")

    def close(self) -> None:
        """Give the database back. The cursor is of no use afterwards."""
        self._cursor.close()
        self._transaction.abort()


def _open(source: Path) -> lmdb.Environment:
    if not source.exists():
        raise DatabaseError(f"{source}: no such database; build it, or correct data_param.source")
    if not (source / "data.mdb").is_file():
        raise DatabaseError(f"{source}: is no LMDB, a folder with data.mdb was expected")
    file = (source / "data.mdb").stat()
    environment = _opened.get((file.st_dev, file.st_ino))
    if environment is None:
        try:
            environment = lmdb.open(str(source), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            raise DatabaseError(f"{source}: cannot be opened as an LMDB: {error}") from None
        _opened[file.st_dev, file.st_ino] = environment
    return environment
