"""OpenCV here against the OpenCV of real Caffe: decoding and resizing give the same pixels."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from recaffe.data import images
from recaffe.data.errors import DataError, RecordError
from recaffe.proto import caffe_pb2, files

HEIGHT, WIDTH = 61, 83
EXIF_TURNED = bytes.fromhex("ffe1002245786966000049492a0008000000010012010300010000000600000000000000")
SIZES = ((0, 0), (40, 50), (100, 171), (32, 32))
SCRIPT = """
import sys, numpy, caffe
net = caffe.Net('net.prototxt', caffe.TEST)
net.forward()
numpy.savez('real.npz', **{name: blob.data for name, blob in net.blobs.items()})
"""


def _pixels(channels: int, seed: int) -> np.ndarray:
    """An image with edges, slopes and noise, uint8 (HEIGHT, WIDTH, channels)."""
    numbers = np.random.RandomState(seed)
    coarse = numbers.uniform(0, 255, (HEIGHT // 8, WIDTH // 8, channels))
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).reshape(HEIGHT, WIDTH, channels)
    return np.clip(image + numbers.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def _jpeg(image: np.ndarray, **settings: int) -> bytes:
    options = [value for name, setting in settings.items() for value in (getattr(cv2, f"IMWRITE_JPEG_{name}"), setting)]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def _files() -> dict[str, bytes]:
    """Image files of many kinds: {name: bytes}."""
    color, gray, alpha = _pixels(3, 0), _pixels(1, 1), _pixels(4, 2)
    turned = _jpeg(color)
    sampling = {
        "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    }
    return {
        "color.png": cv2.imencode(".png", color)[1].tobytes(),
        "gray.png": cv2.imencode(".png", gray)[1].tobytes(),
        "alpha.png": cv2.imencode(".png", alpha)[1].tobytes(),
        "deep.png": cv2.imencode(".png", color.astype(np.uint16) * 251)[1].tobytes(),
        "color.bmp": cv2.imencode(".bmp", color)[1].tobytes(),
        "gray.bmp": cv2.imencode(".bmp", gray)[1].tobytes(),
        "color.ppm": cv2.imencode(".ppm", color)[1].tobytes(),
        **{
            f"{quality}_{name}.jpg": _jpeg(color, QUALITY=quality, SAMPLING_FACTOR=factor)
            for quality in (30, 90)
            for name, factor in sampling.items()
        },
        "gray.jpg": _jpeg(gray),
        "progressive.jpg": _jpeg(color, PROGRESSIVE=1),
        "turned.jpg": turned[:2] + EXIF_TURNED + turned[2:],
    }


@pytest.mark.caffe
def test_pixels_are_those_of_real_caffes_opencv(tmp_path: Path, real_caffe: Callable):
    net, expected = caffe_pb2.NetParameter(), {}
    for name, data in _files().items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name}.txt").write_text(f"{name} 1\n")
        for is_color in (True, False):
            for height, width in SIZES:
                top = f"{name} {is_color} {height}"
                layer = net.layer.add(name=top, type="ImageData", top=[top, f"{top} label"])
                options = layer.image_data_param
                options.source, options.is_color = f"{name}.txt", is_color
                options.new_height, options.new_width = height, width
                layer.data_param.prefetch = 1
                expected[top] = images.read(tmp_path / name, is_color, height, width).transpose(2, 0, 1)
    files.write_text(tmp_path / "net.prototxt", net)
    real_caffe(SCRIPT, cwd=tmp_path)
    with np.load(tmp_path / "real.npz") as real:
        differing = [top for top, image in expected.items() if not np.array_equal(real[top][0], image)]
        assert all(real[top][0].shape == image.shape for top, image in expected.items())
    assert not differing


def test_the_turned_image_is_turned_here_too():
    assert images.decode(_files()["turned.jpg"], images.COLOR).shape == (WIDTH, HEIGHT, 3)


def test_images_come_with_a_channel_axis_in_any_color(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(_files()["gray.png"])
    assert images.read(path, is_color=False).shape == (HEIGHT, WIDTH, 1)
    assert images.read(path, is_color=False, height=5, width=7).shape == (5, 7, 1)
    assert images.read(path, is_color=True, height=5, width=7).shape == (5, 7, 3)
    assert images.decode(path.read_bytes(), images.UNCHANGED).shape == (HEIGHT, WIDTH, 1)


def test_what_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.png: the image cannot be read: No such file"):
        images.read(tmp_path / "none.png", True)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text\.png: the image of 8 bytes is no image that OpenCV can read"):
        images.read(tmp_path / "text.png", True)
    with pytest.raises(RecordError, match="cannot be resized to -1 x 5 px"):
        images.resize(_pixels(3, 0), -1, 5)


def test_an_image_that_says_it_is_huge_is_refused():
    png = bytearray(_files()["color.png"])
    png[16:24] = (2**19).to_bytes(4, "big") * 2  # width and height in the header
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    with pytest.raises(RecordError, match=r"cannot be decoded as an image: .*pixels"):
        images.decode(bytes(png), images.COLOR)
