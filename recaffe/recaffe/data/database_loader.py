"""Batches of a database, in the order of its keys. Source: src/caffe/layers/data_layer.cpp."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.data import prefetch
from recaffe.data.cursor import open_cursor
from recaffe.data.errors import DatabaseError, RecordError
from recaffe.data.prefetch import Batch, State
from recaffe.data.records import read_datum, values_of
from recaffe.random_stream import RandomStream

log = logging.getLogger("recaffe.net")


class DatabaseLoader:
    """The batches of a Data layer; see `prefetch.Loader`.

    Setting up takes two words from `stream` for the transformer's seed if it is random, of which the second counts,
    and one for the thread. param: the LayerParameter. (rand_skip has no effect, as in Caffe 1.0.)
    Raises DatabaseError for a database or a first record that cannot be used; `load` raises it for later ones.
    """

    def __init__(self, param: Any, phase: int, stream: RandomStream) -> None:
        options = param.data_param
        self._transformer = prefetch.make_transformer(param, phase)
        self._cursor = open_cursor(options.source, options.backend)
        try:
            self.shape = (options.batch_size, *self._transformer.output_shape(self._read()[0]))
        except RecordError as error:
            raise self._error(error) from None
        prefetch.check_batch_size(options.batch_size, options.source)
        if (self._transformer.force_color or self._transformer.force_gray) and not read_datum(
            self._cursor.value
        ).encoded:
            log.warning("layer %r: force_color and force_gray act on encoded records only", param.name)
        self._transformer.seed_from(stream)
        self._transformer.seed_from(stream)  # Caffe seeds it twice
        stream.word()  # seeds the thread's own global stream in Caffe, which nothing there draws from

    def load(self) -> Batch:
        """The next batch, of the shape of its first record; all its records have that shape once transformed."""
        data = np.empty(0, dtype=np.float32)
        labels = np.empty(self.shape[0], dtype=np.float32)
        for index in range(len(labels)):
            try:
                values, labels[index] = self._read()
                if index == 0:
                    data = np.empty((len(labels), *self._transformer.output_shape(values)), dtype=np.float32)
                self._transformer.transform(values, data[index])
            except RecordError as error:
                raise self._error(error) from None
            finally:
                self._cursor.next()
        return Batch(data, labels, self.state())

    def _read(self) -> tuple[NDArray[Any], int]:
        """The values (C, H, W) and the label of the record at the cursor."""
        datum = read_datum(self._cursor.value)
        return values_of(datum, self._transformer.force_color, self._transformer.force_gray), datum.label

    def _error(self, error: RecordError) -> DatabaseError:
        return DatabaseError(f"{self._cursor.source}: record {self._cursor.key!r} {error}")

    def state(self) -> State:
        """{"key": the next record's, uint8 (N,)}, and the transformer's stream."""
        key = np.frombuffer(self._cursor.key, dtype=np.uint8)
        return {"key": key, **prefetch.stream_state("transformer", self._transformer.stream)}

    def set_state(self, state: State) -> None:
        """Raises DatabaseError if the database has no record of that key."""
        self._cursor.seek(np.asarray(state["key"], dtype=np.uint8).tobytes())
        prefetch.set_stream_state("transformer", self._transformer.stream, state)

    def close(self) -> None:
        """Give the database back."""
        self._cursor.close()
