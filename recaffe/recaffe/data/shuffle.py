"""Orders made at random, swap for swap as Caffe makes them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from recaffe.random_stream import RandomStream

_LAG, _SHORT_LAG = 31, 3  # of glibc's additive feedback generator
_DISCARDED = 310  # numbers that glibc draws before the first one it gives out


def shuffled(order: NDArray[np.int64], stream: RandomStream) -> NDArray[np.int64]:
    """A new order, int64 (N,), made of `order` with words of `stream`.

    From the last place down to the second, each is swapped with one of those up to it. Which one is word // bucket,
    where the buckets cut the 2**32 words into as many equal parts as there are places; words behind the last part are
    drawn again. Source: caffe/util/rng.hpp, shuffle, with boost::uniform_int.
    """
    places = order.tolist()
    words: Iterator[int] = iter(())
    for last in range(len(places) - 1, 0, -1):
        bucket = 2**32 // (last + 1)
        other = last + 1
        while other > last:
            word = next(words, None)
            if word is None:
                words = iter(stream.words(last).tolist())  # each of the swaps to come takes one at least
                word = next(words)
            other = word // bucket
        places[last], places[other] = places[other], places[last]
    return np.array(places, dtype=np.int64)


class LibcRandom:
    """The numbers of glibc's rand(), which std::random_shuffle draws from: HDF5Data shuffles by it.

    Caffe never seeds it: a process begins at srand(1) whatever the random_seed, and all HDF5Data layers of the process
    share it. Source: glibc, stdlib/random_r.c (TYPE_3).
    """

    def __init__(self, seed: int = 1) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start again, as srand(seed) does; 0 counts as 1."""
        numbers = [seed % 2**31 or 1]
        while len(numbers) < _LAG:
            numbers.append(16807 * numbers[-1] % (2**31 - 1))
        self._numbers, self._place = numbers, _SHORT_LAG
        for _ in range(_DISCARDED):
            self.number()

    def number(self) -> int:
        """The next number, from 0 to 2**31 - 1."""
        numbers, place = self._numbers, self._place
        total = (numbers[place] + numbers[place - _SHORT_LAG]) & 0xFFFFFFFF
        numbers[place] = total
        self._place = (place + 1) % _LAG
        return total >> 1

    def state(self) -> NDArray[np.uint32]:
        """Where it stands, uint32 (31,), for `set_state`."""
        return np.array(self._numbers[self._place :] + self._numbers[: self._place], dtype=np.uint32)

    def set_state(self, state: NDArray[np.uint32]) -> None:
        """Go on from where `state` was taken. Raises ValueError for anything else."""
        if np.shape(state) != (_LAG,):
            raise ValueError(f"a state of shape {np.shape(state)}, expected {_LAG} numbers of rand()")
        self._numbers, self._place = np.asarray(state, dtype=np.uint32).tolist(), 0

    def shuffled(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """A new order, int64 (N,): each place from the second on is swapped with number() % those up to it.

        Source: libstdc++, std::random_shuffle without a generator.
        """
        places = order.tolist()
        for place in range(1, len(places)):
            other = self.number() % (place + 1)
            places[place], places[other] = places[other], places[place]
        return np.array(places, dtype=np.int64)


libc_random = LibcRandom()
"""The one of this process, at srand(1) when it starts, as in real Caffe."""
