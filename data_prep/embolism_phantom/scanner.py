"""From the shapes' HU to a reconstruction: motion, streaks, blur of the kernel and the slice, noise, whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_prep.embolism_phantom.grid import WHOLE, Array, Grid

LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True)
class Scanner:
    """noise_hu: spread in the middle of the chest. sharpness: 0 a soft kernel to 1 a sharp one. streak_hu: near the
    contrast in the superior vena cava. beat_mm, breath_mm: how far the heart and the slices moved."""

    noise_hu: float
    sharpness: float
    streak_hu: float
    beat_mm: float
    breath_mm: float


def draw_scanner(rng: np.random.Generator, cava_hu: float, difficulty: float) -> Scanner:
    return Scanner(
        noise_hu=float(rng.uniform(12, 26) * (0.8 + 0.8 * difficulty)),
        sharpness=float(rng.random()),
        streak_hu=float(rng.uniform(0.04, 0.14) * max(cava_hu - 250, 0)),
        beat_mm=float(rng.uniform(0.3, 2.2)),
        breath_mm=float(max(rng.uniform(-1.0, 1.6), 0)),
    )


def scan(rng: np.random.Generator, grid: Grid, hu: Array, labels: Array, scanner: Scanner) -> tuple[Array, Array]:
    """(int16 HU, labels) as recorded; both of the grid's shape. `hu` is used up."""
    _beat(rng, grid, hu, scanner.beat_mm)
    _breathe(rng, grid, hu, labels, scanner.breath_mm)
    _streak(rng, grid, hu, scanner.streak_hu)
    soft = 0.75 - 0.35 * scanner.sharpness  # of a pixel
    hu = ndimage.gaussian_filter(hu, (0.5, soft, soft), output=np.float32, mode="nearest")
    hu += _noise(rng, grid, scanner)
    return np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16), labels


def _beat(rng: np.random.Generator, grid: Grid, hu: Array, beat_mm: float) -> None:
    """Doubled edges about the heart: the mean of three moments of its beat."""
    box = grid.box(np.array([-200.0, -75, -45]), np.array([0.0, 15, 85]))
    if box is None:
        return
    z, y, x = grid.axes(box)
    weight = np.exp(-(((x - 22) / 48) ** 2) - ((y + 28) / 40) ** 2 - (np.maximum(z + 50, 0) / 32) ** 2)
    angle = rng.uniform(0, np.pi)
    move = beat_mm * np.array([0.3, np.sin(angle), np.cos(angle)]) / grid.spacing_mm
    still = hu[box].copy()
    moved = sum(ndimage.shift(still, sign * move, order=1, mode="nearest") for sign in (-1, 1))
    hu[box] = still + weight * ((still + moved) / 3 - still)


def _breathe(rng: np.random.Generator, grid: Grid, hu: Array, labels: Array, breath_mm: float) -> None:
    """A stretch of slices that slid within their plane, the truth with them."""
    if breath_mm == 0:
        return
    n = grid.shape[0]
    first = int(rng.integers(0, max(n - n // 4, 1)))
    for k in range(first, min(first + n // 4, n)):
        step = breath_mm * np.sin((k - first) / max(n // 4, 1) * 2 * np.pi) / grid.spacing_mm[1]
        hu[k] = ndimage.shift(hu[k], (step, 0), order=1, mode="nearest")
        labels[k] = ndimage.shift(labels[k], (step, 0), order=0, mode="nearest")


def _streak(rng: np.random.Generator, grid: Grid, hu: Array, streak_hu: float) -> None:
    """Rays of dark and bright from the dense contrast in the superior vena cava, turning slowly from slice to slice."""
    z, y, x = grid.axes(WHOLE)
    dy, dx = y + 14, x + 30
    angle, away = np.arctan2(dy, dx), np.hypot(dy, dx)
    fall = np.exp(-away / 32) * (1 - np.exp(-((away / 9) ** 2)))
    phases, drift = rng.uniform(0, 6.28, 5), rng.normal(0, 0.12, 5)
    height = (z[:, 0, 0] > -32) * np.exp(-(((z[:, 0, 0] - 30) / 55) ** 2))
    for k in np.flatnonzero(height > 0.05):
        waves = sum(
            np.cos(m * angle + phase + turn * k) for m, phase, turn in zip((2, 3, 5, 7, 9), phases, drift, strict=True)
        )
        hu[k] += (streak_hu * height[k] * fall * waves / 1.6)[0]


def _noise(rng: np.random.Generator, grid: Grid, scanner: Scanner) -> Array:
    """Beam noise: correlated by the kernel, stronger where the shoulders take the beam, and then streaked sideways."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    fine = 0.95 - 0.4 * scanner.sharpness
    noise = ndimage.gaussian_filter(white, (0.45, fine, fine), mode="wrap")
    noise -= (0.35 + 0.5 * scanner.sharpness) * ndimage.gaussian_filter(noise, (0, 1.6, 1.6), mode="wrap")
    noise *= scanner.noise_hu / max(float(noise[::4].std()), 1e-6)
    z, y, x = grid.axes(WHOLE)
    shoulders = np.clip((z - 25) / 60, 0, 1)
    depth = 0.65 + 0.35 * np.exp(-((x / 75) ** 2) - ((y - 5) / 70) ** 2)
    noise *= depth * (1 + 0.5 * shoulders)
    high = np.flatnonzero(shoulders[:, 0, 0] > 0)
    if len(high):
        rays = ndimage.gaussian_filter(
            rng.standard_normal((len(high), *grid.shape[1:]), dtype=np.float32), (0.4, 0.7, 14)
        )
        noise[high] += rays * (9 / max(float(rays.std()), 1e-6)) * shoulders[high]
    return noise
