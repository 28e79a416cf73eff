"""The cursor over an LMDB."""

from __future__ import annotations

from pathlib import Path

import lmdb
import pytest
from recaffe.data.cursor import Cursor, DatabaseError


def _database(path: Path, records: dict[bytes, bytes]) -> Path:
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for key, value in records.items():
            transaction.put(key, value)
    return path


def test_records_come_in_key_order_and_wrap(tmp_path: Path):
    cursor = Cursor(_database(tmp_path / "db", {b"b": b"2", b"a": b"1", b"c": b"3"}))
    seen = []
    for _ in range(5):
        seen.append((cursor.key, cursor.value))
        cursor.next()
    assert seen == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"a", b"1"), (b"b", b"2")]
    assert len(cursor) == 3


def test_seek_goes_to_a_key_or_stays(tmp_path: Path):
    cursor = Cursor(_database(tmp_path / "db", {b"a": b"1", b"b": b"2"}))
    cursor.seek(b"b")
    with pytest.raises(DatabaseError, match="has no record b'x'; is it another database"):
        cursor.seek(b"x")
    assert cursor.key == b"b"


def test_cursors_of_one_database_are_independent(tmp_path: Path):
    path = _database(tmp_path / "db", {b"a": b"1", b"b": b"2"})
    first, second = Cursor(path), Cursor(path)
    first.next()
    assert (first.key, second.key) == (b"b", b"a")
    first.close()
    assert second.value == b"1"


def test_a_rebuilt_database_is_read_anew(tmp_path: Path):
    Cursor(_database(tmp_path / "db", {b"a": b"1"})).close()
    (tmp_path / "db").rename(tmp_path / "old")
    assert Cursor(_database(tmp_path / "db", {b"z": b"9"})).key == b"z"


def test_what_is_no_database_is_refused_by_name(tmp_path: Path):
    with pytest.raises(DatabaseError, match="none: no such database"):
        Cursor(tmp_path / "none")
    with pytest.raises(DatabaseError, match=r"is no LMDB, a folder with data\.mdb was expected"):
        Cursor(tmp_path)
    with pytest.raises(DatabaseError, match="empty: the database is empty"):
        Cursor(_database(tmp_path / "empty", {}))
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseError, match="cannot be opened as an LMDB"):
        Cursor(tmp_path)
