"""Polyps: flat, sessile, lobulated and pedunculated, from obvious to nearly lost in the mucosa."""

from __future__ import annotations

import numpy as np

from data_prep.polyp_phantom.fields import Array
from data_prep.polyp_phantom.lumen import TAU, Wall
from data_prep.polyp_phantom.solids import Solid, frame_from_normal

SHAPES = ("sessile", "flat", "pedunculated", "lobulated")


def draw_polyp(
    rng: np.random.Generator, wall: Wall, tone: Array, z: float, theta: float, ease: float, difficulty: float
) -> Solid:
    """A polyp on the wall at (z, theta).

    ease: in [0, 1], this polyp's place among the data set's polyps; 1 is large and of a strong colour.
    difficulty: in [0, 1], makes all of them smaller, flatter and closer to the mucosa's colour.
    tone: (3,) the patient's mean mucosa colour, from which the polyp's own departs.
    """
    shares = np.array([0.42, 0.16 + 0.24 * difficulty, 0.22, 0.2])
    shape = str(rng.choice(SHAPES, p=shares / shares.sum()))
    size = (0.11 + 0.24 * ease) * (1.2 - 0.4 * difficulty) * rng.uniform(0.9, 1.15)
    oval = rng.uniform(0.8, 1.25)
    stalk = None
    if shape == "flat":
        a, b, h = 1.3 * size * oval, 1.3 * size / oval, size * rng.uniform(0.22, 0.4)
        blobs = [[0, 0, 0, a, b, h]]
        for _ in range(int(rng.integers(0, 3))):
            turn = rng.uniform(0, TAU)
            blobs.append([0.6 * a * np.cos(turn), 0.6 * b * np.sin(turn), 0, 0.6 * a, 0.6 * b, 0.9 * h])
    elif shape == "sessile":
        h = size * rng.uniform(0.75, 1.1)
        blobs = [[0, 0, 0.25 * h, size * oval, size / oval, h]]
    elif shape == "lobulated":
        blobs = [[0, 0, 0.3 * size, size * oval, size / oval, 0.85 * size]]
        for turn in rng.uniform(0, TAU) + np.arange(3) * TAU / 3 + rng.normal(0, 0.3, 3):
            r = size * rng.uniform(0.4, 0.62)
            blobs.append([0.7 * size * np.cos(turn), 0.7 * size * np.sin(turn), rng.uniform(0.3, 0.7) * size, r, r, r])
    else:
        lean = rng.normal(0, 0.5, 2) * size
        height = size * rng.uniform(1.3, 2.0)
        head = 0.85 * size
        blobs = [[*lean, height, head * oval, head / oval, 0.9 * head]]
        stalk = np.array([0, 0, 0, *(0.8 * lean), height - 0.3 * head, head * rng.uniform(0.35, 0.5)])

    point, normal = wall.point(z, theta)
    contrast = (0.35 + 0.9 * ease) * (1.45 - 0.9 * difficulty)
    # chosen: adenomas mostly redder, hyperplastic polyps paler than the mucosa around them.
    target = np.array([0.97, 0.70, 0.74]) if rng.random() < 0.68 else np.array([1.00, 1.12, 1.12])
    tint = tone * (1 + contrast * (target - 1) * rng.uniform(0.7, 1.1))
    return Solid(
        kind="polyp",
        origin=point - 0.02 * normal,
        axes=frame_from_normal(normal, rng.uniform(0, TAU)),
        blobs=np.array(blobs, dtype=np.float64),
        stalk=stalk,
        blend=float(size * rng.uniform(0.25, 0.5)),
        lumps=(float(size * rng.uniform(0.05, 0.17)), float(rng.uniform(2.5, 6.0) / size)),
        tint=np.clip(tint, 0.02, 0.95).astype(np.float32),
        pattern=float((0.07 + 0.09 * ease) * (1.3 - 0.6 * difficulty)),
        gloss=float(rng.uniform(0.3, 0.9)),
    )
