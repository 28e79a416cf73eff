"""Grey textures from formulas: shaped noise, waves, cells, leaves and strokes.

A texture class is a function of a random generator that returns one tile, (TILE, TILE) float32 with mean 0.5 and
standard deviation 0.22 before clipping to [0, 1]. Source: noise with a chosen spectrum and dead leaves as in Baradad et
al. 2021, "Learning to see by looking at noise"; the others are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

TILE = 256  # chosen: a patch of 131 px can be cut from it at any angle and at scales from 0.7 on
Texture = Callable[[np.random.Generator], np.ndarray]


def noise(rng: np.random.Generator, slope: float, low: float = 1, high: float = 128, narrow: float = 0.0) -> np.ndarray:
    """Gaussian noise, amplitude f^-slope between `low` and `high` cycles a tile; narrow > 0 prefers one direction."""
    fy, fx = np.fft.fftfreq(TILE)[:, None] * TILE, np.fft.rfftfreq(TILE)[None, :] * TILE
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1
    amplitude = frequency**-slope * ((frequency >= low) & (frequency <= high))
    if narrow:
        amplitude = amplitude * np.exp(-((narrow * np.arctan2(fy, fx + 1e-9)) ** 2))
    spectrum = amplitude * np.exp(2j * np.pi * rng.random(amplitude.shape))
    return _standardised(np.fft.irfft2(spectrum, s=(TILE, TILE)))


def ridges(rng: np.random.Generator, slope: float) -> np.ndarray:
    """Bright creases where a smooth noise crosses its mean: marble, vessels."""
    return _standardised(-np.sqrt(np.abs(noise(rng, slope, 2, 64) - 0.5)))


def camouflage(rng: np.random.Generator, slope: float, levels: int) -> np.ndarray:
    """Noise cut into `levels` flat greys of equal area."""
    field = noise(rng, slope)
    cuts = np.quantile(field, np.linspace(0, 1, levels + 1)[1:-1])
    return _standardised(rng.permutation(levels)[np.searchsorted(cuts, field)])


def stripes(rng: np.random.Generator, waves: float, warp: float, both: bool = False) -> np.ndarray:
    """`waves` bright bands a tile, bent by noise; both: a second set across the first, woven."""
    y, x = np.mgrid[:TILE, :TILE] / TILE
    bend = warp * (noise(rng, 2.0, 1, 12) - 0.5)
    first = np.sin(2 * np.pi * waves * (x + bend))
    return _standardised(np.maximum(first, np.sin(2 * np.pi * waves * (y + bend))) if both else first)


def rings(rng: np.random.Generator, waves: float, warp: float) -> np.ndarray:
    """Bent rings about a random point: cut wood."""
    y, x = np.mgrid[:TILE, :TILE] / TILE
    cy, cx = rng.uniform(0.2, 0.8, 2)
    return _standardised(np.sin(2 * np.pi * waves * (np.hypot(y - cy, x - cx) + warp * (noise(rng, 2.0, 1, 8) - 0.5))))


def cells(rng: np.random.Generator, count: int, kind: str) -> np.ndarray:
    """Voronoi cells of `count` random points: as `domes`, as `walls`, or as a `mosaic` of flat greys."""
    seeds = np.full((TILE, TILE), 255, np.uint8)
    seeds[rng.integers(0, TILE, count), rng.integers(0, TILE, count)] = 0
    distance, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    if kind == "domes":
        return _standardised(-distance)
    flat = rng.random(owner.max() + 1)[owner].astype(np.float32)
    if kind == "mosaic":
        return _standardised(flat)
    edges = cv2.morphologyEx(flat, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return _standardised(cv2.GaussianBlur(edges.astype(np.float32), (0, 0), 0.8))


def dots(rng: np.random.Generator, count: int, radius: float) -> np.ndarray:
    """`count` discs about `radius` pixels wide on a plain ground."""
    canvas = np.zeros((TILE, TILE), np.uint8)
    for x, y, r in zip(*rng.integers(0, TILE, (2, count)), radius * rng.uniform(0.7, 1.3, count), strict=True):
        cv2.circle(canvas, (int(x) * 16, int(y) * 16), int(r * 16), 255, cv2.FILLED, cv2.LINE_AA, shift=4)
    return _standardised(canvas)


def leaves(rng: np.random.Generator, corners: int, smallest: float) -> np.ndarray:
    """Dead leaves: discs (corners 0) or polygons of random greys, radius density r^-3, each hiding the ones below."""
    canvas = np.zeros((TILE, TILE), np.uint8)
    count = int(3000 / smallest)  # chosen: enough for the leaves to hide the ground
    radii = np.minimum(smallest / np.sqrt(rng.uniform(1e-3, 1, count)), 80)
    for x, y, r in zip(*rng.integers(0, TILE, (2, count)), radii, strict=True):
        grey = int(rng.integers(0, 256))
        if corners == 0:
            cv2.circle(canvas, (int(x), int(y)), round(r), grey, cv2.FILLED, cv2.LINE_AA)
        else:
            angle = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
            points = np.stack((x + r * np.cos(angle), y + r * np.sin(angle)), axis=1)
            cv2.fillPoly(canvas, [points.round().astype(np.int32)], grey, cv2.LINE_AA)
    return _standardised(canvas)


def strokes(rng: np.random.Generator, count: int, length: float, aligned: float) -> np.ndarray:
    """Short straight lines of random greys; aligned 1: all in one direction, 0: in any."""
    canvas = np.full((TILE, TILE), 128, np.uint8)
    start = rng.uniform(0, TILE, (count, 2))
    angle = np.pi * (1 - aligned) * rng.uniform(-1, 1, count)
    end = start + length * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    for a, b, grey in zip(start.astype(int), end.astype(int), rng.integers(0, 256, count), strict=True):
        cv2.line(canvas, a.tolist(), b.tolist(), int(grey), int(rng.integers(1, 3)), cv2.LINE_AA)
    return _standardised(canvas)


TEXTURES: dict[str, Texture] = {  # chosen: what differs between neighbours is scale, order, direction or sharpness
    "noise-white": partial(noise, slope=0.4, high=80),
    "noise-pink": partial(noise, slope=1.2),
    "noise-cloud": partial(noise, slope=2.2),
    "noise-band-coarse": partial(noise, slope=0.0, low=7, high=11),
    "noise-band-fine": partial(noise, slope=0.0, low=20, high=28),
    "noise-grain-coarse": partial(noise, slope=0.8, low=3, high=40, narrow=4.0),
    "noise-grain-fine": partial(noise, slope=0.3, low=12, high=90, narrow=2.5),
    "ridges-smooth": partial(ridges, slope=2.0),
    "ridges-rough": partial(ridges, slope=1.3),
    "camouflage-coarse": partial(camouflage, slope=2.0, levels=3),
    "camouflage-fine": partial(camouflage, slope=1.3, levels=2),
    "stripes-wide": partial(stripes, waves=8, warp=0.15),
    "stripes-narrow": partial(stripes, waves=24, warp=0.1),
    "stripes-wavy": partial(stripes, waves=14, warp=0.5),
    "weave": partial(stripes, waves=13, warp=0.05, both=True),
    "rings": partial(rings, waves=14, warp=0.2),
    "cells-domes": partial(cells, count=160, kind="domes"),
    "cells-walls": partial(cells, count=90, kind="walls"),
    "cells-mosaic": partial(cells, count=260, kind="mosaic"),
    "dots-large": partial(dots, count=60, radius=8),
    "dots-small": partial(dots, count=350, radius=2.5),
    "leaves-discs": partial(leaves, corners=0, smallest=4),
    "leaves-squares": partial(leaves, corners=4, smallest=6),
    "strokes": partial(strokes, count=700, length=22, aligned=0.0),
}


def _standardised(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    return np.clip(0.5 + 0.22 * (values - values.mean()) / max(float(values.std()), 1e-6), 0, 1)
