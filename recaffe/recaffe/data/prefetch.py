"""Batches of a data layer, made ahead in a background thread.

Source: src/caffe/layers/base_data_layer.cpp and internal_thread.cpp.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import DataError
from recaffe.data.transformer import Transformer
from recaffe.random_stream import RandomStream

State = Mapping[str, np.ndarray]
"""Where a batch begins, as arrays: places in the source, and random streams."""

_MOST_VALUES = 2**31 - 1  # of a blob, as Blob::Reshape checks


@dataclass(frozen=True)
class Batch:
    """data float32 (N, C, H, W), labels float32 (N,), and where the next batch begins."""

    data: NDArray[np.float32]
    labels: NDArray[np.float32]
    end: State


class Loader(Protocol):
    """Makes the batches of one data layer, one after the other without end.

    It is used by one thread at a time and draws from streams of its own, so batches do not depend on timing. Setting
    up takes words from the net's stream exactly as Caffe does, the last of them for the thread.
    """

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the first batch."""
        ...

    def load(self) -> Batch: ...

    def state(self) -> State: ...

    def set_state(self, state: State) -> None: ...

    def close(self) -> None: ...


class Prefetcher:
    """The batches of a Loader, of which some are made ahead. Whoever drops it ends its thread."""

    def __init__(self, loader: Loader, ahead: int) -> None:
        if ahead < 1:
            raise DataError(f"data_param.prefetch is {ahead}, expected 1 or more batches made ahead")
        self._loader, self._ahead = loader, ahead
        self._next = loader.state()
        self._coming: deque[Future[Batch]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        weakref.finalize(self, self._thread.shutdown, wait=False, cancel_futures=True)

    def next_batch(self) -> Batch:
        """The next batch, which the caller may keep. Raises DataError for what cannot be read or does not fit."""
        while len(self._coming) <= self._ahead:
            self._coming.append(self._thread.submit(self._loader.load))
        batch = self._coming.popleft().result()
        self._next = batch.end
        return batch

    def state(self) -> State:
        """Where the next batch begins, for `set_state`."""
        return self._next

    def set_state(self, state: State) -> None:
        """Go on from where `state` was taken. Raises DataError if the source is another one than then."""
        self._drain()
        self._loader.set_state(state)
        self._next = self._loader.state()

    def close(self) -> None:
        """End the thread and give the source back."""
        self._drain()
        self._thread.shutdown()
        self._loader.close()

    def _drain(self) -> None:
        for future in self._coming:
            future.cancel()
        for future in self._coming:
            if not future.cancelled():
                future.exception()  # waits until it is done
        self._coming.clear()


def check_batch_shape(shape: tuple[int, ...], where: str) -> None:
    """Raise DataError for a batch of less than one image, or of more values than a blob of Caffe can have."""
    if shape[0] < 1:
        raise DataError(f"{where}: batch_size is {shape[0]}, expected 1 or more")
    count = 1
    for size in shape:
        count *= size
    if count > _MOST_VALUES:
        raise DataError(f"{where}: a batch of shape {shape} has {count} values, a blob at most {_MOST_VALUES}")


def make_transformer(param: Any, phase: int) -> Transformer:
    """The Transformer of a LayerParameter. Raises DataError, which names the layer."""
    try:
        return Transformer(param.transform_param, phase)
    except (ValueError, OSError) as error:
        raise DataError(f"layer {param.name!r}: {error}") from None


def stream_state(name: str, stream: RandomStream | None) -> dict[str, np.ndarray]:
    """A random stream's state as arrays with that name in front; nothing for None."""
    if stream is None:
        return {}
    return {f"{name}_{key}": np.asarray(value) for key, value in stream.state().items()}


def set_stream_state(name: str, stream: RandomStream | None, state: State) -> None:
    """Let the stream go on from what `stream_state` gave. Raises DataError if it gave nothing then."""
    if stream is None:
        return
    keys = [key for key in state if key.startswith(f"{name}_")]
    if not keys:
        raise DataError(f"the state of the data layer has no random stream {name!r}; was it another net?")
    values: dict[str, Any] = {key[len(name) + 1 :]: np.asarray(state[key]) for key in keys}
    stream.set_state({**values, "pos": int(values["pos"])})
