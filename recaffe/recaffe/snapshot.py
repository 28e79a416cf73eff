"""Snapshot files in either of Caffe's forms, binary messages or HDF5."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from recaffe import snapshot_binary
from recaffe.errors import WeightsError
from recaffe.proto import caffe_pb2
from recaffe.stored import StoredLayer, StoredState

HDF5, BINARYPROTO = caffe_pb2.SolverParameter.HDF5, caffe_pb2.SolverParameter.BINARYPROTO


def form(snapshot_format: int) -> ModuleType:
    """The module that writes `snapshot_format`: it has `save_weights`, `save_state` and the files' endings."""
    if snapshot_format != HDF5:
        return snapshot_binary
    from recaffe import snapshot_hdf5  # loads h5py, which few sessions need

    return snapshot_hdf5


def open_weights(path: str | Path) -> AbstractContextManager[list[StoredLayer]]:
    """The layers of a caffemodel of either form. Raises WeightsError. Source: Net::CopyTrainedLayersFrom."""
    return _form_of(path).open_weights(path)


def open_state(path: str | Path) -> AbstractContextManager[StoredState]:
    """The state in a solverstate of either form. Raises WeightsError. Source: Solver::Restore."""
    return _form_of(path).open_state(path)


def _form_of(path: str | Path) -> ModuleType:
    """By what stands in the file. One that is named .h5 and is no HDF5 is refused."""
    try:
        with Path(path).open("rb") as file:
            is_hdf5 = file.read(8) == b"\x89HDF\r\n\x1a\n"
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path, which a damaged state may name
        raise WeightsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if Path(path).suffix == ".h5" and not is_hdf5:
        raise WeightsError(f"{path}: is named .h5 but is no HDF5 file, or a truncated one")
    return form(HDF5) if is_hdf5 else snapshot_binary
