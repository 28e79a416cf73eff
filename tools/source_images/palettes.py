"""Colour classes: each maps the greys of a texture to a path through Lab space."""

from __future__ import annotations

import cv2
import numpy as np


def palette_classes(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` palettes, (count, 256, 3) float32 BGR in [0, 255]: dark to bright or back, hues spread over the circle.

    Chroma is low, middle or high in turn: most surfaces of the world are dull.
    """
    steps = np.linspace(0, 1, 256)[:, None]
    palettes = []
    for k in range(count):
        hue = 2 * np.pi * (k / count) + np.array([0, rng.uniform(-1.6, 1.6)])
        chroma = (10, 28, 50)[k % 3] * rng.uniform(0.6, 1.2, 2)
        light = np.array([rng.uniform(12, 40), rng.uniform(65, 95)])[:: rng.choice([-1, 1])]
        ends = np.stack((light, chroma * np.cos(hue), chroma * np.sin(hue)), axis=1)
        palettes.append((1 - steps) * ends[0] + steps * ends[1])
    lab = np.array(palettes, np.float32)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2BGR), 0, 1) * 255


def recolour(palette: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One member of a palette class: each end of the path moved a little. (256, 3) float32 BGR, not clipped."""
    weight = np.linspace(0, 1, len(palette), dtype=np.float32)[:, None]
    shifts = rng.normal(0, 8, (2, 3)).astype(np.float32)  # chosen: neighbouring palettes stay apart
    return palette + (1 - weight) * shifts[0] + weight * shifts[1]
