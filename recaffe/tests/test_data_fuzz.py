"""Whatever the bytes, readers of data raise their documented errors and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recaffe.data.errors import DataError, RecordError
from recaffe.data.hdf5_rows import Hdf5Rows
from recaffe.data.image_list import read_image_list
from recaffe.data.records import read_datum, values_of
from recaffe.data.windows import read_windows
from recaffe.proto import caffe_pb2

WINDOWS = b"# 0\na.png\n3\n10\n20\n2\n5 0.5 1 2 3 4\n6 0.3 0 0 9 9\n# 1\nb.png\n3\n8\n8\n1\n2 1 0 0 7 7\n"
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def _png() -> bytes:
    return cv2.imencode(".png", np.arange(27, dtype=np.uint8).reshape(3, 3, 3))[1].tobytes()


def _hdf5() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as written:
        written.create_dataset("data", data=np.arange(12.0).reshape(4, 3), chunks=(2, 3), compression="gzip")
    return file.getvalue()


@st.composite
def _changed(draw: st.DrawFn, good: bytes) -> bytes:
    """The good bytes with some replaced, and perhaps cut off or longer."""
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, 2 * len(data)))]) + draw(st.binary(max_size=8))


@FUZZ
@given(st.one_of(_changed(WINDOWS), st.binary(max_size=60)))
def test_window_files(tmp_path: Path, data: bytes):
    (tmp_path / "windows").write_bytes(data)
    try:
        windows = read_windows(tmp_path / "windows", 0.5, 0.4)
    except DataError as error:
        assert str(error).startswith(f"{tmp_path}/windows:")
        return
    assert windows.foreground.shape[1] == windows.background.shape[1] == 6


@FUZZ
@given(st.one_of(_changed(b"a.jpg 3\nb c.png 4\n"), st.binary(max_size=40)))
def test_lists_of_images(tmp_path: Path, data: bytes):
    (tmp_path / "list").write_bytes(data)
    try:
        entries = read_image_list(tmp_path / "list")
    except DataError as error:
        assert str(error).startswith(f"{tmp_path}/list:")
        return
    assert entries and all(name and -(2**31) <= label < 2**31 for name, label in entries)


@FUZZ
@given(
    st.one_of(
        _changed(caffe_pb2.Datum(channels=3, height=2, width=2, data=b"x" * 12, label=1).SerializeToString()),
        _changed(caffe_pb2.Datum(channels=1, height=2, width=2, float_data=[1, 2, 3, 4]).SerializeToString()),
        _changed(caffe_pb2.Datum(encoded=True, data=_png()).SerializeToString()),
    )
)
def test_records(data: bytes):
    try:
        values = values_of(read_datum(data))
    except RecordError:
        return
    assert values.ndim == 3 and values.size and values.dtype in (np.uint8, np.float32)


@FUZZ
@given(_changed(_hdf5()))
def test_hdf5_files(tmp_path: Path, data: bytes):
    (tmp_path / "rows.h5").write_bytes(data)
    (tmp_path / "list").write_text(f"{tmp_path}/rows.h5")
    try:
        (batch,) = Hdf5Rows(str(tmp_path / "list"), ["data"], 3, False).next_batch()
    except DataError as error:
        assert str(error).startswith(f"{tmp_path}/rows.h5")
        return
    assert batch.shape[0] == 3


def test_a_line_of_blanks_is_read_at_once(tmp_path: Path):
    (tmp_path / "list").write_bytes(b"a" + b" " * 2**20 + b"x\n")
    with pytest.raises(DataError, match="list:1: "):
        read_image_list(tmp_path / "list")
