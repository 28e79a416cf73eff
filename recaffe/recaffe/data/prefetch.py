"""Batches of a Data layer, made ahead in a background thread.

Source: src/caffe/layers/data_layer.cpp, base_data_layer.cpp and internal_thread.cpp.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from recaffe.data.cursor import Cursor, DatabaseError
from recaffe.data.transformer import RecordError, Transformer
from recaffe.proto import caffe_pb2
from recaffe.random_stream import RandomStream


@dataclass(frozen=True)
class Position:
    """Where a batch begins: the key of its first record, and the transformer's stream (None if it is not random)."""

    key: bytes
    stream: dict[str, Any] | None


@dataclass(frozen=True)
class Batch:
    """data float32 (N, C, H, W), labels float32 (N,), and where the next batch begins."""

    data: NDArray[np.float32]
    labels: NDArray[np.float32]
    end: Position


class Prefetcher:
    """The batches of a database, one after the other without end.

    Setting up takes words from `stream` exactly as Caffe does: two for the transformer's seed if it is random, of
    which the second counts, and one for the thread. Batches are then made in a thread that draws from the
    transformer's own stream only, so results do not depend on timing.
    param: a Data layer's LayerParameter. (rand_skip has no effect, as in Caffe 1.0.)
    Raises DatabaseError for a database or a first record that cannot be used; `next_batch` raises it for later ones.
    """

    def __init__(self, param: Any, phase: int, stream: RandomStream) -> None:
        options = param.data_param
        if options.backend != caffe_pb2.DataParameter.LMDB:
            raise DatabaseError(f"{options.source}: LevelDB is not read; make an LMDB and say `backend: LMDB`")
        if options.batch_size < 1:
            raise DatabaseError(f"{options.source}: data_param.batch_size is {options.batch_size}, expected 1 or more")
        if options.prefetch < 1:
            raise DatabaseError(f"{options.source}: data_param.prefetch is {options.prefetch}, expected 1 or more")
        self._ahead = options.prefetch
        self._loader = _Loader(Cursor(options.source), _transformer(param, phase), options.batch_size)
        self.shape = self._loader.first_shape()
        self._loader.seed(stream)
        stream.word()  # seeds the thread's own global stream in Caffe, which nothing there draws from
        self._position = self._loader.position()
        self._coming: deque[Future[Batch]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")

    def next_batch(self) -> Batch:
        """The next batch, which the caller may keep."""
        while len(self._coming) <= self._ahead:
            self._coming.append(self._thread.submit(self._loader.load))
        batch = self._coming.popleft().result()
        self._position = batch.end
        return batch

    def position(self) -> Position:
        """Where the next batch begins, for `seek`."""
        return self._position

    def seek(self, position: Position) -> None:
        """Go on from where `position` was taken. Raises DatabaseError if the database has no such key."""
        self._drain()
        self._loader.seek(position)
        self._position = position

    def close(self) -> None:
        """End the thread and give the database back."""
        self._drain()
        self._thread.shutdown()
        self._loader.cursor.close()

    def _drain(self) -> None:
        for future in self._coming:
            future.cancel()
        for future in self._coming:
            if not future.cancelled():
                future.exception()  # waits until it is done
        self._coming.clear()


class _Loader:
    """What the thread works on: cursor and transformer, which nobody else touches while batches are being made."""

    def __init__(self, cursor: Cursor, transformer: Transformer, batch_size: int) -> None:
        self.cursor = cursor
        self.transformer = transformer
        self.batch_size = batch_size

    def seed(self, stream: RandomStream) -> None:
        if self.transformer.is_random:
            stream.word()  # Caffe seeds the transformer twice
            self.transformer.seed(stream.word())

    def first_shape(self) -> tuple[int, int, int, int]:
        """The shape of a batch, as the record at the cursor has it."""
        try:
            return (self.batch_size, *self.transformer.output_shape(self._datum()))
        except RecordError as error:
            raise DatabaseError(f"{self.cursor.source}: record {self.cursor.key!r} {error.problem}") from None

    def position(self) -> Position:
        stream = self.transformer.stream
        return Position(self.cursor.key, stream.state() if stream else None)

    def seek(self, position: Position) -> None:
        self.cursor.seek(position.key)
        if self.transformer.stream is not None and position.stream is not None:
            self.transformer.stream.set_state(position.stream)

    def load(self) -> Batch:
        keys, datums = [], []
        for _ in range(self.batch_size):
            keys.append(self.cursor.key)
            datums.append(self._datum())
            self.cursor.next()
        try:
            data = self.transformer.transform(datums)
        except RecordError as error:
            raise DatabaseError(f"{self.cursor.source}: record {keys[error.index]!r} {error.problem}") from None
        labels = np.array([datum.label for datum in datums], dtype=np.float32)
        return Batch(data, labels, self.position())

    def _datum(self) -> Any:
        try:
            return caffe_pb2.Datum.FromString(self.cursor.value)
        except DecodeError:
            raise DatabaseError(f"{self.cursor.source}: record {self.cursor.key!r} is not a Datum") from None


def _transformer(param: Any, phase: int) -> Transformer:
    try:
        return Transformer(param.transform_param, phase)
    except (ValueError, OSError) as error:
        raise DatabaseError(f"layer {param.name!r}: {error}") from None
