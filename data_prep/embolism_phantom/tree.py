"""Vessel trees that fill an organ: grown by halving the points they must reach, with radii by Murray's law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from data_prep.embolism_phantom.grid import Array, Grid

MURRAY = 2.7  # exponent of the law: between 2 (area kept) and 3 (least work), as measured in lungs
STEP_MM = 4.0  # length of the straight pieces that a curved branch is drawn of


@dataclass(frozen=True)
class Branch:
    """path_mm: (N, 3) from near to far. radii_mm: (N,). parent: index in the tree, -1 for the first."""

    path_mm: Array
    radii_mm: Array
    parent: int
    generation: int


@dataclass
class Tree:
    """Branches in the order of growth, parents first."""

    branches: list[Branch] = field(default_factory=list)

    def children(self, index: int) -> list[int]:
        return [k for k, branch in enumerate(self.branches) if branch.parent == index]

    def beyond(self, index: int) -> list[int]:
        """All branches that are fed through this one, itself left out."""
        fed = {index}
        for k, branch in enumerate(self.branches):
            if branch.parent in fed:
                fed.add(k)
        return sorted(fed - {index})


def bezier(start: Array, bend: Array, end: Array) -> Array:
    """Points every STEP_MM or so from start to end, leaving towards `bend`. (N, 3)"""
    n = max(3, int(np.linalg.norm(end - start) / STEP_MM) + 2)
    t = np.linspace(0.0, 1.0, n)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end


def grow(
    rng: np.random.Generator,
    tree: Tree,
    start_mm: Array,
    heading: Array,
    radius_mm: float,
    targets_mm: Array,
    parent: int,
    least_radius_mm: float,
) -> None:
    """Add to `tree` what leads from `start_mm` to every target (K, 3), leaving along `heading`."""
    centre = targets_mm.mean(axis=0)
    way = centre - start_mm
    n = len(targets_mm)
    share = 1.0 if n == 1 else float(rng.uniform(0.3, 0.5))
    end = start_mm + share * way + rng.normal(0, 0.04, 3) * np.linalg.norm(way)
    length = float(np.linalg.norm(end - start_mm))
    path = bezier(start_mm, start_mm + heading * 0.45 * length, end)
    radii = np.linspace(radius_mm, radius_mm * (0.6 if n == 1 else 0.93), len(path))
    generation = tree.branches[parent].generation + 1 if parent >= 0 else 0
    tree.branches.append(Branch(path, radii, parent, generation))
    if n == 1:
        return
    here = len(tree.branches) - 1
    ahead = path[-1] - path[-2]
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-6)
    for part in _halves(rng, targets_mm, end):
        smaller = float(radii[-1]) * (len(part) / n) ** (1 / MURRAY)
        if smaller >= least_radius_mm:
            aim = part.mean(axis=0) - end
            turn = 0.35 * ahead + 0.65 * aim / max(float(np.linalg.norm(aim)), 1e-6)
            grow(rng, tree, end, turn / np.linalg.norm(turn), smaller, part, here, least_radius_mm)


def _halves(rng: np.random.Generator, targets: Array, seen_from: Array) -> tuple[Array, Array]:
    """Two parts of the targets, unequal, divided across the direction in which they look widest."""
    direction = targets - seen_from
    direction = direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
    spread = direction - direction.mean(axis=0)
    _, _, axes = np.linalg.svd(spread, full_matrices=False)
    order = np.argsort(spread @ axes[0])
    cut = int(np.clip(round(len(targets) * rng.uniform(0.3, 0.7)), 1, len(targets) - 1))
    return targets[order[:cut]], targets[order[cut:]]


def scatter(
    rng: np.random.Generator, low_mm: Array, high_mm: Array, inside: Callable[[Array], Array], n: int, apart_mm: float
) -> Array:
    """Up to n random points (K, 3) where inside(points) is true, none nearer than `apart_mm` to another."""
    tried = rng.uniform(low_mm, high_mm, (40 * n, 3))
    kept, count = np.empty((n, 3)), 0
    for point in tried[inside(tried)]:
        away = kept[:count] - point
        if count < n and np.all(np.einsum("ij,ij->i", away, away) > apart_mm**2):
            kept[count] = point
            count += 1
    return kept[:count]


def distance_to(grid: Grid, branches: Sequence[Branch], margin_mm: float, into: Array, thicker_mm: float = 0) -> None:
    """Lower `into`, a volume of signed distances, to that of the branches' walls where it is below `margin_mm`."""
    for branch in branches:
        for k in range(len(branch.path_mm) - 1):
            a, b = branch.path_mm[k], branch.path_mm[k + 1]
            ra, rb = float(branch.radii_mm[k]) + thicker_mm, float(branch.radii_mm[k + 1]) + thicker_mm
            reach = max(ra, rb) + margin_mm
            box = grid.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
            if box is not None:
                np.minimum(into[box], _capsule(grid.axes(box), a, b, ra, rb), out=into[box])


def _capsule(axes: tuple[Array, Array, Array], a: Array, b: Array, ra: float, rb: float) -> Array:
    """Signed distance to a piece that tapers from radius ra at `a` to rb at `b`; float32, of the axes' shape."""
    along = (b - a).astype(np.float32)
    z, y, x = (axis - np.float32(start) for axis, start in zip(axes, a, strict=True))
    squared = max(float(along @ along), 1e-9)
    t = np.clip((along[0] * z + along[1] * y + along[2] * x) / np.float32(squared), 0, 1)
    away = np.sqrt((z - along[0] * t) ** 2 + (y - along[1] * t) ** 2 + (x - along[2] * t) ** 2)
    return away - (np.float32(ra) + np.float32(rb - ra) * t)
