"""pycaffe's caffe.io: arrays to messages and back, images to the arrays a net expects.

Everything but reading and resizing images needs numpy alone; those two need scikit-image or scipy, as in pycaffe, and
say so where they are missing. Source: python/caffe/io.py.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.proto import caffe_pb2

Array = NDArray[Any]


def blobproto_to_array(blob: Any, return_diff: bool = False) -> Array:
    """The data (or diff) of a BlobProto, float64 in its shape; of old files in four axes."""
    values = np.array(blob.diff if return_diff else blob.data, dtype=np.float64)
    is_old = any(blob.HasField(name) for name in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if is_old else tuple(blob.shape.dim)
    if min(shape, default=0) < 0 or math.prod(shape) != values.size:
        raise ValueError(f"a BlobProto of shape {shape} has {values.size} values")
    return values.reshape(shape)


def array_to_blobproto(arr: Array, diff: Array | None = None) -> Any:
    """A BlobProto of an array of any shape, and of its diff of the same shape."""
    if diff is not None and diff.shape != arr.shape:
        raise ValueError(f"diff has the shape {diff.shape}, data {arr.shape}")
    blob = caffe_pb2.BlobProto(data=arr.ravel().tolist(), diff=None if diff is None else diff.ravel().tolist())
    blob.shape.dim.extend(arr.shape)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Array]) -> bytes:
    """The bytes of a BlobProtoVector of these arrays."""
    return caffe_pb2.BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[Array]:  # noqa: A002 - pycaffe's name
    """The arrays of a BlobProtoVector's bytes."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> Any:
    """A Datum of an array (C, H, W): uint8 as bytes, other types as floats."""
    if arr.ndim != 3:
        raise ValueError(f"an array of shape {arr.shape}, expected (channels, height, width)")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.ravel().tolist())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> Array:
    """The values of a Datum, (C, H, W): uint8, or float64 where it holds floats. The label is `datum.label`."""
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, dtype=np.float64).reshape(shape)


class Transformer:
    """Makes images (H, W, K) ready for a net's inputs; `inputs` is their shapes, {"data": (N, C, H, W)}.

    The order is: float32, resize, transpose, channel swap, raw scale, minus mean, input scale. What was not set is
    left out. Every method raises ValueError for a name that is no input.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = {name: tuple(shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Array] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Array) -> NDArray[np.float32]:
        """The image (H', W', K) as one item of input `in_`, float32 (C, H, W)."""
        shape = self._shape(in_)
        image = data.astype(np.float32)
        if image.shape[:2] != shape[2:]:
            image = resize_image(image, shape[2:])
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: Array) -> Array:
        """One item of input `in_` as an image again: `preprocess` backwards, without the resizing."""
        self._shape(in_)
        image = data.copy().squeeze()
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The new order of axes: (2, 0, 1) makes (H, W, C) a (C, H, W)."""
        if len(order) != len(self._shape(in_)) - 1:
            raise ValueError(f"transpose {tuple(order)}: an item of {in_!r} has {len(self._shape(in_)) - 1} axes")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The new order of channels, after the transpose: (2, 1, 0) makes RGB BGR."""
        if len(order) != self._shape(in_)[1]:
            raise ValueError(f"channel swap {tuple(order)}: {in_!r} has {self._shape(in_)[1]} channels")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """A factor before the mean is subtracted: 255 makes [0, 1] the [0, 255] of most Caffe models."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Array) -> None:
        """A mean per channel (C,), per pixel of a grey image (H, W), or both (C', H', W'), which is resized to the
        input. Raises ValueError for any other shape."""
        shape = self._shape(in_)
        if mean.ndim == 1:
            if len(mean) != shape[1]:
                raise ValueError(f"a mean of {len(mean)} channels, {in_!r} has {shape[1]}")
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3) or (mean.ndim == 2 and (1, *mean.shape) != shape[1:]):
            raise ValueError(f"a mean of shape {mean.shape}, expected (C,), (H, W) of a grey image, or (C, H, W)")
        elif mean.ndim == 3 and mean.shape != shape[1:]:
            low, high = mean.min(), mean.max()
            unit = (mean - low) / (high - low or 1)
            mean = resize_image(unit.transpose(1, 2, 0), shape[2:]).transpose(2, 0, 1) * (high - low) + low
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """A factor after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise ValueError(f"{in_!r} is no input of the net; its inputs are {', '.join(self.inputs)}")
        return self.inputs[in_]


def image_transformer(
    in_: str,
    shape: Sequence[int],
    mean: Array | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> Transformer:
    """The Transformer of an input (N, C, H, W) for images (H, W, C); None leaves a step out."""
    transformer = Transformer({in_: shape})
    transformer.set_transpose(in_, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(in_, mean)
    if input_scale is not None:
        transformer.set_input_scale(in_, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(in_, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(in_, channel_swap)
    return transformer


def load_image(filename: str, color: bool = True) -> NDArray[np.float32]:
    """An image file as float32 in [0, 1]: RGB (H, W, 3), or grey (H, W, 1) without `color`. Needs scikit-image."""
    image = _needed("skimage.io").imread(str(filename), as_gray=not color)
    image = _needed("skimage.util").img_as_float(image).astype(np.float32)
    if image.ndim == 2:
        return np.repeat(image[:, :, np.newaxis], 3 if color else 1, axis=2)
    return image[:, :, :3]


def resize_image(im: Array, new_dims: Sequence[int] | Array, interp_order: int = 1) -> NDArray[np.float32]:
    """The image (H, W, K) as float32 (*new_dims, K), interpolated with splines of that order.

    Grey and colour images with scikit-image, smoothed where they shrink; of another number of channels with scipy.
    Orders above 1 come out as the installed scikit-image has them: 0.26 other than the 0.18 of Caffe's days, by 2 %.
    """
    if im.shape[-1] not in (1, 3):
        factors = [new / old for new, old in zip(new_dims, im.shape[:2], strict=True)]
        return _needed("scipy.ndimage").zoom(im, (*factors, 1), order=interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if not low < high:
        return np.full((*new_dims, im.shape[-1]), low, dtype=np.float32)
    resize = _needed("skimage.transform").resize
    resized = resize((im - low) / (high - low), tuple(new_dims), order=interp_order, mode="constant")
    return (resized * (high - low) + low).astype(np.float32)


def oversample(images: Sequence[Array], crop_dims: Sequence[int] | Array) -> NDArray[np.float32]:
    """Ten crops (h, w) of each image (H, W, K): corners, centre, and the same mirrored; float32 (10 N, h, w, K).

    All images have the first one's size.
    """
    height, width = crop_dims
    bottom, right = images[0].shape[0] - height, images[0].shape[1] - width
    if bottom < 0 or right < 0:
        raise ValueError(f"crops of {height} x {width} do not fit into images of {images[0].shape[:2]}")
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = [[image[y : y + height, x : x + width] for y, x in corners] for image in images]
    crops = np.array(crops, dtype=np.float32)
    return np.concatenate([crops, crops[:, :, :, ::-1]], axis=1).reshape(-1, *crops.shape[2:])


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"reading and resizing images needs {module}: pip install scikit-image scipy") from None
