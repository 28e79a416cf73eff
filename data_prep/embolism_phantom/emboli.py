"""Clots in arteries: where they lie, the four shapes they take, and what they do to the blood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import interp1d
from scipy.spatial import KDTree

from data_prep.embolism_phantom.grid import Array, Box, Grid, cover, paint
from data_prep.embolism_phantom.tree import Tree
from data_prep.embolism_phantom.vessels import Lumen

KINDS = ("central", "eccentric", "occlusive", "saddle")
LEAST_VOLUME_MM3 = 15.0  # chosen: about what a reader can point at; smaller pieces are drawn again
LEAST_VOXELS = 8
TRIES = 150  # chosen: each in a slightly thicker artery than the one before


@dataclass(frozen=True)
class Clot:
    """A drawn embolus. core: coverage of the clot, 0 to 1, in `box`. branch: the artery that it lies in."""

    kind: str
    branch: int
    box: Box
    core: Array
    radius_mm: float
    volume_mm3: float


def place_emboli(
    rng: np.random.Generator, grid: Grid, lumen: Lumen, arteries: Tree, ease: tuple[float, ...], difficulty: float
) -> tuple[list[Clot], Array]:
    """One clot for each of `ease` (0 hard to 1 easy: from thin arteries to thick ones), and their labels.

    Returns the clots and an int32 volume, 0 where there is none, k in the k-th. No two clots touch; fewer clots come
    back only if `TRIES` places for one of them were all taken or too small.
    """
    labels = np.zeros(grid.shape, np.int32)
    clots: list[Clot] = []
    for wanted in sorted(ease, reverse=True):
        for attempt in range(TRIES):
            clot = _draw(rng, grid, lumen, arteries, min(wanted + 0.02 * attempt, 1.1), difficulty)
            if clot is None:
                continue
            region = clot.core > 0.5
            around = tuple(slice(max(part.start - 2, 0), part.stop + 2) for part in clot.box)
            if not labels[around].any():
                clots.append(clot)
                labels[clot.box][region] = len(clots)
                break
    return clots, labels


def paint_emboli(
    rng: np.random.Generator, grid: Grid, hu: Array, lumen: Lumen, arteries: Tree, clots: list[Clot]
) -> None:
    """Put the clots' HU into the volume; beyond a vessel that is stopped up, the blood is thinner in contrast."""
    for clot in clots:
        if clot.kind == "occlusive":
            kept = float(rng.uniform(0.55, 1.0))
            for index in arteries.beyond(clot.branch):
                path, reach = arteries.branches[index].path_mm, float(arteries.branches[index].radii_mm.max())
                box = grid.box(path.min(axis=0) - reach, path.max(axis=0) + reach)
                if box is not None:
                    near = KDTree(path).query(grid.points(box), distance_upper_bound=reach + 2.5)[0] < np.inf
                    blood = lumen.artery[box] * near.reshape(lumen.artery[box].shape)
                    hu[box] -= blood * (1 - kept) * np.maximum(hu[box] - 60, 0)
    for clot in clots:
        paint(hu[clot.box], clot.core, float(rng.uniform(35, 75)))


def _draw(
    rng: np.random.Generator, grid: Grid, lumen: Lumen, arteries: Tree, ease: float, difficulty: float
) -> Clot | None:
    """A clot somewhere, or None if the place is outside the volume or it came out too small."""
    thickness = (2.4 - 0.8 * difficulty) + ease * (5.0 - 1.2 * difficulty)
    start = np.array([branch.radii_mm[len(branch.radii_mm) // 2] for branch in arteries.branches])
    fitting = np.abs(start - thickness) < 0.15 + 0.3 * thickness
    fitting[0] = False
    if not fitting.any():
        return None
    index = int(rng.choice(np.flatnonzero(fitting)))
    forked = len(arteries.children(index)) == 2
    kind = KINDS[int(rng.choice(4, p=[0.33, 0.27, 0.25, 0.15] if forked else [0.4, 0.33, 0.27, 0]))]
    path, radii = _line(arteries, index, kind)
    radius = float(np.median(radii))
    length = float(np.clip(radius * rng.uniform(2.5, 7.5), 6.0, 45.0))
    total = 0.7 * (len(path) - 1)
    middle = total / 2 if kind == "saddle" else float(rng.uniform(0.25, 0.75)) * total
    at = 0.7 * np.arange(len(path))
    part = np.abs(at - middle) <= length / 2
    if part.sum() < 4 or not np.all(grid.inside(path[part])):
        return None
    return _solid(rng, grid, lumen, kind, index, path[part], radii[part])


def _line(arteries: Tree, index: int, kind: str) -> tuple[Array, Array]:
    """Middle line (N, 3), a point each 0.7 mm, and radii (N,): of a branch, or across its fork for a saddle."""
    branch = arteries.branches[index]
    path, radii = branch.path_mm, branch.radii_mm
    if kind == "saddle":
        one, other = (arteries.branches[k] for k in arteries.children(index))
        path = np.concatenate([one.path_mm[::-1], other.path_mm[1:]])
        radii = np.concatenate([one.radii_mm[::-1], other.radii_mm[1:]])
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.arange(0.0, at[-1], 0.7)
    return interp1d(at, path, axis=0)(even), np.interp(even, at, radii)


def _solid(
    rng: np.random.Generator, grid: Grid, lumen: Lumen, kind: str, index: int, path: Array, radii: Array
) -> Clot | None:
    n = len(path)
    ends = np.linspace(-1, 1, n)
    wobble = 1 + 0.12 * np.sin(rng.uniform(1, 4) * np.pi * ends + rng.uniform(0, 6)) + 0.04 * rng.standard_normal(n)
    share = {"central": (0.5, 0.72), "eccentric": (0.65, 0.95), "occlusive": (1.2, 1.3), "saddle": (0.5, 0.75)}[kind]
    thick = radii * rng.uniform(*share) * wobble * (1 - np.abs(ends) ** rng.uniform(3, 8)) ** 0.5
    if kind == "eccentric":
        along = (path[-1] - path[0]) / max(float(np.linalg.norm(path[-1] - path[0])), 1e-6)
        aside = np.cross(along, rng.standard_normal(3))
        path = path + (aside / np.linalg.norm(aside)) * (radii * rng.uniform(0.5, 0.7))[:, None]
    elif kind == "central":
        path = path + rng.normal(0, 0.08, 3) * radii[:, None]
    reach = float(thick.max()) + grid.edge_mm
    box = grid.box(path.min(axis=0) - reach, path.max(axis=0) + reach)
    if box is None:
        return None
    distance, nearest = KDTree(path).query(grid.points(box))
    shape = lumen.artery[box].shape
    core = cover((distance - thick[nearest]).reshape(shape), grid.edge_mm) * lumen.artery[box]
    voxels = int(np.sum(core > 0.5))
    volume = voxels * float(np.prod(grid.spacing_mm))
    if voxels < LEAST_VOXELS or volume < LEAST_VOLUME_MM3:
        return None
    return Clot(kind, index, box, core.astype(np.float32), float(np.median(radii)), volume)
