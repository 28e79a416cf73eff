"""Weights and solver states in Caffe's binary messages, read from and written for real Caffe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from recaffe.errors import WeightsError
from recaffe.proto import caffe_pb2, files
from recaffe.stored import Shape, SolverState, StoredArray, StoredLayer, StoredState

if TYPE_CHECKING:
    from recaffe.net import Net

KIND = "binary proto"
WEIGHTS_ENDING, STATE_ENDING = ".caffemodel", ".solverstate"
_OLD_SIZES = ("num", "channels", "height", "width")


@contextmanager
def open_weights(path: str | Path) -> Iterator[list[StoredLayer]]:
    """The layers of a caffemodel, V1 or today's, in the order of the file. Raises WeightsError: missing, foreign."""
    net = _read(path, files.read_caffemodel)
    yield [
        StoredLayer(
            layer.name,
            {
                index: _stored_array(proto, f"{path}: layer {layer.name!r}, weight array {index}")
                for index, proto in enumerate(layer.blobs)
            },
        )
        for layer in net.layer
    ]


def save_weights(net: Net, path: str | Path, with_diff: bool = False) -> None:
    """Write layers and weights as a binary NetParameter, whole or not at all. Source: Net::ToProto.

    with_diff: the weights' diffs as well. Raises WeightsError where the message would be too large.
    """
    _check_size(path, (blob.count * (1 + with_diff) for layer in net.engine_layers for blob in layer.blobs))
    message = caffe_pb2.NetParameter(name=net.name)
    for layer in net.engine_layers:
        written = message.layer.add()
        written.CopyFrom(layer.param)
        written.ClearField("blobs")
        for blob in layer.blobs:
            proto = written.blobs.add()
            _fill(proto, blob.tensor())
            if with_diff:
                _append(proto, caffe_pb2.BlobProto.DIFF_FIELD_NUMBER, blob.diff_tensor())
    _write(path, message)


@contextmanager
def open_state(path: str | Path) -> Iterator[StoredState]:
    """The state in a .solverstate. Raises WeightsError for a caffemodel or any other file."""
    state = _read(path, lambda file: files.read_binary(file, caffe_pb2.SolverState))
    if not state.HasField("iter"):
        raise WeightsError(f"{path}: holds no iteration, expected a .solverstate (binary SolverState)")
    yield StoredState(
        state.iter,
        state.learned_net if state.HasField("learned_net") else None,
        state.current_step,
        [_stored_array(proto, f"{path}: history {index}") for index, proto in enumerate(state.history)],
        state.resume if state.HasField("resume") else None,
    )


def save_state(state: SolverState, path: str | Path) -> None:
    """Write a binary SolverState, whole or not at all. Raises WeightsError where it would be too large."""
    _check_size(path, (history.numel() for history in state.history))
    message = caffe_pb2.SolverState(
        iter=state.iteration, learned_net=state.learned_net, current_step=state.current_step, resume=state.resume
    )
    for history in state.history:
        _fill(message.history.add(), history)
    _write(path, message)


def _shape(proto: Any) -> Shape:
    names = _OLD_SIZES if _is_old(proto) else ()
    return tuple(getattr(proto, name) for name in names) or tuple(proto.shape.dim)


def _is_old(proto: Any) -> bool:
    return any(proto.HasField(name) for name in _OLD_SIZES)


def _stored_array(proto: Any, where: str) -> StoredArray:
    def reader(name: str) -> Callable[[], np.ndarray]:
        return lambda: _values(proto, name, where)

    has_diff = len(proto.diff) or len(proto.double_diff)
    return StoredArray(_shape(proto), reader("data"), _is_old(proto), reader("diff") if has_diff else None)


def _values(proto: Any, name: str, where: str) -> np.ndarray:
    """The data or the diff of a BlobProto, float32. Raises WeightsError if there are not as many as its shape says."""
    double = getattr(proto, f"double_{name}")
    values = np.array(double if len(double) else getattr(proto, name), dtype=np.float32)
    shape = _shape(proto)
    if values.size != math.prod(shape):
        raise WeightsError(f"{where}: {values.size} values for the shape {shape}, expected {math.prod(shape)}")
    return values.reshape(shape)


def _fill(proto: Any, values: torch.Tensor) -> None:
    """Put an array into an empty BlobProto."""
    proto.shape.dim.extend(values.shape)
    _append(proto, caffe_pb2.BlobProto.DATA_FIELD_NUMBER, values)


def _append(proto: Any, field_number: int, values: torch.Tensor) -> None:
    data = values.cpu().contiguous().numpy().astype("<f4", copy=False).tobytes()
    # The packed field as it stands in a file: ten times faster than number by number.
    proto.MergeFromString(bytes([field_number << 3 | 2]) + _varint(len(data)) + data)


def _varint(number: int) -> bytes:
    """protobuf's variable-length integer: 7 bits a byte, lowest first, the high bit set where more follow."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _check_size(path: str | Path, counts: Iterable[int]) -> None:
    size = 4 * sum(counts)
    if size > files.MAX_BINARY_BYTES:
        raise WeightsError(
            f"{path}: {size} bytes of numbers, but one binary message can have at most {files.MAX_BINARY_BYTES}; "
            "HDF5 has no such limit: write `snapshot_format: HDF5` into the solver, or call save_hdf5"
        )


def _read(path: str | Path, reader: Any) -> Any:
    try:
        return reader(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # names the file and what is wrong with it
        raise WeightsError(str(error)) from None


def _write(path: str | Path, message: Any) -> None:
    try:
        files.write_binary(path, message)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise WeightsError(str(error)) from None
