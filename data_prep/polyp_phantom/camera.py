"""The camera's path: it moves along the lumen, looks about, turns to what interests it, and keeps off the wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.polyp_phantom.fields import Array, drift, f32
from data_prep.polyp_phantom.lumen import Wall
from data_prep.polyp_phantom.solids import Solid

CLEARANCE = 0.24  # chosen: about 5 mm, nearer than which a real lens shows red-out only


@dataclass(frozen=True)
class Pose:
    """eye: (3,) world. axes: (3, 3) rows right, down, forward. advance: units moved since the last frame."""

    eye: Array
    axes: Array
    advance: float


def draw_path(
    rng: np.random.Generator,
    wall: Wall,
    solids: Sequence[Solid],
    interests: Sequence[Array],
    span: tuple[float, float],
    n: int,
) -> list[Pose]:
    """n poses from depth span[0] to span[1] (either direction; the camera looks towards +z both ways).

    interests: points (3,) that it slows down before and turns to, as an endoscopist does, each to a different degree.
    """
    turns = max(3, round(n / 9))
    attention = rng.uniform(0.25, 0.95, len(interests))
    z = _depths(rng, interests, attention, span, n)
    off = np.stack([drift(rng, n, turns) for _ in range(2)], axis=1) * 0.17
    glance = np.stack([drift(rng, n, turns) for _ in range(2)], axis=1) * rng.uniform(0.18, 0.42)
    roll = rng.uniform(0, 2 * np.pi) + 0.25 * drift(rng, n, max(2, turns // 2))
    shake = 0.012 * rng.standard_normal((n, 2))
    ahead = rng.uniform(0.9, 1.9)

    poses: list[Pose] = []
    for k in range(n):
        eye = _keep_off(wall, solids, z[k], off[k])
        cx, cy = wall.bend.centre(f32([z[k] + ahead]))
        forward = _unit(np.array([cx[0], cy[0], z[k] + ahead]) - eye)
        pull, total = np.zeros(3), 0.0
        for point, weight in zip(interests, attention, strict=True):
            to = point - eye
            distance = float(np.linalg.norm(to))
            w = weight * np.exp(-(((distance - 1.0) / 0.9) ** 2)) * (0.15 + 0.85 * (to[2] > 0.1))
            pull, total = pull + w * _unit(to), total + w
        forward = _unit(forward * max(1 - total, 0.1) + pull)
        right = np.array([np.cos(roll[k]), np.sin(roll[k]), 0.0])
        right = _unit(right - forward * (right @ forward))
        down = np.cross(forward, right)
        yaw, pitch = glance[k] * (1 - 0.5 * min(total, 1.0)) + shake[k]
        forward = _unit(forward + yaw * right + pitch * down)
        right = _unit(right - forward * (right @ forward))
        advance = float(np.linalg.norm(eye - poses[-1].eye)) if poses else 0.0
        poses.append(Pose(eye, np.stack([right, np.cross(forward, right), forward]), advance))
    return poses


def _depths(
    rng: np.random.Generator, interests: Sequence[Array], attention: Array, span: tuple[float, float], n: int
) -> Array:
    """n depths over the span, slower where an interest is just ahead, with hesitation. (n,) float64."""
    grid = np.linspace(span[0], span[1], 400)
    pause = np.full(grid.shape, 1.0)
    for point, weight in zip(interests, attention, strict=True):
        pause += 1.6 * weight * np.exp(-(((point[2] - grid - 0.9) / 0.6) ** 2))
    pause *= np.exp(0.35 * drift(rng, grid.size, 8))
    clock = np.r_[0.0, np.cumsum(0.5 * (pause[1:] + pause[:-1]))]
    z = np.interp(np.linspace(0, clock[-1], n), clock, grid)
    return z + 0.10 * drift(rng, n, max(3, n // 7))


def _keep_off(wall: Wall, solids: Sequence[Solid], z: float, off: Array) -> Array:
    """The eye at depth z, `off` from the centre line, pushed towards free space until it has CLEARANCE."""
    (cx,), (cy,) = wall.bend.centre(f32([z]))
    eye = np.array([cx + off[0], cy + off[1], z])

    def room(x: Array, y: Array) -> Array:
        depth = np.full(x.shape, z, np.float32)
        d = wall.distance(x, y, depth)
        for solid in solids:
            if abs(solid.origin[2] - z) < 1.2:
                d = np.minimum(d, solid.distance(x, y, depth))
        return d

    for _ in range(12):
        probes = f32([[0, 0], [0.03, 0], [-0.03, 0], [0, 0.03], [0, -0.03]])
        d = room(eye[0].astype(np.float32) + probes[:, 0], eye[1].astype(np.float32) + probes[:, 1])
        if d[0] >= CLEARANCE:
            break
        uphill = np.array([d[1] - d[2], d[3] - d[4]])
        eye[:2] += 0.05 * uphill / max(float(np.linalg.norm(uphill)), 1e-6)
    return eye


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
