"""The random stream against arrays recorded from real Caffe 1.0 (Debian 11, boost 1.74), and its own rules."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from recaffe.random_stream import RandomStream
from recaffe.ziggurat import GUARD, unit_normals


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:32]


def test_words_are_those_of_the_mersenne_twister():
    assert RandomStream(5489).words(10000)[-1] == 4123659995  # the check value of the C++ standard
    assert RandomStream(5489 + 2**32).word() == RandomStream(5489).word()  # 32 bits of the seed count


def test_first_numbers_of_seed_7_are_caffes():
    assert RandomStream(7).uniform(3, 0, 1).tolist() == pytest.approx([0.0763083, 0.2273391, 0.7799189], abs=1e-7)
    gaussian = RandomStream(7).gaussian(3, 0, 1)
    assert gaussian.tolist() == pytest.approx([0.09323039, -0.24141267, 1.9732021], abs=1e-7)
    assert gaussian.dtype == np.float32


def test_millions_of_numbers_are_caffes_to_the_last_bit():
    stream = RandomStream(11)
    assert _digest(stream.gaussian(2_000_000, 0, 0.01)) == "1bc222100843decd68e5a7b9352c8387"
    assert _digest(stream.uniform(1000, 0, 1)) == "1a702f2415d28e9ca5adec1625522105"  # as many words were taken
    stream.seed(13)
    assert _digest(stream.uniform(1_000_000, -3, 0.7)) == "559da73683f14a237e1441f089363e45"
    assert _digest(stream.uniform(1000, 0, 1)) == "572190d54ac5fd798dd97ec4761add8a"


def test_numbers_do_not_depend_on_how_they_are_asked_for():
    whole, pieces = RandomStream(3), RandomStream(3)
    at_once = whole.gaussian(150_000, 1, 2)
    in_pieces = np.concatenate([pieces.gaussian(count, 1, 2) for count in (1, 0, 999, 70_000, 79_000)])
    assert np.array_equal(at_once, in_pieces)
    assert np.array_equal(whole.words(5), pieces.words(5))


def test_tail_and_wedge_follow_the_normal_curve():
    numbers = RandomStream(1).gaussian(3_000_000, 0, 1).astype(np.float64)
    for edge in (0.0, 0.3, 1.0, 2.5, 3.0, 3.4426, 4.0):
        expected = 0.5 * math.erfc(edge / math.sqrt(2))
        deviation = math.sqrt(expected * (1 - expected) / len(numbers))
        assert abs((numbers > edge).mean() - expected) < 5 * deviation
        assert abs((numbers < -edge).mean() - expected) < 5 * deviation


def test_a_sure_draw_takes_one_word_and_a_tail_draw_more():
    sure = np.full(GUARD + 2, (1 << 8) | 1 | (5 << 1), dtype=np.uint32)  # a small fraction of layer 5
    assert unit_normals(sure, 1)[1] == 1
    tail = sure.copy()
    tail[0] = 0xFFFFFF00 | 1  # the far end of the lowest layer, plus sign
    values, taken = unit_normals(tail, 1)
    assert values[0] > 3.44 and taken == 3  # the tail's two exponential numbers


def test_bernoulli_compares_words_as_boost_does():
    words = RandomStream(9).words(10000)
    stream = RandomStream(9)
    assert np.array_equal(stream.bernoulli(10000, 0.3), words <= 0.3 * (2**32 - 1))
    bound = np.float32(0.3) * np.float32(2**32)
    assert np.array_equal(RandomStream(9).bernoulli(10000, 0.3, in_float32=True), words.astype(np.float32) <= bound)
    assert RandomStream(9).bernoulli(100, 1).all()


def test_bernoulli_of_zero_takes_no_words():
    stream = RandomStream(9)
    assert not stream.bernoulli(100, 0).any()
    assert stream.word() == RandomStream(9).word()


def test_state_continues_exactly():
    stream = RandomStream(4)
    stream.gaussian(777, 0, 1)
    state = stream.state()
    expected = stream.gaussian(5000, 0, 1)
    other = RandomStream(0)
    other.set_state(state)
    assert np.array_equal(other.gaussian(5000, 0, 1), expected)


def test_seedless_streams_differ():
    assert RandomStream().words(4).tolist() != RandomStream().words(4).tolist()


def test_impossible_distributions_are_refused():
    stream = RandomStream(1)
    with pytest.raises(ValueError, match="the lower end must not be above"):
        stream.uniform(1, 1, 0)
    with pytest.raises(ValueError, match="std 0: it must be above 0"):
        stream.gaussian(1, 0, 0)
    with pytest.raises(ValueError, match=r"probability of 1\.5"):
        stream.bernoulli(1, 1.5)


@pytest.mark.parametrize(
    "damage", [{"pos": 625}, {"pos": -1}, {"key": np.zeros(3, np.uint32)}, {"unread": np.zeros((2, 2))}]
)
def test_damaged_state_is_refused_and_the_stream_goes_on(damage):
    stream = RandomStream(1)
    with pytest.raises(ValueError, match="the state of a random stream has"):
        stream.set_state({**stream.state(), **damage})
    assert stream.word() == RandomStream(1).word()
