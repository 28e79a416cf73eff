"""First values of weights: Caffe's seven fillers, bit for bit. Source: include/caffe/filler.hpp."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2
from recaffe.proto.text import nearest_name
from recaffe.random_stream import RandomStream

F32 = np.float32
Shape = Sequence[int]


class FillerError(CaffeError, ValueError):
    """A FillerParameter asks for something unknown, or for what does not fit the array's shape."""


def fill(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    """A new float32 array of `shape` with the values that the FillerParameter `filler` asks for.

    Random fillers take their words from `stream`, element by element in C order. Raises FillerError.
    """
    shape = tuple(shape)
    if math.prod(shape) == 0:
        raise FillerError(f"filler {filler.type!r}: an array of shape {shape} has nothing to fill")
    if filler.type not in _FILLERS:
        raise FillerError(f"unknown filler {filler.type!r}; {nearest_name(filler.type, list(_FILLERS))}")
    if filler.sparse != -1 and filler.type != "gaussian":
        raise FillerError(f"filler {filler.type!r} has sparse {filler.sparse}; only gaussian can be sparse")
    if not shape and (filler.type not in ("constant", "uniform", "gaussian") or filler.sparse >= 0):
        raise FillerError(f"filler {filler.type!r} counts along the first axis, which a single number does not have")
    try:
        return _FILLERS[filler.type](filler, shape, stream).reshape(shape)
    except ValueError as error:
        raise FillerError(f"filler {filler.type!r} of shape {shape}: {error}") from error


def _constant(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    return np.full(shape, filler.value, dtype=F32)


def _uniform(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    return stream.uniform(math.prod(shape), filler.min, filler.max)


def _gaussian(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    values = stream.gaussian(math.prod(shape), filler.mean, filler.std)
    if filler.sparse < -1:
        raise ValueError(f"sparse is {filler.sparse}, expected -1 or the number of non-zero weights per output")
    if filler.sparse >= 0:
        is_kept = stream.bernoulli(len(values), float(F32(filler.sparse) / F32(shape[0])), in_float32=True)
        values *= is_kept
    return values


def _positive_unitball(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    """Rows of positive numbers that sum to 1."""
    rows = stream.uniform(math.prod(shape), 0, 1).reshape(shape[0], -1)
    sums = np.cumsum(rows, axis=1, dtype=F32)[:, -1:]  # one after the other, as Caffe adds
    return rows / sums


def _xavier(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    limit = float(np.sqrt(F32(3) / _fan(filler, shape)))
    return stream.uniform(math.prod(shape), -limit, limit)


def _msra(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    return stream.gaussian(math.prod(shape), 0, float(np.sqrt(F32(2) / _fan(filler, shape))))


def _bilinear(filler: Any, shape: Shape, stream: RandomStream) -> NDArray[np.float32]:
    """The weights of an upsampling Deconvolution, the same (K, K) kernel for every pair of channels."""
    if len(shape) != 4 or shape[2] != shape[3]:
        raise ValueError("expected four axes, the last two of one size")
    size = shape[3]
    half = math.ceil(size / 2)
    centre = F32((size - 1) / (2 * half))
    line = 1 - np.abs(np.arange(size, dtype=F32) / F32(half) - centre)
    return np.broadcast_to(np.outer(line, line), shape).astype(F32)


def _fan(filler: Any, shape: Shape) -> np.float32:
    """What variance_norm names: inputs per output, outputs per input (all elements for one axis), or their mean."""
    count = math.prod(shape)
    fan_in = count // shape[0]
    fan_out = count // shape[1] if len(shape) > 1 else count
    if filler.variance_norm == caffe_pb2.FillerParameter.AVERAGE:
        return F32(fan_in + fan_out) / F32(2)
    return F32(fan_out if filler.variance_norm == caffe_pb2.FillerParameter.FAN_OUT else fan_in)


_FILLERS: dict[str, Callable[[Any, Shape, RandomStream], NDArray[np.float32]]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
