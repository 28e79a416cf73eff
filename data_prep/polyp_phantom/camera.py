"""The camera's path: it moves along the lumen, looks about, turns to what interests it, and keeps off the wall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from data_prep.polyp_phantom.fields import Array, drift, f32
from data_prep.polyp_phantom.lumen import Wall
from data_prep.polyp_phantom.patient import Patient
from data_prep.polyp_phantom.render import Pose
from data_prep.polyp_phantom.solids import Solid

CLEARANCE = 0.24  # chosen: about 5 mm, nearer than which a real lens shows red-out only


def draw_path(rng: np.random.Generator, patient: Patient, n: int, duration_s: float) -> Iterator[Pose]:
    """n poses over the patient's span, forward (insertion) or backward (withdrawal); the camera looks towards +z.

    It slows down before the patient's points of interest and turns to them, to each in a different degree.
    """
    wall, solids, interests = patient.scene.wall, patient.scene.solids, patient.interests
    turns = max(3, round(duration_s / 1.8))
    attention = rng.uniform(0.25, 0.95, len(interests))
    first, last = patient.span
    span = (first, last) if rng.random() < 0.5 else (last, first)
    z = _depths(rng, interests, attention, span, n) + 0.10 * drift(rng, n, max(3, round(duration_s / 1.4)))
    off = np.stack([drift(rng, n, turns) for _ in range(2)], axis=1) * 0.17
    glance = np.stack([drift(rng, n, turns) for _ in range(2)], axis=1) * rng.uniform(0.18, 0.42)
    roll = rng.uniform(0, 2 * np.pi) + 0.25 * drift(rng, n, max(2, turns // 2))
    shake = 0.012 * rng.standard_normal((n, 2))
    ahead = rng.uniform(0.9, 1.9)

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
        yield Pose(eye, np.stack([right, np.cross(forward, right), forward]))


def _depths(
    rng: np.random.Generator, interests: Sequence[Array], attention: Array, span: tuple[float, float], n: int
) -> Array:
    """n depths over the span, slower where an interest is just ahead, and uneven. (n,) float64."""
    grid = np.linspace(span[0], span[1], 400)
    pause = np.full(grid.shape, 1.0)
    for point, weight in zip(interests, attention, strict=True):
        pause += 1.1 * weight * np.exp(-(((point[2] - grid - 0.9) / 0.6) ** 2))
    pause *= np.exp(0.35 * drift(rng, grid.size, 8))
    clock = np.r_[0.0, np.cumsum(0.5 * (pause[1:] + pause[:-1]))]
    return np.interp(np.linspace(0, clock[-1], n), clock, grid)


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
