"""Datum: the values of one record. Source: src/caffe/data_transformer.cpp (Transform of a Datum)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from recaffe.data import images
from recaffe.data.errors import RecordError
from recaffe.proto import caffe_pb2


def read_datum(data: bytes) -> Any:
    """The Datum in a record. Raises RecordError for bytes that are none."""
    try:
        return caffe_pb2.Datum.FromString(data)
    except DecodeError:
        raise RecordError("is not a Datum") from None


def values_of(datum: Any, force_color: bool = False, force_gray: bool = False) -> NDArray[Any]:
    """The values of a Datum, (C, H, W): uint8 (pixels, or an encoded image decoded) or float32 (float_data).

    The two flags act on encoded images, which are else taken as the file has them (with alpha, gray or colored).
    Raises RecordError if there are not as many values as the shape says, or for what is no image. Nothing is allocated
    by what a record merely says.
    """
    if datum.encoded:
        if force_color and force_gray:
            raise RecordError("is encoded, and transform_param asks for both force_color and force_gray; keep one")
        flag = images.COLOR if force_color else images.GRAY if force_gray else images.UNCHANGED
        return images.decode(datum.data, flag).transpose(2, 0, 1)
    shape = (datum.channels, datum.height, datum.width)
    if min(shape) < 1:
        raise RecordError(f"has the shape {shape}")
    count = len(datum.data) or len(datum.float_data)
    if count != math.prod(shape):
        raise RecordError(f"of shape {shape} has {count} values, expected {math.prod(shape)}")
    if datum.data:
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape)
    return np.array(datum.float_data, dtype=np.float32).reshape(shape)
