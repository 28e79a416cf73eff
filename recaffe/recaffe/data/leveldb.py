"""Databases in LevelDB, through plyvel. Read only: recaffe writes LMDB.

LevelDB itself knows no reading without writing: opening takes the database's lock, for this process alone, and renews
its log. Source: src/caffe/util/db_leveldb.cpp.
"""

from __future__ import annotations

import importlib
import weakref
from pathlib import Path
from typing import Any

from recaffe.data.errors import DatabaseError


class _Opened:
    """An open database. plyvel's own class knows no weak references."""

    def __init__(self, database: Any) -> None:
        self.database = database


_opened: weakref.WeakValueDictionary[str, _Opened] = weakref.WeakValueDictionary()  # cursors share what is open


class LevelCursor:
    """A place in a LevelDB; see `cursor.Cursor`.

    Raises DatabaseError if `source` is no LevelDB, has no records, is locked, or plyvel is not installed.
    """

    def __init__(self, source: Path | str) -> None:
        self.source = str(source)
        self._opened = _open(Path(source))
        self._iterator = self._opened.database.raw_iterator()
        self._iterator.seek_to_first()
        if not self._iterator.valid():
            raise DatabaseError(f"{source}: the database is empty")

    @property
    def key(self) -> bytes:
        return self._iterator.key()

    @property
    def value(self) -> bytes:
        return self._iterator.value()

    def next(self) -> bool:
        self._iterator.next()
        if self._iterator.valid():
            return True
        self._iterator.seek_to_first()
        return False

    def seek(self, key: bytes) -> None:
        here = self.key
        self._iterator.seek(key)
        if not self._iterator.valid() or self.key != key:
            self._iterator.seek(here)
            raise DatabaseError(f"{self.source}: has no record {key!r}; is it another database than before?")

    def close(self) -> None:
        self._iterator.close()


def _open(source: Path) -> _Opened:
    try:
        plyvel = importlib.import_module("plyvel")
    except ImportError:
        raise DatabaseError(
            f"{source}: reading a LevelDB needs plyvel: pip install plyvel; or make an LMDB of it and say "
            "`backend: LMDB`"
        ) from None
    if not source.exists():
        raise DatabaseError(f"{source}: no such database; build it, or correct data_param.source")
    if not (source / "CURRENT").is_file():
        hint = "it looks like an LMDB: say `backend: LMDB`" if (source / "data.mdb").is_file() else ""
        raise DatabaseError(f"{source}: is no LevelDB, {hint or 'a folder with CURRENT was expected'}")
    name = str(source.resolve())
    opened = _opened.get(name)
    if opened is None:
        try:
            opened = _Opened(plyvel.DB(str(source), create_if_missing=False))
        except (plyvel.Error, OSError) as error:
            raise DatabaseError(f"{source}: cannot be opened as a LevelDB: {error}") from None
        _opened[name] = opened
    return opened
