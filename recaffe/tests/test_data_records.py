"""The values of a Datum, and what is refused before anything is allocated."""

from __future__ import annotations

import sys
import tracemalloc

import cv2
import numpy as np
import pytest
from recaffe.data.errors import DataError, RecordError
from recaffe.data.records import read_datum, values_of
from recaffe.proto import caffe_pb2

PIXELS = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def _datum(**change: object) -> caffe_pb2.Datum:
    return caffe_pb2.Datum(**{"channels": 2, "height": 4, "width": 5, "data": PIXELS.tobytes(), **change})


def test_pixels_and_floats_come_in_their_shape():
    assert np.array_equal(values_of(_datum()), PIXELS) and values_of(_datum()).dtype == np.uint8
    floats = values_of(_datum(data=b"", float_data=PIXELS.ravel() / 3))
    assert np.array_equal(floats, (PIXELS / 3).astype(np.float32)) and floats.dtype == np.float32


@pytest.mark.parametrize(("flags", "channels"), [((False, False), 4), ((True, False), 3), ((False, True), 1)])
def test_encoded_images_are_decoded_as_they_are_or_as_forced(flags: tuple[bool, bool], channels: int):
    image = np.random.RandomState(0).randint(0, 256, (6, 7, 4), dtype=np.uint8)
    datum = caffe_pb2.Datum(data=cv2.imencode(".png", image)[1].tobytes(), encoded=True)
    values = values_of(datum, *flags)
    assert values.shape == (channels, 6, 7)
    if channels > 1:
        assert np.array_equal(values.transpose(1, 2, 0), image[:, :, :channels])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"height": 0}, r"has the shape \(2, 0, 5\)"),
        ({"channels": -2}, r"has the shape \(-2, 4, 5\)"),
        ({"data": b"123"}, r"of shape \(2, 4, 5\) has 3 values, expected 40"),
        ({"data": b"", "float_data": [1.0]}, r"of shape \(2, 4, 5\) has 1 values, expected 40"),
        ({"channels": 10**9}, r"of shape \(1000000000, 4, 5\) has 40 values, expected 20000000000"),
        ({"encoded": True}, "of 40 bytes is no image that OpenCV can read"),
        ({"encoded": True, "data": b""}, "is empty, expected the bytes of an image"),
    ],
)
def test_a_record_that_lies_about_itself_is_refused(change: dict, problem: str):
    tracemalloc.start()
    with pytest.raises(RecordError, match=problem):
        values_of(_datum(**change))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_an_image_of_more_bits_is_refused():
    png = cv2.imencode(".png", np.zeros((3, 3, 3), dtype=np.uint16))[1].tobytes()
    with pytest.raises(RecordError, match="has 16 bits a channel, expected 8"):
        values_of(caffe_pb2.Datum(data=png, encoded=True))


def test_both_force_color_and_force_gray_are_refused():
    with pytest.raises(RecordError, match="asks for both force_color and force_gray"):
        values_of(_datum(encoded=True), force_color=True, force_gray=True)


def test_bytes_that_are_no_datum_are_refused():
    with pytest.raises(RecordError, match="is not a Datum"):
        read_datum(b"no datum")


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"needs OpenCV: pip install opencv-python-headless"):
        values_of(_datum(encoded=True))
