"""Periodic random fields, and look-ups in maps over (depth, angle): what every other part of the phantom is made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray
_LANE = 128  # chosen: a remap destination must stay below 32767 in each direction, so long lists are folded


def f32(values: ArrayLike) -> Array:
    """The values as a float32 array."""
    return np.asarray(values, dtype=np.float32)


def sample(table: Array, column: Array, row: Array) -> Array:
    """Bilinear look-up in a map that repeats in both directions.

    table: (R, C) or (R, C, K), uint8 or float32. column, row: (N,) float32, in texels (centres at whole numbers).
    Returns (N,) or (N, K) of the table's dtype.
    """
    n = column.size
    lanes = -(-n // _LANE)
    maps = np.zeros((2, lanes * _LANE), np.float32)
    maps[0, :n], maps[1, :n] = column, row
    maps = maps.reshape(2, lanes, _LANE)
    found = cv2.remap(table, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return found.reshape(lanes * _LANE, *table.shape[2:])[:n]


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Array:
    """Smooth periodic noise of unit variance. shape: (R, C) texels; cells: features along each direction. float32."""
    grid = rng.standard_normal(cells).astype(np.float32)
    pad = 2
    wide = np.pad(grid, pad, mode="wrap")
    step_y, step_x = shape[0] / cells[0], shape[1] / cells[1]
    rows = (np.arange(shape[0], dtype=np.float32) + 0.5) / step_y - 0.5 + pad
    columns = (np.arange(shape[1], dtype=np.float32) + 0.5) / step_x - 0.5 + pad
    map_x, map_y = np.meshgrid(columns, rows)
    field = cv2.remap(wide, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return field / max(float(field.std()), 1e-6)


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int], octaves: int) -> Array:
    """Octaves of value_noise, each twice as fine and 0.55 times as strong; unit variance. float32."""
    finest = cells[0] << octaves
    if finest * 4 <= shape[0] and (cells[1] << octaves) * 4 <= shape[1]:
        # Smooth enough to be made small and enlarged, at a quarter of the cost.
        small = fractal_noise(rng, (shape[0] // 2, shape[1] // 2), cells, octaves)
        return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        fine = (min(cells[0] << octave, shape[0]), min(cells[1] << octave, shape[1]))
        total += 0.55**octave * value_noise(rng, shape, fine)
    return total / max(float(total.std()), 1e-6)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below low, 1 above high, smooth between; low > high falls instead."""
    x = np.clip((value - low) / (high - low), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def drift(rng: np.random.Generator, n: int, knots: int) -> Array:
    """A smooth random function of time, (n,) float64 with spread about 1, with `knots` turns over its length."""
    points = rng.standard_normal(knots + 4)
    at = np.linspace(1.0, knots + 1.0, n)
    left = np.clip(at.astype(int), 1, knots + 1)
    u = at - left
    a, b, c, d = (points[np.clip(left + k, 0, knots + 3)] for k in (-1, 0, 1, 2))
    # Catmull-Rom: through every knot, with a continuous slope.
    return 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
