"""Message files, text and binary: read with errors that name the file, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError, EncodeError
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2, text, upgrade

MAX_BINARY_BYTES = 2**31 - 1  # protobuf's own limit for one message
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


class ProtoFileError(CaffeError, ValueError):
    """A file that is not the message it should be; names the file, its length, and what was expected."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it is synced and renamed, on any error removed."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read_text(path: Path | str, message_class: Any) -> Any:
    """The message in a prototxt, as it stands. Raises OSError, ProtoFileError (not text) or ProtoTextError."""
    data = Path(path).read_bytes()
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProtoFileError(
            f"{path}: byte {error.start} of {len(data)} is not text, expected a prototxt of {_name(message_class)}"
        ) from None
    return text.parse(content, message_class, str(path))


def write_text(path: Path | str, message: Any) -> None:
    """Write the message as prototxt."""
    with atomic_path(path) as partial:
        partial.write_text(text.format(message), encoding="utf-8")


def read_binary(path: Path | str, message_class: Any) -> Any:
    """The message in a binary file, as it stands. Raises OSError or ProtoFileError."""
    size = Path(path).stat().st_size
    expected = _name(message_class)
    if size > MAX_BINARY_BYTES:
        raise ProtoFileError(f"{path}: {size} bytes; a {expected} in one file can have at most {MAX_BINARY_BYTES}")
    data = Path(path).read_bytes()
    if data.startswith(_HDF5_MAGIC):
        raise ProtoFileError(f"{path}: is an HDF5 file, expected a binary {expected}")
    message = message_class()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise ProtoFileError(
            f"{path}: {size} bytes that are not a binary {expected}: truncated, or another kind of file"
        ) from None
    return message


def write_binary(path: Path | str, message: Any) -> None:
    """Write the message in binary. Raises ProtoFileError where it is too large for one file."""
    try:
        data = message.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ProtoFileError(f"{path}: {_name(type(message))} cannot be written: {error}") from None
    if len(data) > MAX_BINARY_BYTES:
        raise ProtoFileError(f"{path}: {len(data)} bytes, but one message can have at most {MAX_BINARY_BYTES}")
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def read_net(path: Path | str) -> Any:
    """The NetParameter in a prototxt, in today's form. Source: ReadNetParamsFromTextFileOrDie."""
    net = read_text(path, caffe_pb2.NetParameter)
    upgrade.upgrade_net(net, str(path))
    return net


def read_solver(path: Path | str) -> Any:
    """The SolverParameter in a prototxt, in today's form, `snapshot_prefix` filled in as Caffe does: the file's own
    path without its ending where none is given, the file's stem inside it where it is a folder.

    Source: ReadSolverParamsFromTextFileOrDie.
    """
    path = Path(path)
    solver = read_text(path, caffe_pb2.SolverParameter)
    upgrade.upgrade_solver(solver, str(path))
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(path.with_suffix(""))
    elif Path(solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / path.stem)
    return solver


def read_caffemodel(path: Path | str) -> Any:
    """The NetParameter with weights in a binary caffemodel, V1 or today's, in today's form.

    Raises OSError, ProtoFileError (truncated, foreign, without layers, over 2 GiB) or UpgradeError.
    """
    net = read_binary(path, caffe_pb2.NetParameter)
    if not net.layer and not net.layers:
        size = Path(path).stat().st_size
        raise ProtoFileError(f"{path}: {size} bytes without any layer, expected a caffemodel (binary NetParameter)")
    upgrade.upgrade_net(net, str(path))
    return net


def _name(message_class: Any) -> str:
    return message_class.DESCRIPTOR.name
