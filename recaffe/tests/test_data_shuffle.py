"""Orders made at random."""

from __future__ import annotations

import numpy as np
import pytest
from recaffe.data.shuffle import LibcRandom, shuffled
from recaffe.random_stream import RandomStream


class _Words(RandomStream):
    """A stream of given words."""

    def __init__(self, words: list[int]) -> None:
        super().__init__(0)
        self._given = words

    def words(self, count: int) -> np.ndarray:
        taken, self._given = self._given[:count], self._given[count:]
        assert len(taken) == count
        return np.array(taken, dtype=np.uint32)


def test_each_place_is_swapped_with_one_up_to_it_from_the_last_on():
    # 3 places: word // (2**32 // 3) of 2**31 is 1; 2 places: word // 2**31 of 5 is 0.
    assert shuffled(np.array([7, 8, 9]), _Words([2**31, 5])).tolist() == [9, 7, 8]


def test_a_word_behind_the_last_bucket_is_drawn_again():
    # 2**32 - 1 // (2**32 // 3) is 3, one too many.
    stream = _Words([2**32 - 1, 2**31, 5, 77])
    assert shuffled(np.array([7, 8, 9]), stream).tolist() == [9, 7, 8]
    assert stream.word() == 77


@pytest.mark.parametrize("size", [0, 1])
def test_what_has_no_order_takes_no_word(size: int):
    assert shuffled(np.arange(size), _Words([])).tolist() == list(range(size))


def test_shuffling_keeps_every_place():
    assert sorted(shuffled(np.arange(5000), RandomStream(3)).tolist()) == list(range(5000))


def test_numbers_are_those_of_glibc():
    # Printed by C's rand() on Linux, in a new process, and after srand(42).
    generator = LibcRandom()
    first = [generator.number() for _ in range(6)]
    assert first == [1804289383, 846930886, 1681692777, 1714636915, 1957747793, 424238335]
    generator.seed(42)
    assert [generator.number() for _ in range(3)] == [71876166, 708592740, 1483128881]


def test_random_shuffle_swaps_with_remainders():
    generator = LibcRandom()  # 1804289383 % 2 = 1, 846930886 % 3 = 1, 1681692777 % 4 = 1
    assert generator.shuffled(np.array([5, 6, 7, 8])).tolist() == [5, 8, 6, 7]


def test_a_generator_goes_on_from_a_state():
    generator, other = LibcRandom(), LibcRandom(5)
    for _ in range(45):
        generator.number()
    other.set_state(generator.state())
    assert [other.number() for _ in range(100)] == [generator.number() for _ in range(100)]
    with pytest.raises(ValueError, match=r"a state of shape \(30,\), expected 31 numbers"):
        other.set_state(np.zeros(30, dtype=np.uint32))
