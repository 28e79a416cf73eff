"""Normal and exponential numbers from 32-bit words, bit for bit as boost 1.74 makes them in single precision.

The ziggurat method (Marsaglia and Tsang) covers the area under a falling density f by layers of equal area: layer i is
a box of width x[i] from f(x[i]) up to f(x[i+1]), where x[0] is widened so that box and tail together have that area.
One word picks the layer (low byte) and a place in the box (high 24 bits); most places lie under the curve for sure.
Source: boost/random/normal_distribution.hpp, exponential_distribution.hpp, detail/int_float_pair.hpp.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = np.float32
GUARD = 1024  # words that must follow an attempt; that one needs more has a probability below 1e-300
_TWO_32 = F32(2**32)
_ROUNDS_UP = np.uint32(2**32 - 128)  # from here on a word as float32 is 2**32, a "uniform" of 1 that boost draws again


class _Tables(NamedTuple):
    """Per layer i: box width, the width that is under the curve for sure, and the layer's place on the y axis."""

    x: NDArray[np.float32]  # (L + 1,)
    y: NDArray[np.float32]  # (L + 1,)
    x_step: NDArray[np.float32]  # (L,) x[i] - x[i+1]
    y_step: NDArray[np.float32]  # (L,) y[i+1] - y[i]
    sure: NDArray[np.float32]  # (L,) smallest float32 that is not below x[i+1]
    exact_x: NDArray[np.float64]  # (L + 1,)


def _tables(
    layers: int, x0: str, x1: str, density: Callable[[Decimal], Decimal], inverse: Callable[[Decimal], Decimal]
) -> _Tables:
    """x[i+1] is where the density is one layer's share higher: f(x[i+1]) = f(x[i]) + area / x[i]."""
    with localcontext() as context:
        context.prec = 40
        xs, ys = [Decimal(x0), Decimal(x1)], [Decimal(0), density(Decimal(x1))]
        area = xs[0] * ys[1]
        while len(xs) < layers:
            ys.append(ys[-1] + area / xs[-1])
            xs.append(inverse(ys[-1]))
    x = np.array([*xs, 0], dtype=np.float64)
    y = np.array([*ys, 1], dtype=np.float64)
    rounded = x[1:].astype(F32)
    sure = np.where(rounded.astype(np.float64) < x[1:], np.nextafter(rounded, F32(np.inf)), rounded)
    return _Tables(x.astype(F32), y.astype(F32), (x[:-1] - x[1:]).astype(F32), np.diff(y).astype(F32), sure, x)


_NORMAL = _tables(
    128,
    "3.7130862467403632609",
    "3.4426198558966521214",
    density=lambda x: (-x * x / 2).exp(),
    inverse=lambda y: (-2 * y.ln()).sqrt(),
)
_EXPONENTIAL = _tables(
    256,
    "8.6971174701310497140",
    "7.6971174701310497140",
    density=lambda x: (-x).exp(),
    inverse=lambda y: -y.ln(),
)
# By a word's low byte: bit 0 is the sign (1: plus), the rest the layer; the place's scale of 2**-24 is folded in.
_SIGN = np.where(np.arange(256) & 1, 1, -1).astype(F32)
_LAYER = np.arange(256) >> 1
_SIGNED_WIDTH: NDArray[np.float32] = (_SIGN * _NORMAL.x[_LAYER] * F32(2**-24)).astype(F32)
_SURE = _NORMAL.sure[_LAYER]
_TAIL_START = _NORMAL.x[1]


def unit_normals(words: NDArray[np.uint32], count: int) -> tuple[NDArray[np.float32], int]:
    """At most `count` standard normal numbers, float32, and how many of `words` they took.

    Attempts begin at all but the last GUARD words. Most take one word. One that falls outside the sure part of its
    layer takes a second, and may fail; one in the lowest layer samples the tail from as many words as that needs.
    """
    body = words[:-GUARD]
    byte = (body & np.uint32(255)).astype(np.intp)
    values: NDArray[np.float32] = (body >> np.uint32(8)).astype(F32) * _SIGNED_WIDTH[byte]
    unsure = np.flatnonzero(np.abs(values) >= _SURE[byte])
    layer = _LAYER[byte[unsure]]
    ends, accepted = _wedges(words, unsure, layer, np.abs(values[unsure]))

    is_drawn = np.ones(len(body), dtype=bool)
    length = np.ones(len(body), dtype=np.int32)
    next_start = 0
    for start, end, is_tail, is_accepted in zip(
        unsure.tolist(), ends.tolist(), (layer == 0).tolist(), accepted.tolist(), strict=True
    ):
        if start < next_start:  # a word that the attempt before took
            continue
        if is_tail:
            tail, end = _normal_tail(words, start + 1)
            values[start] = tail * _SIGN[byte[start]]
        is_drawn[start] = is_accepted
        is_drawn[start + 1 : end] = False
        length[start] = end - start
        next_start = end
    starts = np.flatnonzero(is_drawn)[:count]
    taken = int(starts[-1] + length[starts[-1]]) if len(starts) == count else max(next_start, len(body))
    return values[starts], taken


def _wedges(
    words: NDArray[np.uint32], starts: NDArray[np.intp], layer: NDArray[np.intp], x: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For attempts outside the sure part of their layer: where they end, and whether they are under the curve.

    The lowest layer, which has no wedge, comes out as accepted.
    """
    at = starts + 1
    while (again := words[at] >= _ROUNDS_UP).any():
        at = at + again
    y01 = words[at].astype(F32) / _TWO_32
    x_left, y_low = _NORMAL.x[layer], _NORMAL.y[layer]
    y = y_low + y01 * _NORMAL.y_step[layer]
    above_diagonal = _NORMAL.x_step[layer] * y01 - (x_left - x)
    above_tangent = y - (y_low + (x_left - x) * y_low * x_left)
    is_convex = _NORMAL.exact_x[layer] >= 1  # below the inflection point diagonal and tangent change places
    above_upper = np.where(is_convex, above_diagonal, above_tangent)
    above_lower = np.where(is_convex, above_tangent, above_diagonal)
    under_curve = y < _exp(-(x * x / F32(2)))
    return at + 1, (layer == 0) | ((above_upper < 0) & ((above_lower < 0) | under_curve))


def _normal_tail(words: NDArray[np.uint32], at: int) -> tuple[np.float32, int]:
    """A number beyond the lowest layer's box, and the place after the words it took."""
    while True:
        x, at = _unit_exponential(words, at)
        x = x / _TAIL_START
        y, at = _unit_exponential(words, at)
        if F32(2) * y > x * x:
            return x + _TAIL_START, at


def _unit_exponential(words: NDArray[np.uint32], at: int) -> tuple[np.float32, int]:
    """An exponential number of mean 1, and the place after the words it took."""
    shift = F32(0)
    table = _EXPONENTIAL
    while True:
        word = int(words[at])
        at += 1
        layer = word & 255
        x = F32(word >> 8) * F32(2**-24) * table.x[layer]
        if x < table.x[layer + 1]:
            return shift + x, at
        if layer == 0:  # the tail has the shape of the whole
            shift += table.x[1]
            continue
        while words[at] >= _ROUNDS_UP:
            at += 1
        y01 = F32(words[at]) / _TWO_32
        at += 1
        y = table.y[layer] + y01 * table.y_step[layer]
        above_upper = table.x_step[layer] * y01 - (table.x[layer] - x)
        above_lower = y - (table.y[layer + 1] + (table.x[layer + 1] - x) * table.y[layer + 1])
        if above_upper < 0 and (above_lower < 0 or y < _exp(-x)):
            return x + shift, at


def _exp(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """exp rounded once to float32, as the C library's expf is but for a few cases in a billion."""
    return np.exp(x.astype(np.float64)).astype(F32)
