"""Heart, great vessels, and the trees of arteries, veins and airways in both lungs: shapes, and their blood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.embolism_phantom.chest import AIR, Build, in_lung
from data_prep.embolism_phantom.grid import Array, Grid, cover, paint, paint_ellipsoid
from data_prep.embolism_phantom.tree import Branch, Tree, bezier, distance_to, grow, scatter

N_TARGETS = 200  # ends of the arteries in one lung; their vessels are about 1 mm thick, thinner ones are in the texture
LEAST_RADIUS_MM = 0.75
MARGIN_MM = 3.0  # how far beyond a wall its distance is known


@dataclass(frozen=True)
class Blood:
    """HU of what contrast has reached. The time since the injection decides which of them are bright."""

    artery: float
    vein: float
    aorta: float
    cava: float


def draw_blood(rng: np.random.Generator, difficulty: float) -> Blood:
    """A patient's timing: mostly bright arteries; veins from hardly opacified to as bright as the arteries."""
    artery = float(rng.uniform(260, 480) * (1 - 0.3 * difficulty * rng.random()))
    late = float(rng.beta(1.3, 1.0))
    return Blood(
        artery=artery,
        vein=45 + late * (artery * 0.95 - 45),
        aorta=45 + 0.85 * late * (artery * 0.9 - 45),
        cava=float(rng.uniform(300, 1400)),
    )


@dataclass(frozen=True)
class Vessels:
    """The trees of both lungs in one. arteries: branches 0 to 2 are the trunk, the right and the left main artery."""

    arteries: Tree
    veins: Tree
    airways: tuple[Branch, ...]


def grow_vessels(rng: np.random.Generator, build: Build) -> Vessels:
    """Shapes only; nothing is painted."""
    s = build.size
    arteries, veins = Tree(), Tree()
    jitter = rng.normal(0, 1.5, 3)
    fork = _at(4, -12, 10, s) + jitter
    calibre = float(rng.uniform(0.88, 1.18))
    trunk = bezier(_at(-26, -50, 14, s), _at(2, -44, 16, s), fork)
    arteries.branches.append(Branch(trunk, np.linspace(13.5, 13, len(trunk)) * s * calibre, -1, 0))
    hila = {-1: _at(-4, 4, -44, s), 1: _at(7, 12, 46, s)}
    bends = {-1: _at(5, 4, -14, s), 1: _at(16, -2, 28, s)}
    for side in (-1, 1):
        path = bezier(fork, bends[side] + jitter / 2, hila[side] + rng.normal(0, 2, 3))
        arteries.branches.append(Branch(path, np.linspace(11.5, 8.5, len(path)) * s * calibre, 0, 1))
    airways = _central_airways(s, hila)
    for number, side in ((1, -1), (2, 1)):
        main = arteries.branches[number]
        low, high = _at(-110, -85, 25, 1), _at(105, 85, 130, 1)
        low[2], high[2] = (low[2], high[2]) if side > 0 else (-high[2], -low[2])
        targets = scatter(rng, low, high, lambda p, side=side: in_lung(build, p, 4.0, side), N_TARGETS, 11.0)
        hilum, ahead = main.path_mm[-1], main.path_mm[-1] - main.path_mm[-2]
        first = len(arteries.branches)
        grow(
            rng,
            arteries,
            hilum,
            ahead / np.linalg.norm(ahead),
            float(main.radii_mm[-1]),
            targets,
            number,
            LEAST_RADIUS_MM,
        )
        airways += _beside(arteries, first, side)
        targets = scatter(rng, low, high, lambda p, side=side: in_lung(build, p, 4.0, side), N_TARGETS, 11.0)
        middle = float(np.median(targets[:, 0])) + 5
        for upper in (True, False):
            ostium = _at(-16 if upper else -36, 8 if upper else 20, side * 24, s)
            parts = targets[(targets[:, 0] > middle) == upper]
            outward = np.array([0.3 if upper else -0.4, 0.1, side * 0.9])
            veins_before = len(veins.branches)
            grow(rng, veins, ostium, outward, 7.0 * s, parts, -1, LEAST_RADIUS_MM)
            assert len(veins.branches) > veins_before
    return Vessels(arteries, veins, tuple(airways))


def _at(z: float, y: float, x: float, size: float) -> Array:
    return np.array([z, y, x], float) * size


def _central_airways(s: float, hila: dict[int, Array]) -> list[Branch]:
    carina = _at(6, 16, 0, s)
    windpipe = bezier(_at(130, 6, -2, s), _at(60, 8, 0, s), carina)
    branches = [Branch(windpipe, np.full(len(windpipe), 8.5 * s), -1, 0)]
    for side, hilum in hila.items():
        end = hilum + _at(-10, 8, side * 2, s)
        path = bezier(carina, carina + _at(-14, 1, side * 14, s), end)
        branches.append(Branch(path, np.linspace(7, 5.5, len(path)) * s, 0, 1))
    return branches


def _beside(arteries: Tree, first: int, side: int) -> list[Branch]:
    """Bronchi that run with the arteries from `first` on, as far as a bronchus can be seen."""
    towards = np.array([-0.45, 0.55, -0.7 * side])
    found = []
    for branch in arteries.branches[first:]:
        along = branch.path_mm[-1] - branch.path_mm[0]
        along = along / max(float(np.linalg.norm(along)), 1e-6)
        off = towards - float(towards @ along) * along
        off = off / max(float(np.linalg.norm(off)), 1e-6)
        radii = 0.75 * branch.radii_mm
        if radii[0] > 1.1:
            path = branch.path_mm + off * (branch.radii_mm + radii + 1.0)[:, None]
            found.append(Branch(path, radii, -1, branch.generation))
    return found


@dataclass(frozen=True)
class Lumen:
    """artery, vein: coverage of blood, 0 to 1; heart is in neither. distance: to the arteries' wall, mm."""

    artery: Array
    vein: Array
    distance: Array


def paint_airways(rng: np.random.Generator, grid: Grid, hu: Array, vessels: Vessels) -> None:
    """Walls, then air; some far bronchi are plugged with mucus, which looks like an embolus without its rim."""
    wall = np.full(grid.shape, MARGIN_MM, np.float32)
    distance_to(grid, vessels.airways, MARGIN_MM, wall, thicker_mm=0.9)
    paint(hu, 0.8 * cover(wall, grid.edge_mm), 10)
    open_air = [b for b in vessels.airways if b.generation < 4 or rng.random() > 0.06]
    air = np.full(grid.shape, MARGIN_MM, np.float32)
    distance_to(grid, open_air, MARGIN_MM, air)
    paint(hu, cover(air, grid.edge_mm), AIR)


def paint_vessels(rng: np.random.Generator, grid: Grid, hu: Array, vessels: Vessels, blood: Blood, s: float) -> Lumen:
    """Heart and great vessels, veins, then arteries over all; returns where the blood of the lungs is."""
    _paint_heart(rng, grid, hu, blood, s)
    vein = np.full(grid.shape, MARGIN_MM, np.float32)
    distance_to(grid, vessels.veins.branches, MARGIN_MM, vein)
    vein_cover = cover(vein, grid.edge_mm)
    paint(hu, vein_cover, blood.vein)
    artery = np.full(grid.shape, MARGIN_MM, np.float32)
    distance_to(grid, vessels.arteries.branches, MARGIN_MM, artery)
    artery_cover = cover(artery, grid.edge_mm)
    paint(hu, artery_cover, blood.artery)
    return Lumen(artery_cover, vein_cover * (1 - artery_cover), artery)


def _paint_heart(rng: np.random.Generator, grid: Grid, hu: Array, blood: Blood, s: float) -> None:
    def ball(z: float, y: float, x: float, rz: float, ry: float, rx: float, value: float) -> None:
        paint_ellipsoid(grid, hu, _at(z, y, x, s), _at(rz, ry, rx, s), value, soft=1.5)

    def tube(points: list[tuple[float, float, float]], radius: float, value: float) -> None:
        a, b, c = (_at(*point, s) for point in points)
        path = bezier(a, 2 * b - (a + c) / 2, c)
        far = np.full(grid.shape, MARGIN_MM, np.float32)
        distance_to(grid, [Branch(path, np.full(len(path), radius * s), -1, 0)], MARGIN_MM, far)
        paint(hu, cover(far, grid.edge_mm), value)

    right = blood.artery * 1.03
    ball(-58, -24, 16, 46, 42, 54, 85)  # muscle of the heart
    ball(-62, -22, 44, 34, 20, 24, blood.aorta * 1.02)  # left ventricle
    ball(-64, -46, 10, 30, 18, 30, right)  # right ventricle
    ball(-40, -50, 13, 22, 13, 13, right)  # its outflow
    ball(-54, -18, -34, 30, 24, 18, 0.9 * right + 0.1 * blood.cava)  # right atrium
    ball(-27, 14, 2, 17, 14, 29, blood.vein * 0.98)  # left atrium
    tube([(-40, -20, 4), (0, -30, -16), (34, -22, -14)], 15.0, blood.aorta)
    tube([(34, -22, -14), (52, -2, 2), (32, 32, 20)], 13.0, blood.aorta)
    tube([(34, 32, 21), (-40, 36, 20), (-140, 40, 12)], 11.5, blood.aorta)
    tube([(130, -16, -30), (40, -14, -30), (-34, -12, -32)], 8.5, blood.cava)
    tube([(130, 20, 8), (20, 31, 9), (-140, 32, 6)], 6.5, 42)  # gullet
    for z in rng.uniform(-80, 80, 3):
        paint_ellipsoid(grid, hu, _at(float(z), 30, 8, s), np.array([9.0, 2.5, 3.0]), AIR * 0.8)
    tube([(130, 44, -10), (0, 42, -12), (-140, 44, -10)], 3.5, max(60.0, 0.5 * blood.aorta))  # azygos vein
