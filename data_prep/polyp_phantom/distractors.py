"""What is taken for a polyp and is none: knobs of a fold, diverticula, stool, bubbles, pools, the instrument's tip."""

from __future__ import annotations

import numpy as np

from data_prep.polyp_phantom.fields import Array, f32, fractal_noise, smoothstep
from data_prep.polyp_phantom.lumen import PERIOD, TAU, Wall
from data_prep.polyp_phantom.mucosa import SKIN, Skin
from data_prep.polyp_phantom.solids import Solid, frame_from_normal

Place = tuple[float, float]  # z in units, theta in radians


def _patch(shape: tuple[int, int], place: Place, reach: float) -> tuple[Array, Array, Array, Array]:
    """Wrapped rows and columns of a map within `reach` units of a place, and the offsets along z and round the wall."""
    row, column = place[0] * shape[0] / PERIOD, place[1] * shape[1] / TAU
    n_row, n_column = int(reach * shape[0] / PERIOD) + 1, int(reach * shape[1] / TAU) + 1
    rows, columns = np.arange(-n_row, n_row + 1) + round(row), np.arange(-n_column, n_column + 1) + round(column)
    dz = ((rows - row) * (PERIOD / shape[0])).astype(np.float32)[:, None]
    dt = ((columns - column) * (TAU / shape[1])).astype(np.float32)[None]
    return (rows % shape[0])[:, None], (columns % shape[1])[None], dz, dt


def raise_knobs(rng: np.random.Generator, radius: Array, places: list[Place], difficulty: float) -> None:
    """Round swellings of ordinary mucosa, as where two folds meet: a polyp's outline without its skin. In place."""
    for place in places:
        a, b = rng.uniform(0.10, 0.26, 2) * (1.15 - 0.3 * difficulty)
        height = min(a, b) * rng.uniform(0.45, 0.75 + 0.4 * difficulty)
        turn = rng.uniform(0, TAU)
        rows, columns, dz, dt = _patch(radius.shape, place, 2.2 * max(a, b))
        p = (np.cos(turn) * dz + np.sin(turn) * dt) / a
        q = (np.cos(turn) * dt - np.sin(turn) * dz) / b
        radius[rows, columns] -= height * np.exp(-((p * p + q * q) ** 1.4))


def sink_diverticula(rng: np.random.Generator, radius: Array, skin: Skin, places: list[Place]) -> None:
    """Dark round pockets with a rim. In place, in both the shape and the colour."""
    for place in places:
        r = rng.uniform(0.06, 0.15)
        rows, columns, dz, dt = _patch(radius.shape, place, 3 * r)
        off = np.sqrt(dz * dz + dt * dt) / r
        radius[rows, columns] += rng.uniform(0.2, 0.35) * smoothstep(1.25, 0.6, off)
        radius[rows, columns] -= 0.02 * np.exp(-(((off - 1.5) / 0.3) ** 2))
        rows, columns, dz, dt = _patch(SKIN, place, 2 * r)
        dark = 1 - 0.75 * smoothstep(1.15, 0.5, np.sqrt(dz * dz + dt * dt) / r)
        skin.albedo[rows, columns] *= dark[..., None]


def paint_bubbles(rng: np.random.Generator, skin: Skin, clusters: list[Place]) -> None:
    """Clusters of bubbles: hemispheres in the relief, pale rims, strong highlights. In place."""
    for place in clusters:
        spread = rng.uniform(0.05, 0.35)
        for _ in range(int(rng.integers(3, 26))):
            r = float(np.clip(rng.lognormal(-3.3, 0.5), 0.018, 0.14))
            at = (place[0] + rng.normal(0, spread), place[1] + rng.normal(0, spread))
            rows, columns, dz, dt = _patch(SKIN, at, 1.2 * r)
            off = np.sqrt(dz * dz + dt * dt) / r
            inside = off < 1
            dome = np.sqrt(np.maximum(1 - off * off, 0))
            skin.relief[rows, columns] = np.where(inside, 0.45 * r * dome, skin.relief[rows, columns])
            skin.wet[rows, columns] = np.where(inside, 1.0, skin.wet[rows, columns])
            rim = np.exp(-(((off - 0.9) / 0.12) ** 2))
            skin.albedo[rows, columns] *= (1 + 0.28 * rim - 0.10 * inside * (off < 0.75))[..., None]


def paint_debris(rng: np.random.Generator, skin: Skin, amount: float) -> None:
    """Yellow-brown specks, mucus strands and films, where a noise field is high. amount: in [0, 1]. In place."""
    colour = np.array([0.74, 0.46, 0.15]) * rng.uniform(0.75, 1.1, 3)
    where = fractal_noise(rng, SKIN, (12, 6), 2) * 0.9 + fractal_noise(rng, SKIN, (110, 56), 3)
    edge = 3.4 - 1.9 * amount
    film = smoothstep(edge, edge + 1.1, where)[..., None]
    skin.albedo += film * (0.8 * (colour.astype(np.float32) - skin.albedo))
    skin.relief += 0.012 * film[..., 0]


def paint_pool(rng: np.random.Generator, skin: Skin, place: Place) -> None:
    """A turbid puddle with a flat, mirror-like surface and a bright edge. In place."""
    rows, columns, dz, dt = _patch(SKIN, place, 1.6)
    ripple = 0.22 * fractal_noise(rng, (dz.size, dt.size), (5, 4), 3)
    off = np.sqrt((dz / rng.uniform(0.5, 1.1)) ** 2 + (dt / rng.uniform(0.35, 0.7)) ** 2) + ripple
    pool = smoothstep(1.0, 0.93, off)
    colour = (np.array([0.68, 0.43, 0.14]) * rng.uniform(0.75, 1.15, 3)).astype(np.float32)
    share = (rng.uniform(0.45, 0.8) * pool)[..., None]
    skin.albedo[rows, columns] += share * (colour - skin.albedo[rows, columns])
    skin.relief[rows, columns] = skin.relief[rows, columns] * (1 - pool) + 0.02 * pool
    skin.wet[rows, columns] = np.maximum(skin.wet[rows, columns], pool)


def draw_stool(rng: np.random.Generator, wall: Wall, tone: Array, place: Place, difficulty: float) -> Solid:
    """A ball or crumb of stool lying on the wall; the harder, the more it takes the mucosa's colour under mucus."""
    point, normal = wall.point(*place)
    size = rng.uniform(0.06, 0.22)
    blobs = []
    for _ in range(int(rng.integers(1, 4))):
        r = size * rng.uniform(0.6, 1.0)
        blobs.append([*rng.normal(0, 0.5 * size, 2), 0.5 * r, *(r * rng.uniform(0.75, 1.2, 3))])
    brown = np.array([0.52, 0.30, 0.09]) * rng.uniform(0.6, 1.3, 3)
    share = rng.uniform(0.0, 0.75) * difficulty
    return Solid(
        kind="stool",
        origin=point,
        axes=frame_from_normal(normal, rng.uniform(0, TAU)),
        blobs=np.array(blobs),
        stalk=None,
        blend=0.0,
        lumps=(float(0.12 * size), float(rng.uniform(5, 10) / size)),
        tint=((1 - share) * brown + share * tone).astype(np.float32),
        pattern=0.25,
        gloss=float(rng.uniform(0.2, 0.9)),
    )


def instrument_tip(eye: Array, axes: Array, length: float) -> Solid:
    """A sheath that enters from the lower right of the view. axes: the camera's rows right, down, forward."""
    right, down, forward = axes
    start = eye + 0.20 * right + 0.26 * down + 0.05 * forward
    heading = forward - 0.22 * right - 0.16 * down
    heading = heading / np.linalg.norm(heading)
    radius = 0.055
    return Solid(
        kind="instrument",
        origin=start,
        axes=frame_from_normal(heading, 0.0),
        blobs=np.array([[0, 0, length, radius * 1.15, radius * 1.15, radius * 2.2]]),
        stalk=np.array([0, 0, 0, 0, 0, length, radius]),
        blend=0.0,
        lumps=(0.0, 1.0),
        tint=f32([0.10, 0.11, 0.13]),
        pattern=0.03,
        gloss=1.0,
    )
