"""The LMDB writer: Caffe's Datum and keys, growing, verified, whole or absent."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep import lmdb_builder
from data_prep.lmdb_builder import LmdbSummary, datum_key, encode_datum, summarise_lmdb, write_lmdb
from layerwise.errors import DataError


def patches(n: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def records(pixels: np.ndarray) -> list[tuple[str, bytes]]:
    return [(datum_key(k, f"v/{k}"), encode_datum(patch, k % 2)) for k, patch in enumerate(pixels)]


def read(path: Path) -> list[tuple[str, bytes]]:
    with lmdb.open(str(path), readonly=True) as environment, environment.begin() as txn:
        return [(key.decode(), value) for key, value in txn.cursor()]


def test_datum_is_uint8_channels_first_blue_first() -> None:
    patch = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    datum = caffe_pb2.Datum.FromString(encode_datum(patch, 1))
    assert (datum.channels, datum.height, datum.width, datum.label) == (3, 2, 3, 1)
    pixels = np.frombuffer(datum.data, np.uint8).reshape(3, 2, 3)
    np.testing.assert_array_equal(pixels[0], patch[:, :, 2])
    np.testing.assert_array_equal(pixels[2], patch[:, :, 0])
    assert not datum.encoded
    assert not datum.float_data


def test_keys_are_zero_padded_so_key_order_is_writing_order() -> None:
    keys = [datum_key(index, "x") for index in (2, 10, 99_999_999)]
    assert keys == ["00000002_x", "00000010_x", "99999999_x"]
    assert keys == sorted(keys)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    wanted = records(patches(5))
    summary = write_lmdb(tmp_path / "db", wanted)
    assert read(tmp_path / "db") == wanted
    assert summary == summarise_lmdb(tmp_path / "db")
    assert summary.count == 5


def test_map_grows_from_less_than_one_record(tmp_path: Path) -> None:
    wanted = records(patches(20, size=64))
    write_lmdb(tmp_path / "db", wanted, first_map_bytes=1 << 16)
    assert read(tmp_path / "db") == wanted


def test_hash_is_of_keys_and_values_not_of_the_file(tmp_path: Path) -> None:
    wanted = records(patches(20, size=64))
    first = write_lmdb(tmp_path / "a", wanted)
    assert write_lmdb(tmp_path / "b", wanted, first_map_bytes=1 << 16) == first
    renamed = [(wanted[0][0] + "x", wanted[0][1]), *wanted[1:]]
    changed = [*wanted[:-1], (wanted[-1][0], encode_datum(patches(1, size=64)[0], 0))]
    others = {write_lmdb(tmp_path / "c", renamed).sha256, write_lmdb(tmp_path / "d", changed).sha256}
    assert len(others | {first.sha256}) == 3


def test_falling_keys_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    wanted = records(patches(3))
    with pytest.raises(DataError, match="keys must rise"):
        write_lmdb(tmp_path / "db", [wanted[1], wanted[0]])
    assert list(tmp_path.iterdir()) == []


def failing(error: BaseException) -> Iterator[tuple[str, bytes]]:
    yield from records(patches(3))
    raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        lmdb.DiskError("mdb_put: No space left on device"),
        lmdb.Error("mdb_txn_commit: Input/output error"),  # what a full tmpfs gave: a write that was cut short
    ],
)
def test_disk_full_is_a_data_error_and_nothing_is_left(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(DataError, match=r"db: the disk is full \(\d+ MiB are free"):
        write_lmdb(tmp_path / "db", failing(error))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), PermissionError(errno.EACCES, "no"), lmdb.BadTxnError("x")])
def test_other_ends_keep_their_name_and_leave_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_lmdb(tmp_path / "db", failing(error))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rebuild_leaves_the_old_database(tmp_path: Path) -> None:
    wanted = records(patches(4))
    write_lmdb(tmp_path / "db", wanted)
    with pytest.raises(KeyboardInterrupt):
        write_lmdb(tmp_path / "db", failing(KeyboardInterrupt()))
    assert read(tmp_path / "db") == wanted


def test_a_disk_that_loses_bytes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_builder, "summarise_lmdb", lambda path: LmdbSummary(3, "0" * 64))
    with pytest.raises(DataError, match="read back"):
        write_lmdb(tmp_path / "db", records(patches(3)))
    assert list(tmp_path.iterdir()) == []


READ_WITH_CAFFE = """
import sys, numpy as np, caffe
caffe.set_mode_cpu()
net = caffe.Net(sys.argv[1], caffe.TEST)
seen = []
for _ in range(int(sys.argv[3])):
    net.forward()
    seen.append(np.concatenate([net.blobs["data"].data.ravel(), net.blobs["label"].data.ravel()]))
np.save(sys.argv[2], np.stack(seen))
"""


@pytest.mark.caffe
def test_real_caffe_reads_the_same_pixels_in_the_same_order(tmp_path: Path, real_caffe: Callable[..., bytes]) -> None:
    pixels = patches(7)
    write_lmdb(tmp_path / "db", records(pixels))
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{tmp_path}/db" batch_size: 1 backend: LMDB }} }}\n'
    )
    real_caffe(READ_WITH_CAFFE, tmp_path / "net.prototxt", tmp_path / "seen.npy", len(pixels))
    seen = np.load(tmp_path / "seen.npy")
    expected = pixels[..., ::-1].transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    np.testing.assert_array_equal(seen[:, :-1], expected)
    assert seen[:, -1].tolist() == [k % 2 for k in range(len(pixels))]
