"""The colon's wall: a bent tube whose radius is a map over (depth, angle), with haustral folds.

Lengths are in units of the mean radius of the lumen (about 2 cm in a distended colon). z runs along the colon,
theta around it; the wall's maps repeat every PERIOD along z, so a video of any length needs the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array, f32, fractal_noise, sample, value_noise

PERIOD = 16.0  # chosen: longer than what one view shows, so that a repeat is never seen together with itself
SHAPE = (1024, 512)  # chosen: 64 rows and 81 columns a unit; the sharpest fold is about 6 rows wide
TAU = 2.0 * np.pi


@dataclass(frozen=True)
class Bend:
    """The centre line c(z), one sine an axis; amplitude, frequency, phase: (2,) float32."""

    amplitude: Array
    frequency: Array
    phase: Array

    def centre(self, z: Array) -> tuple[Array, Array]:
        a, f, p = self.amplitude, self.frequency, self.phase
        return a[0] * np.sin(f[0] * z + p[0]), a[1] * np.sin(f[1] * z + p[1])

    def slope(self, z: Array) -> tuple[Array, Array]:
        a, f, p = self.amplitude, self.frequency, self.phase
        return a[0] * f[0] * np.cos(f[0] * z + p[0]), a[1] * f[1] * np.cos(f[1] * z + p[1])


@dataclass(frozen=True)
class Wall:
    """radius: SHAPE float32. surface: (*SHAPE, 3) float32, d radius / dz, d radius / d theta, and openness: the share
    of the light from all round that reaches the place, 1 on a crest and less in a crease."""

    bend: Bend
    radius: Array
    surface: Array

    def cylinder(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array, Array]:
        """Distance rho from the centre line, the unit vector (ux, uy) away from it, and theta in [0, 2 pi)."""
        cx, cy = self.bend.centre(z)
        dx, dy = x - cx, y - cy
        rho, theta = cv2.cartToPolar(dx, dy)
        rho = np.maximum(rho.reshape(dx.shape), 1e-4)
        return rho, dx / rho, dy / rho, theta.reshape(dx.shape)

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """How far inside the wall a point is, measured across the tube; negative beyond the wall. float32."""
        cx, cy = self.bend.centre(z)
        rho, theta = cv2.cartToPolar(x - cx, y - cy)
        row, column = texel(z, theta.ravel(), SHAPE)
        return sample(self.radius, column, row) - rho.ravel()

    def point(self, z: float, theta: float) -> tuple[Array, Array]:
        """A point on the wall and the unit normal into the lumen there, each (3,) float64."""
        at_z, at_theta = f32([z]), f32([theta % TAU])
        row, column = texel(at_z, at_theta, SHAPE)
        radius = float(sample(self.radius, column, row)[0])
        r_z, r_t, _ = (float(v) for v in sample(self.surface, column, row)[0])
        (cx,), (cy,) = self.bend.centre(at_z)
        (sx,), (sy,) = self.bend.slope(at_z)
        ux, uy = np.cos(theta), np.sin(theta)
        normal = np.array([-ux - uy * r_t / radius, -uy + ux * r_t / radius, r_z + ux * sx + uy * sy])
        return np.array([cx + radius * ux, cy + radius * uy, z]), normal / np.linalg.norm(normal)


def texel(z: Array, theta: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Row and column (float texels) of (z, theta) in a map of `shape` over (PERIOD, 2 pi)."""
    return z * np.float32(shape[0] / PERIOD), theta * np.float32(shape[1] / TAU)


def draw_bend(rng: np.random.Generator) -> Bend:
    frequency = rng.uniform(0.3, 0.8, 2)
    steepest = rng.uniform(0.15, 0.6, 2)
    return Bend(f32(steepest / frequency), f32(frequency), f32(rng.uniform(0, TAU, 2)))


def draw_radius(rng: np.random.Generator) -> Array:
    """The radius map of one colon, SHAPE float32: sacculations between haustral folds. Anatomy differs by video."""
    z = np.arange(SHAPE[0], dtype=np.float32) * np.float32(PERIOD / SHAPE[0])
    theta = np.arange(SHAPE[1], dtype=np.float32) * np.float32(TAU / SHAPE[1])
    segment = rng.choice(["triangular", "semilunar", "ring"], p=[0.4, 0.4, 0.2])
    gaps = rng.uniform(0.65, 1.35, rng.integers(11, 19))
    stations = np.cumsum(gaps) * (PERIOD / gaps.sum())
    depth = rng.uniform(0.24, 0.42)
    twist = rng.uniform(0, TAU)

    inward = np.zeros(SHAPE, np.float32)
    for station in stations:
        arcs = {"triangular": 3, "semilunar": int(rng.integers(1, 3)), "ring": 1}[str(segment)]
        for arc in range(arcs):
            middle = twist + TAU * arc / arcs + rng.normal(0, 0.25)
            half = {"triangular": 1.15, "semilunar": rng.uniform(1.1, 1.9), "ring": np.pi * 1.3}[str(segment)]
            height = depth * rng.uniform(0.45, 1.15)
            width = rng.uniform(0.07, 0.13)
            off = np.abs((theta - middle + np.pi) % TAU - np.pi)
            window = np.maximum(np.cos(off * (np.pi / 2 / half)), 0.0) ** 0.6 * (off < half)
            wave = 0.07 * value_noise(rng, (1, SHAPE[1]), (1, 6))[0]
            off_station = rng.normal(0, 0.08) + rng.normal(0, 0.16) * np.cos(theta - middle) + wave
            first = int((station - 1.5) * SHAPE[0] / PERIOD)
            rows = np.arange(first, first + 3 * round(SHAPE[0] / PERIOD))
            dz = (rows * (PERIOD / SHAPE[0]) - station).astype(np.float32)[:, None] - off_station.astype(np.float32)
            profile = 0.72 * np.exp(-((dz / width) ** 2)) + 0.28 * np.exp(-((dz / (3.2 * width)) ** 2))
            rows %= SHAPE[0]
            inward[rows] = np.maximum(inward[rows], height * window * profile)
    inward = _blur_wrapped(inward, 1.6)

    between = np.interp(z, np.r_[stations[-1] - PERIOD, stations], np.arange(len(stations) + 1))
    bulge = 0.14 * np.sin(np.pi * (between % 1.0)) ** 2
    uneven = 0.05 * fractal_noise(rng, SHAPE, (10, 4), 3)
    corners = rng.uniform(0.0, 0.09) * np.cos(3 * (theta - twist))
    return (1.0 + bulge[:, None] + uneven - corners - inward).astype(np.float32)


def build_wall(bend: Bend, radius: Array) -> Wall:
    radius = np.clip(radius, 0.35, 2.0).astype(np.float32)
    wide = np.pad(radius, 1, mode="wrap")
    r_z = (wide[2:, 1:-1] - wide[:-2, 1:-1]) * np.float32(0.5 * SHAPE[0] / PERIOD)
    r_t = (wide[1:-1, 2:] - wide[1:-1, :-2]) * np.float32(0.5 * SHAPE[1] / TAU)
    sunk = radius - _blur_wrapped(radius, 13.0)  # chosen: 13 texels are 0.2 units, the width of a crease
    openness = np.clip(0.85 - 3.0 * sunk, 0.25, 1.0)
    return Wall(bend, radius, np.dstack([r_z, r_t, openness]))


def _blur_wrapped(field: Array, sigma: float) -> Array:
    pad = int(4 * sigma) + 1
    wide = cv2.GaussianBlur(np.pad(field, pad, mode="wrap"), (0, 0), sigma)
    return wide[pad:-pad, pad:-pad]
