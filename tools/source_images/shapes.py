"""Silhouettes from formulas: fractals, sinusoidal contours and radial contours.

Every shape class is a formula with fixed parameters; `draw` makes one member of the class, (size, size) float32 opacity
in [0, 1], by disturbing the parameters a little. Sources: iterated function systems as in FractalDB (Kataoka et al.
2020) with the singular-value sampling of Anderson and Farrell 2022; sinusoidal contours as in VisualAtom (Takashima et
al. 2023); nested polygons as in RCDB (Kataoka et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

WALKERS, STEPS, SETTLING = 1500, 60, 12  # chosen: 72000 points fill a 160 px square densely
JITTER = 0.06  # chosen: relative disturbance within a class; its members stay recognisable by eye
FILLED = (0.12, 0.55)  # chosen: share of the square a fractal covers; neither dust nor a plain blob


class Shape(Protocol):
    """A shape class."""

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """One member: (size, size) float32 opacity in [0, 1]."""
        ...


@dataclass(frozen=True)
class Fractal:
    """Attractor of an iterated function system: points moved by affine maps drawn at random.

    maps: (n, 2, 3) float64, each an affine map of the plane; a map is drawn as often as its area asks.
    """

    maps: np.ndarray

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        maps = self.maps * (1 + JITTER * rng.standard_normal(self.maps.shape))
        area = np.abs(np.linalg.det(maps[:, :, :2])) + 0.01
        choices = rng.choice(len(maps), size=(STEPS, WALKERS), p=area / area.sum())
        points, cloud = np.zeros((WALKERS, 2)), []
        for step, choice in enumerate(choices):
            points = np.einsum("nij,nj->ni", maps[choice, :, :2], points) + maps[choice, :, 2]
            if step >= SETTLING:
                cloud.append(points)
        x, y = np.concatenate(cloud).T
        inside = np.isfinite(x) & np.isfinite(y)
        x, y = _to_unit(x[inside]), _to_unit(y[inside])
        counts, _, _ = np.histogram2d(y, x, bins=size, range=((0, 1), (0, 1)))
        return np.tanh(cv2.GaussianBlur(counts.astype(np.float32), (0, 0), 0.8) * 1.5)


@dataclass(frozen=True)
class Atom:
    """A closed curve whose radius is one plus two sine waves along the angle, filled."""

    waves: tuple[int, int]
    heights: tuple[float, float]

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        radius = np.ones_like(angle)
        for wave, height in zip(self.waves, self.heights, strict=True):
            radius += height * rng.uniform(0.7, 1.3) * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
        return _polygon(angle, radius * 0.47 / np.abs(radius).max(), size)


@dataclass(frozen=True)
class RadialContours:
    """Nested polygons, every second one cut out of the one around it."""

    vertices: int
    rings: int
    roughness: float

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        angle = np.linspace(0, 2 * np.pi, self.vertices, endpoint=False)
        outline = 0.42 * (1 + self.roughness * rng.uniform(-1, 1, self.vertices))
        opacity = np.zeros((size, size), np.float32)
        for ring in range(self.rings):
            shrink = 1 - (ring + 0.25 * rng.uniform(-1, 1) * (ring > 0)) / self.rings
            polygon = _polygon(angle, outline * shrink, size)
            opacity = opacity * (1 - polygon) + polygon * ((ring + 1) % 2)
        return opacity


def shape_classes(rng: np.random.Generator) -> dict[str, Shape]:
    """The 24 shape classes by name, eight of each family; the fractals are drawn from `rng`."""
    shapes: dict[str, Shape] = {}
    while len(shapes) < 8:
        fractal = _random_fractal(rng)
        covered = float((fractal.draw(rng, 96) > 0.3).mean())
        if FILLED[0] < covered < FILLED[1]:
            shapes[f"fractal-{len(shapes)}"] = fractal
    atoms = ((2, 3), (2, 7), (3, 5), (4, 9), (5, 11), (6, 2), (8, 3), (12, 5))  # chosen: from potato to cogwheel
    for waves in atoms:
        shapes[f"atom-{waves[0]}-{waves[1]}"] = Atom(waves, (0.28, 0.12))
    nests = (
        (3, 1, 0.25),
        (3, 3, 0.1),
        (4, 2, 0.1),
        (5, 4, 0.2),
        (6, 1, 0.45),
        (7, 3, 0.4),
        (12, 2, 0.35),
        (40, 5, 0.06),
    )
    for vertices, rings, roughness in nests:  # chosen: triangles to near-circles, plain to nested, smooth to jagged
        shapes[f"contours-{vertices}-{rings}"] = RadialContours(vertices, rings, roughness)
    return shapes


def _random_fractal(rng: np.random.Generator) -> Fractal:
    """Two to four maps whose singular values add up to what Anderson and Farrell found to give good geometry."""
    n = int(rng.integers(2, 5))
    target = rng.uniform(0.5 * (5 + n), 0.5 * (6 + n))  # sum over maps of sigma_1 + 2 sigma_2, their section 3.2
    while True:
        large = rng.uniform(0.3, 1, n)
        small = large * rng.uniform(0.2, 1, n)
        scale = target / (large + 2 * small).sum()
        if (large * scale).max() < 1:
            break
    maps = np.empty((n, 2, 3))
    for k in range(n):
        diagonal = np.diag([large[k] * scale, small[k] * scale]) @ np.diag(rng.choice([-1, 1], 2))
        maps[k, :, :2] = _rotation(rng.uniform(0, 2 * np.pi)) @ diagonal @ _rotation(rng.uniform(0, 2 * np.pi))
        maps[k, :, 2] = rng.uniform(-1, 1, 2)
    return Fractal(maps)


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _to_unit(values: np.ndarray) -> np.ndarray:
    """Stretch the middle 98 % of the values to [0.04, 0.96]."""
    low, high = np.percentile(values, (1, 99))
    return 0.04 + 0.92 * (values - low) / max(high - low, 1e-6)


def _polygon(angle: np.ndarray, radius: np.ndarray, size: int) -> np.ndarray:
    """A polygon about the centre, radius in shares of the side, filled and anti-aliased."""
    corners = size * (0.5 + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1))
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(canvas, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) / 255
