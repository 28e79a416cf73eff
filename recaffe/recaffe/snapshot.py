"""Weights and solver states in Caffe's binary files, read from and written for real Caffe."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from google.protobuf.message import Message
from recaffe.blob import Blob
from recaffe.errors import WeightsError
from recaffe.layers.base import Layer
from recaffe.proto import caffe_pb2, files

if TYPE_CHECKING:
    from recaffe.net_build import Node

log = logging.getLogger("recaffe.net")
_OLD_SIZES = ("num", "channels", "height", "width")
_PACKED_DATA = bytes([caffe_pb2.BlobProto.DATA_FIELD_NUMBER << 3 | 2])  # tag of BlobProto.data, length-delimited


def copy_weights(layers: Sequence[Layer], path: str | Path) -> None:
    """Copy the weights of a caffemodel into the layers of the same name, in place. Source: Net::CopyTrainedLayersFrom.

    A source layer without a namesake is ignored (and logged), a layer without a source keeps its values. V1 files and
    four-size blobs of old files are read. Nothing is copied where anything does not fit.
    Raises WeightsError: file missing, truncated or foreign; other number of arrays; other shape.
    """
    source = _read(path, files.read_caffemodel)
    targets: dict[str, Layer] = {}
    for layer in layers:
        targets.setdefault(layer.name, layer)
    plan: list[tuple[Blob, np.ndarray]] = []
    for source_layer in source.layer:
        target = targets.get(source_layer.name)
        if target is None:
            log.info("Ignoring source layer %s", source_layer.name)
        else:
            plan.extend(_fit(source_layer, target, path))
    for blob, values in plan:
        blob.tensor().copy_(torch.from_numpy(values.reshape(blob.shape)))


def _fit(source: Any, target: Layer, path: str | Path) -> list[tuple[Blob, np.ndarray]]:
    """Pairs of (blob of the target, values for it)."""
    if len(source.blobs) != len(target.blobs):
        raise WeightsError(
            f"{path}: layer {source.name!r} has {len(source.blobs)} weight arrays, but the layer of this name in the "
            f"net has {len(target.blobs)}; to learn it from scratch, rename the layer in the net"
        )
    pairs = []
    for index, (proto, blob) in enumerate(zip(source.blobs, target.blobs, strict=True)):
        if not fits(proto, blob.shape):
            raise WeightsError(
                f"{path}: layer {source.name!r}, weight array {index}: its shape in the file is {proto_shape(proto)}, "
                f"in the net {blob.shape}; to learn this layer from scratch, rename it in the net"
            )
        pairs.append((blob, values_of(proto, f"{path}: layer {source.name!r}, weight array {index}")))
    return pairs


def save_weights(name: str, nodes: Sequence[Node], path: str | Path) -> None:
    """Write layers and weights as a binary NetParameter, whole or not at all. Source: Net::ToProto."""
    net = caffe_pb2.NetParameter(name=name)
    for node in nodes:
        layer = net.layer.add()
        layer.CopyFrom(node.layer.param)
        layer.ClearField("blobs")
        for blob in node.layer.blobs:
            fill_proto(layer.blobs.add(), blob.tensor())
    _write(path, net)


def read_solver_state(path: str | Path) -> Any:
    """The SolverState in a .solverstate. Raises WeightsError for a caffemodel or any other file."""
    state = _read(path, lambda file: files.read_binary(file, caffe_pb2.SolverState))
    if not state.HasField("iter"):
        raise WeightsError(f"{path}: holds no iteration, expected a .solverstate (binary SolverState)")
    return state


def write_solver_state(path: str | Path, state: Any) -> None:
    """Write a SolverState, whole or not at all."""
    _write(path, state)


def proto_shape(proto: Any) -> tuple[int, ...]:
    """The shape of a BlobProto: its `shape`, or the four sizes of old files."""
    if any(proto.HasField(name) for name in _OLD_SIZES):
        return tuple(getattr(proto, name) for name in _OLD_SIZES)
    return tuple(proto.shape.dim)


def fits(proto: Any, shape: tuple[int, ...]) -> bool:
    """Whether a BlobProto is of this shape. Old files pad with ones in front: (1, 1, 1, 5) is (5,).

    Source: Blob::ShapeEquals.
    """
    if any(proto.HasField(name) for name in _OLD_SIZES):
        return len(shape) <= 4 and proto_shape(proto) == (1,) * (4 - len(shape)) + shape
    return proto_shape(proto) == shape


def values_of(proto: Any, where: str) -> np.ndarray:
    """The values of a BlobProto, flat float32. Raises WeightsError if there are not as many as its shape says."""
    values = np.array(proto.double_data if len(proto.double_data) else proto.data, dtype=np.float32)
    expected = int(np.prod(proto_shape(proto), dtype=np.int64))
    if values.size != expected:
        raise WeightsError(f"{where}: {values.size} values for the shape {proto_shape(proto)}, expected {expected}")
    return values


def fill_proto(proto: Any, values: torch.Tensor) -> None:
    """Put an array into an empty BlobProto."""
    proto.shape.dim.extend(values.shape)
    data = values.cpu().contiguous().numpy().astype("<f4", copy=False).tobytes()
    # The packed field as it stands in a file: ten times faster than number by number.
    proto.MergeFromString(_PACKED_DATA + _varint(len(data)) + data)


def _varint(number: int) -> bytes:
    """protobuf's variable-length integer: 7 bits a byte, lowest first, the high bit set where more follow."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _read(path: str | Path, reader: Any) -> Any:
    try:
        return reader(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # names the file and what is wrong with it
        raise WeightsError(str(error)) from None


def _write(path: str | Path, message: Message) -> None:
    try:
        files.write_binary(path, message)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise WeightsError(str(error)) from None
