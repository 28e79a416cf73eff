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
from recaffe.proto.kinds import foreign_kind, is_prototxt
from recaffe.proto.text import is_repeated

MAX_BINARY_BYTES = 2**31 - 1  # protobuf's own limit for one message


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
    return parse_text(_content(path, message_class), message_class, str(path))


def parse_text(data: bytes, message_class: Any, filename: str) -> Any:
    """`read_text` of a file's content. Comments may be in any encoding, names must be in UTF-8."""
    _refuse_foreign(data, message_class, filename)
    if b"\0" in data:
        raise ProtoFileError(
            f"{filename}: byte {data.index(0)} of {len(data)} is not text, "
            f"expected a prototxt of {_name(message_class)}"
        )
    return text.parse(data.decode("utf-8-sig", "surrogateescape"), message_class, filename)


def write_text(path: Path | str, message: Any) -> None:
    """Write the message as prototxt."""
    with atomic_path(path) as partial:
        partial.write_text(text.format(message), encoding="utf-8")


def read_binary(path: Path | str, message_class: Any) -> Any:
    """The message in a binary file, as it stands. Raises OSError or ProtoFileError."""
    return parse_binary(_content(path, message_class), message_class, str(path))


def parse_binary(data: bytes, message_class: Any, filename: str) -> Any:
    """`read_binary` of a file's content."""
    _refuse_foreign(data, message_class, filename)
    message = message_class()
    try:
        message.ParseFromString(data)
        unreadable = next((value for value in _strings(message) if isinstance(value, bytes)), None)
    except UnicodeDecodeError as error:  # what protobuf without its C part does
        unreadable = error.object
    except (DecodeError, RecursionError):
        what = "it looks like a prototxt" if is_prototxt(data) else "truncated, or another kind of file"
        raise ProtoFileError(
            f"{filename}: {len(data)} bytes that are not a binary {_name(message_class)}: {what}"
        ) from None
    if unreadable is not None:
        raise ProtoFileError(f"{filename}: a name in this {_name(message_class)} is not UTF-8: {unreadable!r}")
    return message


def _refuse_foreign(data: bytes, message_class: Any, filename: str) -> None:
    kind = foreign_kind(data)
    if kind:
        raise ProtoFileError(f"{filename}: is {kind}, expected a {_name(message_class)}")


def _strings(message: Any) -> Iterator[str | bytes]:
    """Every value of a string field in the message and those in it; protobuf gives what is not UTF-8 as bytes."""
    for field, value in message.ListFields():
        values = value if is_repeated(field) else [value]
        if field.message_type is not None:
            for inner in values:
                yield from _strings(inner)
        elif field.type == field.TYPE_STRING:
            yield from values


def _content(path: Path | str, message_class: Any) -> bytes:
    """A file's bytes; the size is checked before, and for what is no regular file while reading."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > MAX_BINARY_BYTES else file.read(MAX_BINARY_BYTES + 1)
    if max(size, len(data)) > MAX_BINARY_BYTES:
        raise ProtoFileError(
            f"{path}: {max(size, len(data))} bytes; a {_name(message_class)} in one file can have at most "
            f"{MAX_BINARY_BYTES}; what is larger fits into an HDF5 file"
        )
    return data


def write_binary(path: Path | str, message: Any) -> None:
    """Write the message in binary. Raises ProtoFileError where it is too large for one file."""
    try:
        data = message.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ProtoFileError(f"{path}: {_name(type(message))} cannot be written: {error}") from None
    if len(data) > MAX_BINARY_BYTES:
        raise ProtoFileError(
            f"{path}: {len(data)} bytes, but one message can have at most {MAX_BINARY_BYTES}; "
            "HDF5 has no such limit (snapshot_format: HDF5, save_hdf5)"
        )
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

    Nets within it are brought to today's form too; Caffe would find no layer in them.
    Source: ReadSolverParamsFromTextFileOrDie.
    """
    path = Path(path)
    solver = read_text(path, caffe_pb2.SolverParameter)
    upgrade.upgrade_solver(solver, str(path))
    inner = [getattr(solver, name) for name in ("net_param", "train_net_param") if solver.HasField(name)]
    for net in [*inner, *solver.test_net_param]:
        upgrade.upgrade_net(net, str(path))
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(path.with_suffix(""))
    elif Path(solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / path.stem)
    return solver


def read_caffemodel(path: Path | str) -> Any:
    """The NetParameter with weights in a binary caffemodel, V1 or today's, in today's form.

    Raises OSError, ProtoFileError (truncated, foreign, without layers, over 2 GiB) or UpgradeError.
    """
    data = _content(path, caffe_pb2.NetParameter)
    net = parse_binary(data, caffe_pb2.NetParameter, str(path))
    if not net.layer and not net.layers:
        raise ProtoFileError(
            f"{path}: {len(data)} bytes without any layer, expected a caffemodel (binary NetParameter)"
        )
    upgrade.upgrade_net(net, str(path))
    return net


def _name(message_class: Any) -> str:
    return message_class.DESCRIPTOR.name
