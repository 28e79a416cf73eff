"""Cursors over databases of either kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lmdb
import pytest
from recaffe.data.cursor import open_cursor
from recaffe.data.errors import DatabaseError
from recaffe.proto import caffe_pb2

LMDB, LEVELDB = caffe_pb2.DataParameter.LMDB, caffe_pb2.DataParameter.LEVELDB
BACKENDS = pytest.mark.parametrize("backend", [LMDB, LEVELDB], ids=["LMDB", "LEVELDB"])


def _plyvel() -> Any:
    return pytest.importorskip("plyvel", reason="reading a LevelDB needs plyvel")


def _database(path: Path, records: dict[bytes, bytes], backend: int = LMDB) -> Path:
    if backend == LEVELDB:
        database = _plyvel().DB(str(path), create_if_missing=True)
        for key, value in records.items():
            database.put(key, value)
        database.close()
        return path
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for key, value in records.items():
            transaction.put(key, value)
    return path


@BACKENDS
def test_records_come_in_key_order_and_wrap(tmp_path: Path, backend: int):
    cursor = open_cursor(_database(tmp_path / "db", {b"b": b"2", b"a": b"1", b"c": b"3"}, backend), backend)
    seen = []
    for _ in range(5):
        seen.append((cursor.key, cursor.value, cursor.next()))
    assert seen == [
        (b"a", b"1", True), (b"b", b"2", True), (b"c", b"3", False), (b"a", b"1", True), (b"b", b"2", True)
    ]  # fmt: skip


@BACKENDS
def test_seek_goes_to_a_key_or_stays(tmp_path: Path, backend: int):
    cursor = open_cursor(_database(tmp_path / "db", {b"a": b"1", b"b": b"2", b"y": b"3"}, backend), backend)
    cursor.seek(b"b")
    for missing in (b"x", b"z", b""):
        with pytest.raises(DatabaseError, match=f"has no record {missing!r}; is it another database"):
            cursor.seek(missing)
    assert cursor.key == b"b"


@BACKENDS
def test_cursors_of_one_database_are_independent(tmp_path: Path, backend: int):
    path = _database(tmp_path / "db", {b"a": b"1", b"b": b"2"}, backend)
    first, second = open_cursor(path, backend), open_cursor(path, backend)
    first.next()
    assert (first.key, second.key) == (b"b", b"a")
    first.close()
    assert second.value == b"1"


def test_a_rebuilt_database_is_read_anew(tmp_path: Path):
    open_cursor(_database(tmp_path / "db", {b"a": b"1"}), LMDB).close()
    (tmp_path / "db").rename(tmp_path / "old")
    assert open_cursor(_database(tmp_path / "db", {b"z": b"9"}), LMDB).key == b"z"


def test_a_leveldb_is_given_back_with_its_last_cursor(tmp_path: Path):
    path = _database(tmp_path / "db", {b"a": b"1"}, LEVELDB)
    plyvel = _plyvel()
    cursor = open_cursor(path, LEVELDB)
    with pytest.raises(plyvel.IOError):
        plyvel.DB(str(path))
    cursor.close()
    del cursor
    plyvel.DB(str(path)).close()


@BACKENDS
def test_what_is_no_database_is_refused_by_name(tmp_path: Path, backend: int):
    _plyvel()
    with pytest.raises(DatabaseError, match="none: no such database"):
        open_cursor(tmp_path / "none", backend)
    with pytest.raises(DatabaseError, match=r"is no L\w+, a folder with \S+ was expected"):
        open_cursor(tmp_path, backend)
    with pytest.raises(DatabaseError, match="empty: the database is empty"):
        open_cursor(_database(tmp_path / "empty", {}, backend), backend)
    other = _database(tmp_path / "other", {b"a": b"1"}, LMDB + LEVELDB - backend)
    with pytest.raises(DatabaseError, match=r"is no L\w+, it looks like an? L\w+: say `backend: L"):
        open_cursor(other, backend)
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    (tmp_path / "CURRENT").write_bytes(b"not a database" * 1000)
    with pytest.raises(DatabaseError, match=r"cannot be opened as an? L"):
        open_cursor(tmp_path, backend)


def test_without_plyvel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "plyvel", None)
    with pytest.raises(DatabaseError, match=r"needs plyvel: pip install plyvel"):
        open_cursor(tmp_path, LEVELDB)
