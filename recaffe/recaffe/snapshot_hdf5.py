"""Weights and solver states in HDF5, in Caffe's layout, read from and written for real Caffe.

Weights: a group `data` (and `diff`) with a group for each layer, in it the arrays "0", "1", ...; a weight that several
layers share stands in its owner's group only. States: `iter`, `learned_net`, `current_step`, and a group `history`
of arrays "0", "1", ... Source: Net::ToHDF5, SGDSolver::SnapshotSolverStateToHDF5, src/caffe/util/hdf5.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import torch
from google.protobuf.message import DecodeError
from recaffe.errors import CaffeError, WeightsError
from recaffe.proto import caffe_pb2
from recaffe.proto.files import atomic_path
from recaffe.stored import SolverState, StoredArray, StoredLayer, StoredState

if TYPE_CHECKING:
    from recaffe.net import Net

KIND = "HDF5"
WEIGHTS_ENDING, STATE_ENDING = ".caffemodel.h5", ".solverstate.h5"
_RESUME = "recaffe_resume"  # a dataset of our own, the bytes of a ResumeState; real Caffe does not look for it
_BROKEN = (OSError, RuntimeError, KeyError, TypeError, ValueError)  # what h5py raises about damaged files


@contextmanager
def open_weights(path: str | Path) -> Iterator[list[StoredLayer]]:
    """The layers of a caffemodel.h5, sorted by name. Arrays must be read within the `with`.

    Raises WeightsError for a file that is truncated or foreign. Source: Net::CopyTrainedLayersFromHDF5.
    """
    with _reading(path) as file:
        group = _member(file, "data", h5py.Group, path)
        layers: dict[str, StoredLayer] = {}

        def visit(
            path_in_group: str | bytes, member: Any
        ) -> None:  # all once; links that lead elsewhere are not followed
            name = os.fsdecode(path_in_group)  # bytes where they are no UTF-8
            if isinstance(member, h5py.Group):
                layers[name] = StoredLayer(name, {})
                return
            layer, _, index = name.rpartition("/")
            if layer not in layers or not index.isdecimal() or not isinstance(member, h5py.Dataset):
                raise WeightsError(f"{path}: holds {name!r}, expected arrays 0, 1, ... in a group for each layer")
            layers[layer].arrays[int(index)] = _stored_array(member, f"{path}: layer {layer!r}, weight array {index}")

        group.visititems(visit)
        yield list(layers.values())


def save_weights(net: Net, path: str | Path, with_diff: bool = False) -> None:
    """Write the weights as HDF5, whole or not at all. Source: Net::ToHDF5.

    A layer named "a/b" becomes a group b in a group a, which real Caffe neither writes nor reads.
    """
    owned = {(learnable.layer_name, learnable.index) for learnable in net.learnable}
    with _writing(path) as file:
        groups = [file.create_group(name) for name in ("data", "diff")[: 1 + with_diff]]
        for layer in net.engine_layers:
            data, *diff = [group.require_group(layer.name) for group in groups]
            for index, blob in enumerate(layer.blobs):
                if (layer.name, index) in owned:
                    data[str(index)] = _array(blob.tensor())
                if with_diff:
                    diff[0][str(index)] = _array(blob.diff_tensor())


@contextmanager
def open_state(path: str | Path) -> Iterator[StoredState]:
    """The state in a solverstate.h5. Arrays must be read within the `with`. Raises WeightsError for any other file."""
    with _reading(path) as file:
        group = _member(file, "history", h5py.Group, path)
        history = [
            _stored_array(_member(group, str(index), h5py.Dataset, path), f"{path}: history {index}")
            for index in range(len(group))
        ]
        yield StoredState(
            _integer(file, "iter", path),
            _text(file, "learned_net", path) if "learned_net" in file else None,
            _integer(file, "current_step", path),
            history,
            _resume(file, path) if _RESUME in file else None,
        )


def save_state(state: SolverState, path: str | Path) -> None:
    """Write a solver state as HDF5, whole or not at all."""
    with _writing(path) as file:
        file["iter"] = np.array([state.iteration], np.int32)
        _write_text(file, "learned_net", state.learned_net)
        file["current_step"] = np.array([state.current_step], np.int32)
        group = file.create_group("history")
        for index, history in enumerate(state.history):
            group[str(index)] = _array(history)
        file[_RESUME] = np.frombuffer(state.resume.SerializeToString(), np.uint8)


@contextmanager
def _reading(path: str | Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except CaffeError:
        raise
    except _BROKEN as error:
        raise WeightsError(f"{path}: cannot be read as HDF5, it is truncated or damaged: {error}") from None


@contextmanager
def _writing(path: str | Path) -> Iterator[h5py.File]:
    try:
        with atomic_path(path) as partial, h5py.File(partial, "w") as file:
            yield file
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}") from None
    except (RuntimeError, TypeError, ValueError) as error:  # of h5py, where two layers want one place
        raise WeightsError(f"{path}: these layer names cannot be written to HDF5: {error}") from None


def _member(group: Any, name: str, kind: type, path: str | Path) -> Any:
    member = group.get(name)
    if not isinstance(member, kind):
        raise WeightsError(f"{path}: holds no {kind.__name__.lower()} {name!r}; is it a snapshot of Caffe?")
    return member


def _stored_array(dataset: h5py.Dataset, where: str) -> StoredArray:
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise WeightsError(f"{where}: holds values of type {dataset.dtype}, expected numbers")
    if dataset.external or dataset.is_virtual:
        raise WeightsError(f"{where}: its values stand in another file, which is not read")
    return StoredArray(dataset.shape, lambda: np.asarray(dataset[()], dtype=np.float32))


def _array(values: torch.Tensor) -> np.ndarray:
    return values.cpu().contiguous().numpy().astype(np.float32, copy=False)


def _integer(file: h5py.File, name: str, path: str | Path) -> int:
    dataset = _member(file, name, h5py.Dataset, path)
    if dataset.dtype.kind not in "iu" or dataset.size != 1:
        raise WeightsError(f"{path}: {name} is no whole number")
    return int(dataset[()].ravel()[0]) if dataset.shape else int(dataset[()])


def _text(file: h5py.File, name: str, path: str | Path) -> str:
    dataset = _member(file, name, h5py.Dataset, path)
    if dataset.dtype.kind not in "SO" or dataset.shape != () or not _is_there(dataset):
        raise WeightsError(f"{path}: {name} is no text")
    return os.fsdecode(dataset[()])


def _write_text(file: h5py.File, name: str, text: str) -> None:
    """One string that ends in a zero byte, as H5LTmake_dataset_string writes it and Caffe's reader relies on."""
    data = os.fsencode(text) + b"\0"
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(data))
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(data, dtype=f"S{len(data)}"), mtype=kind)


def _resume(file: h5py.File, path: str | Path) -> Any:
    dataset = _member(file, _RESUME, h5py.Dataset, path)
    try:
        if dataset.dtype != np.uint8 or not _is_there(dataset):
            raise DecodeError
        return caffe_pb2.ResumeState.FromString(dataset[()].tobytes())
    except DecodeError:
        raise WeightsError(f"{path}: {_RESUME} is damaged") from None


def _is_there(dataset: h5py.Dataset) -> bool:
    """Whether the file holds as many bytes as the dataset states: it may state any size without having it."""
    return dataset.id.get_storage_size() >= dataset.dtype.itemsize * dataset.size
