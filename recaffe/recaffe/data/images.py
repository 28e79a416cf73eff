"""Images as OpenCV reads, resizes and encodes them: uint8 (H, W, C), BGR. Source: src/caffe/util/io.cpp.

OpenCV 5.0 gives the pixels of the 4.5.1 that Debian's Caffe has: tests/test_data_images.py compares the two.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import DataError, RecordError
from recaffe.data.files import read_bytes

Image = NDArray[np.uint8]
UNCHANGED, GRAY, COLOR = -1, 0, 1  # OpenCV's flags: as the file has it, one channel, three channels


def opencv() -> Any:
    """The module cv2. Raises DataError where it is not installed."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise DataError("reading images needs OpenCV: pip install opencv-python-headless") from None


def decode(data: bytes, flag: int) -> Image:
    """The image in the bytes of a file, uint8 (H, W, C) with C = 1 for GRAY.

    Raises RecordError for what is no image, is larger than OpenCV allows (2**30 pixels), or has 16 bits a channel.
    """
    cv2 = opencv()
    if not data:
        raise RecordError("is empty, expected the bytes of an image")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flag)
    except (cv2.error, MemoryError) as error:
        raise RecordError(f"cannot be decoded as an image: {_reason(error)}") from None
    if image is None:
        raise RecordError(f"of {len(data)} bytes is no image that OpenCV can read")
    if image.dtype != np.uint8:
        raise RecordError(f"has {8 * image.itemsize} bits a channel, expected 8")
    return image if image.ndim == 3 else image[:, :, np.newaxis]


def read(path: str | Path, is_color: bool, height: int = 0, width: int = 0) -> Image:
    """The image in a file, resized (bilinear) to height x width px unless one of them is 0.

    Raises DataError, which names the file, for one that is missing, unreadable or no image.
    """
    data = read_bytes(path, "the image")
    try:
        image = decode(data, COLOR if is_color else GRAY)
        return resize(image, height, width) if height and width else image
    except RecordError as error:
        raise DataError(f"{path}: the image {error}") from None


def resize(image: Image, height: int, width: int) -> Image:
    """The image at height x width px, bilinear. Raises RecordError for sizes that OpenCV refuses."""
    cv2 = opencv()
    try:
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    except (cv2.error, MemoryError) as error:
        raise RecordError(f"cannot be resized to {height} x {width} px: {_reason(error)}") from None
    return resized if resized.ndim == 3 else resized[:, :, np.newaxis]


def encode(image: Image, extension: str) -> bytes:
    """The bytes of a file of that kind ("png", "jpg", ...), at OpenCV's own quality. RecordError for an unknown one."""
    cv2 = opencv()
    try:
        is_done, data = cv2.imencode(f".{extension}", image)
    except cv2.error as error:
        raise RecordError(f"cannot be encoded as {extension!r}: {_reason(error)}") from None
    if not is_done:
        raise RecordError(f"cannot be encoded as {extension!r}")
    return data.tobytes()


def _reason(error: Exception) -> str:
    """The last line of an OpenCV error, which says what was wrong."""
    return getattr(error, "err", None) or str(error) or type(error).__name__
