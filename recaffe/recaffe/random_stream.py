"""Caffe's global random stream on the CPU: one Mersenne Twister that fillers, Dropout and data layers share.

The words are those of boost::mt19937(seed), the numbers made of them those of boost 1.74 in single precision, so that
the same `random_seed` gives the same weights, masks, crops and mirrors as in real Caffe.
Source: src/caffe/common.cpp and src/caffe/util/math_functions.cpp (caffe_rng_*), and boost.random.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.ziggurat import GUARD, unit_normals

F32 = np.float32
_TWISTER_WORDS = 624  # of a Mersenne Twister's state
_LEAST_FILL = 1024  # chosen: words drawn at once for small requests
_MOST_FILL = 2**16  # chosen: words turned into normal numbers at once, so that they stay in the cache


class RandomStream:
    """A stream of 32-bit words and the numbers Caffe makes of them. Each number takes the words that boost takes."""

    def __init__(self, seed: int | None = None) -> None:
        """Start at `seed` (its low 32 bits), or at one from the operating system."""
        self.seed(int.from_bytes(os.urandom(4), "little") if seed is None else seed)

    def seed(self, seed: int) -> None:
        """Start again at `seed`, of which the low 32 bits count. Source: Caffe::set_random_seed."""
        self._twister = np.random.RandomState(seed & 0xFFFFFFFF)
        self._unread = np.empty(0, dtype=np.uint32)

    def state(self) -> dict[str, Any]:
        """Where the stream stands: {"key": uint32 (624,), "pos": int, "unread": uint32 (n,)}, for `set_state`."""
        twister: Any = self._twister.get_state(legacy=False)
        return {**twister["state"], "unread": self._unread.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue where another stream stood when `state` was taken. Raises ValueError if it is damaged."""
        key, unread = np.asarray(state["key"], np.uint32), np.array(state["unread"], np.uint32)
        pos = int(state["pos"])
        if key.shape != (_TWISTER_WORDS,) or not 0 <= pos <= _TWISTER_WORDS or unread.ndim != 1:
            raise ValueError(  # numpy itself would read beyond the words
                f"the state of a random stream has words of shape {key.shape}, position {pos} and unread words of "
                f"shape {unread.shape}; expected {_TWISTER_WORDS} words, a position among them, and a list"
            )
        self._twister.set_state({"bit_generator": "MT19937", "state": {"key": key, "pos": pos}})
        self._unread = unread

    def words(self, count: int) -> NDArray[np.uint32]:
        """The next `count` words, uint32 (count,). Source: caffe_rng_rand."""
        words = self._peek(count)
        self._unread = self._unread[count:]
        return words

    def word(self) -> int:
        """The next word."""
        return int(self.words(1)[0])

    def uniform(self, count: int, low: float, high: float) -> NDArray[np.float32]:
        """Numbers in [low, high], float32 (count,). Source: caffe_rng_uniform<float>.

        Raises ValueError if low is above high, or the range has no float32 width.
        """
        first = F32(low)
        last = np.nextafter(F32(high), F32(np.inf))
        if not first < last:
            raise ValueError(f"uniform numbers from {low} to {high}: the lower end must not be above the upper")
        if not float(last) - float(first) < float(np.finfo(F32).max):
            raise ValueError(f"uniform numbers from {low} to {high}: the range is too wide for float32")
        result = np.empty(0, dtype=F32)
        while len(result) < count:  # what rounds up to `last` is drawn again
            fraction = self.words(count - len(result)).astype(F32) / F32(2**32)
            numbers = fraction * (last - first) + first
            result = np.concatenate([result, numbers[numbers < last]]) if len(result) else numbers[numbers < last]
        return result

    def gaussian(self, count: int, mean: float, std: float) -> NDArray[np.float32]:
        """Normal numbers, float32 (count,). Source: caffe_rng_gaussian<float>. Raises ValueError unless std > 0."""
        if not std > 0:
            raise ValueError(f"gaussian numbers with std {std}: it must be above 0")
        result = np.empty(count, dtype=F32)
        done = 0
        while done < count:
            wanted = min(count - done, _MOST_FILL)
            numbers, taken = unit_normals(self._peek(wanted + GUARD), wanted)
            self._unread = self._unread[taken:]
            np.multiply(numbers, F32(std), out=result[done : done + len(numbers)])
            done += len(numbers)
        result += F32(mean)
        return result

    def bernoulli(self, count: int, probability: float, in_float32: bool = False) -> NDArray[np.bool_]:
        """True with `probability`, bool (count,); one word each, none at all for probability 0.

        Caffe compares in double precision for Dropout, in single precision for sparse gaussian weights (in_float32).
        Source: caffe_rng_bernoulli. Raises ValueError unless 0 <= probability <= 1.
        """
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability of {probability}: it must be from 0 to 1")
        if probability == 0:
            return np.zeros(count, dtype=bool)
        words = self.words(count)
        if in_float32:
            return words.astype(F32) <= F32(probability) * F32(2**32 - 1)
        return words <= np.uint32(probability * (2**32 - 1))  # words are exact there: whole numbers compare the same

    def _peek(self, count: int) -> NDArray[np.uint32]:
        """The next `count` words, without taking them."""
        missing = count - len(self._unread)
        if missing > 0:
            fresh = self._twister.randint(0, 2**32, size=max(missing, _LEAST_FILL), dtype=np.uint32)
            self._unread = np.concatenate([self._unread, fresh]) if len(self._unread) else fresh
        return self._unread[:count]


global_stream = RandomStream()
"""The stream that everything draws from, as in Caffe; `global_stream.seed(...)` is `caffe.set_random_seed`."""
