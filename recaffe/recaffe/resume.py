"""What a training session depends on besides weights, history and iteration: where its data and random streams stand.

Real Caffe stores none of it, so it cannot go on exactly. Our snapshots hold it as a ResumeState.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from recaffe import mode
from recaffe.errors import WeightsError
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream

if TYPE_CHECKING:
    from recaffe.net import Net

log = logging.getLogger("recaffe.solver")
_PROCESS = -1  # the `net` of arrays that belong to no net
_STREAM, _GPU = "global_stream", "gpu_generator"  # the `layer` of such arrays


def capture(nets: Sequence[Net]) -> Any:
    """A ResumeState: the global random stream, on a GPU that of the device, and the state of each net's layers."""
    message = caffe_pb2.ResumeState()
    for net, layer, arrays in _states(nets):
        for name, values in arrays.items():
            array = np.asarray(values)
            message.array.add(
                net=net, layer=layer, name=name, dtype=array.dtype.str, dim=array.shape, data=array.tobytes()
            )
    return message


def apply(message: Any, nets: Sequence[Net], path: str | Path) -> None:
    """Put nets of the same solver where they stood at `capture`. A layer that the message lacks stays where it is.

    Raises WeightsError if an array is damaged or a layer cannot go where it stood (another database, say).
    """
    stored: dict[tuple[int, str], dict[str, np.ndarray]] = {}
    for proto in message.array:
        stored.setdefault((proto.net, proto.layer), {})[proto.name] = _array(proto, path)
    for index, net in enumerate(nets):
        for layer in net.engine_layers:
            if (index, layer.name) in stored:
                _set(lambda state, layer=layer: layer.set_state(state), stored[index, layer.name], layer.name, path)
    if (_PROCESS, _STREAM) in stored:
        _set(global_stream.set_state, stored[_PROCESS, _STREAM], _STREAM, path)
    if (_PROCESS, _GPU) in stored and mode.device().type == "cuda":
        _set(
            lambda state: mode.gpu_generator().set_state(torch.from_numpy(state["state"])),
            stored[_PROCESS, _GPU],
            _GPU,
            path,
        )


def _states(nets: Sequence[Net]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    yield _PROCESS, _STREAM, global_stream.state()
    if mode.device().type == "cuda":
        yield _PROCESS, _GPU, {"state": mode.gpu_generator().get_state().numpy()}
    for index, net in enumerate(nets):
        for layer in net.engine_layers:
            yield index, layer.name, layer.state()


def _set(set_state: Any, state: dict[str, np.ndarray], name: str, path: str | Path) -> None:
    try:
        set_state(state)
    except (RuntimeError, LookupError, ValueError, TypeError, OverflowError) as error:  # of any layer's own reader
        raise WeightsError(
            f"{path}: {name!r} cannot go on where it stood: {error}. "
            "restore(path, exact=False) leaves data and random numbers where they are, as real Caffe does"
        ) from None


def _array(proto: Any, path: str | Path) -> np.ndarray:
    """Raises WeightsError for a type that is no number or text, and where bytes are missing."""
    try:
        dtype = np.dtype(proto.dtype)
    except TypeError:
        dtype = np.dtype(object)
    shape = tuple(proto.dim)
    if dtype.kind not in "biufS" or min(shape, default=0) < 0 or len(proto.data) != dtype.itemsize * math.prod(shape):
        raise WeightsError(
            f"{path}: the state of {proto.layer!r} is damaged: {proto.name!r} of type {proto.dtype!r} and shape "
            f"{shape} in {len(proto.data)} bytes"
        )
    return np.frombuffer(proto.data, dtype).reshape(shape).copy()
