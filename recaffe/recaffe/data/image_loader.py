"""Batches of a list of images. Source: src/caffe/layers/image_data_layer.cpp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.data import images, prefetch
from recaffe.data.errors import DataError, RecordError
from recaffe.data.image_list import read_image_list
from recaffe.data.prefetch import Batch, State
from recaffe.data.shuffle import shuffled
from recaffe.random_stream import RandomStream


class ImageLoader:
    """The batches of an ImageData layer; see `prefetch.Loader`.

    Setting up takes words from `stream`: one for the transformer's seed if it is random, one for the stream that
    shuffles if there is one, one for rand_skip if it is not 0, the transformer's again, and one for the thread. The
    list is shuffled at the start and at its end, each time from the order it then has.
    param: the LayerParameter. Raises DataError for settings, a list or a first image that cannot be used; `load`
    raises it for later images.
    """

    def __init__(self, param: Any, phase: int, stream: RandomStream) -> None:
        options = param.image_data_param
        self._source, self._root, self._is_color = options.source, options.root_folder, options.is_color
        self._size = options.new_height, options.new_width
        if (options.new_height == 0) != (options.new_width == 0):
            raise DataError(f"layer {param.name!r}: new_height and new_width are given together, or none of them")
        self._entries = read_image_list(options.source)
        self._order = np.arange(len(self._entries))
        self._next = 0
        self._transformer = prefetch.make_transformer(param, phase)
        self._transformer.seed_from(stream)
        self._shuffle_stream: RandomStream | None = None
        if options.shuffle:
            self._shuffle_stream = RandomStream(stream.word())
            self._order = shuffled(self._order, self._shuffle_stream)
        if options.rand_skip:
            self._skip(stream.word() % options.rand_skip)
        try:
            self.shape = (options.batch_size, *self._transformer.output_shape(self._read()))
        except RecordError as error:
            raise self._error(error) from None
        prefetch.check_batch_size(options.batch_size, options.source)
        self._transformer.seed_from(stream)  # Caffe seeds it twice
        stream.word()  # seeds the thread's own global stream in Caffe, which nothing there draws from

    def _skip(self, count: int) -> None:
        if count >= len(self._entries):
            raise DataError(f"{self._source}: rand_skip skips {count} images, but there are {len(self._entries)}")
        self._next = count

    def load(self) -> Batch:
        """The next batch, of the shape of its first image; all its images have that shape once transformed."""
        data = np.empty(0, dtype=np.float32)
        labels = np.empty(self.shape[0], dtype=np.float32)
        for index in range(len(labels)):
            try:
                image = self._read()
                if index == 0:
                    data = np.empty((len(labels), *self._transformer.output_shape(image)), dtype=np.float32)
                self._transformer.transform(image, data[index])
                labels[index] = self._entries[self._order[self._next]][1]
            except RecordError as error:
                raise self._error(error) from None
            finally:
                self._advance()
        return Batch(data, labels, self.state())

    def _read(self) -> NDArray[np.uint8]:
        """The image whose turn it is, uint8 (C, H, W)."""
        place = self._order[self._next]
        try:
            return images.read(self._root + self._entries[place][0], self._is_color, *self._size).transpose(2, 0, 1)
        except DataError as error:
            raise DataError(f"{self._source}:{place + 1}: {error}") from None

    def _error(self, error: RecordError) -> DataError:
        place = self._order[self._next]
        return DataError(f"{self._source}:{place + 1}: the image {self._root}{self._entries[place][0]} {error}")

    def _advance(self) -> None:
        self._next += 1
        if self._next == len(self._entries):
            self._next = 0
            if self._shuffle_stream is not None:
                self._order = shuffled(self._order, self._shuffle_stream)

    def state(self) -> State:
        """{"order": int64 (N,), "next": place in it, int64 ()}, and the streams of shuffle and transformer."""
        return {
            "order": self._order,
            "next": np.array(self._next),
            **prefetch.stream_state("shuffle", self._shuffle_stream),
            **prefetch.stream_state("transformer", self._transformer.stream),
        }

    def set_state(self, state: State) -> None:
        """Raises DataError if the list has another length than then."""
        order, place = np.array(state["order"], dtype=np.int64), int(state["next"])
        if not np.array_equal(np.sort(order), np.arange(len(self._entries))) or not 0 <= place < len(order):
            raise DataError(
                f"{self._source}: lists {len(self._entries)} images, but {len(order)} when the state was kept"
            )
        prefetch.set_stream_state("shuffle", self._shuffle_stream, state)
        prefetch.set_stream_state("transformer", self._transformer.stream, state)
        self._order, self._next = order, place

    def close(self) -> None:
        """Nothing is open between images."""
