"""Batches of a data layer, made ahead in a background thread.

Source: src/caffe/layers/base_data_layer.cpp and internal_thread.cpp.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import DataError
from recaffe.data.transformer import Transformer
from recaffe.random_stream import RandomStream

State = Mapping[str, np.ndarray]
"""Where a batch begins, as arrays: places in the source, and random streams."""

_MOST_AHEAD = 1024  # chosen: batches made ahead; more would only fill the memory


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
    """The batches of a Loader, of which some are made ahead, in a thread that ends with it.

    Nothing waits for batches that nobody will ask for, at the end of the process neither: only for the one being made.
    """

    def __init__(self, loader: Loader, ahead: int) -> None:
        if not 1 <= ahead <= _MOST_AHEAD:
            raise DataError(f"data_param.prefetch is {ahead}, expected 1 to {_MOST_AHEAD} batches made ahead")
        self._loader, self._ahead = loader, ahead
        self._next = loader.state()
        self._wanted: SimpleQueue[bool] = SimpleQueue()  # True for each batch to make, False to end
        self._made: SimpleQueue[Batch | Exception] = SimpleQueue()
        self._asked = 0  # batches that are wanted, being made, or made
        self._thread: threading.Thread | None = None

    def next_batch(self) -> Batch:
        """The next batch, which the caller may keep. Raises DataError for what cannot be read or does not fit."""
        if self._thread is None:
            work = (self._loader, self._wanted, self._made)
            self._thread = threading.Thread(target=_make_batches, args=work, name="prefetch", daemon=True)
            self._thread.start()
            self._end = weakref.finalize(self, _end, self._thread, self._wanted)
        while self._asked <= self._ahead:
            self._wanted.put(True)
            self._asked += 1
        batch = self._made.get()
        self._asked -= 1
        if isinstance(batch, Exception):
            raise batch
        self._next = batch.end
        return batch

    def state(self) -> State:
        """Where the next batch begins, for `set_state`."""
        return self._next

    def set_state(self, state: State) -> None:
        """Go on from where `state` was taken. Raises DataError if the source is another one than then."""
        self._asked -= _take_back(self._wanted)
        while self._asked:
            self._made.get()
            self._asked -= 1
        self._loader.set_state(state)
        self._next = self._loader.state()

    def close(self) -> None:
        """End the thread and give the source back."""
        if self._thread is not None:
            self._end()
        self._loader.close()


def _make_batches(loader: Loader, wanted: SimpleQueue[bool], made: SimpleQueue[Batch | Exception]) -> None:
    """What the thread does. It knows nothing of the Prefetcher, so that this can be dropped meanwhile."""
    while wanted.get():
        try:
            made.put(loader.load())
        except Exception as error:
            made.put(error)


def _take_back(wanted: SimpleQueue[bool]) -> int:
    """Ask for no more than is being made; returns how many batches were taken back."""
    count = 0
    while True:
        try:
            wanted.get_nowait()
        except Empty:
            return count
        count += 1


def _end(thread: threading.Thread, wanted: SimpleQueue[bool]) -> None:
    _take_back(wanted)
    wanted.put(False)
    if thread is not threading.current_thread():  # garbage is collected in any thread
        thread.join()


def check_batch_size(batch_size: int, where: str) -> None:
    """Raise DataError for batches of nothing."""
    if batch_size < 1:
        raise DataError(f"{where}: batch_size is {batch_size}, expected 1 or more")


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
    try:
        key, pos, unread = (np.asarray(state[f"{name}_{part}"]) for part in ("key", "pos", "unread"))
    except KeyError:
        raise DataError(f"the state of the data layer has no random stream {name!r}; was it another net?") from None
    try:
        stream.set_state({"key": key, "pos": pos, "unread": unread})
    except (ValueError, TypeError) as error:
        raise DataError(f"the state of the data layer's random stream {name!r} is damaged: {error}") from None
