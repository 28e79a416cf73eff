"""The chest without its vessels: body, fat and muscle, bones, lungs with their texture, mediastinum, diaphragm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.embolism_phantom.grid import WHOLE, Array, Grid, cover, paint, smooth_noise

AIR, FAT, MUSCLE, LIVER = -1000.0, -95.0, 55.0, 95.0
CAVITY_TOP_MM = 125.0


@dataclass(frozen=True)
class Build:
    """What differs between chests; mm and HU. size: of everything, 1 the mean. emphysema: 0 none to 1."""

    size: float
    slimness: float
    fat_mm: float
    dome_mm: float
    rib_phase_mm: float
    lung_hu: float
    emphysema: float


def draw_build(rng: np.random.Generator) -> Build:
    return Build(
        size=float(np.clip(rng.normal(1.0, 0.05), 0.9, 1.1)),
        slimness=float(rng.uniform(0.93, 1.06)),
        fat_mm=float(rng.uniform(6, 26)),
        dome_mm=float(rng.uniform(-92, -66)),
        rib_phase_mm=float(rng.uniform(0, 26)),
        lung_hu=float(rng.normal(-855, 25)),
        emphysema=float(max(rng.uniform(-1, 1), 0)),
    )


@dataclass(frozen=True)
class Chest:
    """hu: the painted volume, float32. lung: coverage of lung, 0 to 1. cavity: signed distance to the rib cage."""

    hu: Array
    lung: Array
    cavity: Array


def cavity_distance(build: Build, z: Array, y: Array, x: Array) -> Array:
    """Signed distance in mm (about) to the inside of the rib cage, negative inside; narrower towards the top."""
    top = np.clip((z - 10) / (CAVITY_TOP_MM - 10), 0, 0.98)
    shrink = np.sqrt(1 - top**2) * build.size
    wide, deep = 119 * shrink * build.slimness, 84 * shrink
    norm = ((np.abs(x) / wide) ** 2.3 + (np.abs(y + 2) / deep) ** 2.3) ** (1 / 2.3)
    return (norm - 1) * np.minimum(wide, deep)


def mediastinum_distance(build: Build, z: Array, y: Array, x: Array) -> Array:
    """Signed distance in mm (about) to the middle of the chest, negative inside: a wall with the heart bulging out."""
    wall = np.abs(x - 2) - (24 + 5 * np.exp(-((z - 4) ** 2) / 600) - 5 * np.exp(-((y + 70) ** 2) / 500)) * build.size
    heart = np.sqrt(((z + 58) / 56) ** 2 + ((y + 24) / 48) ** 2 + ((x - 16) / 60) ** 2)
    return np.minimum(wall, (heart - 1) * 48 * build.size)


def diaphragm_distance(build: Build, z: Array, y: Array, x: Array) -> Array:
    """Signed distance in mm (about) to the diaphragm, negative below it; the right dome is the higher."""
    right = 30 * np.exp(-(((x + 62) / 48) ** 2) - ((y - 2) / 58) ** 2)
    left = 22 * np.exp(-(((x - 66) / 44) ** 2) - ((y - 2) / 58) ** 2)
    return z - (build.dome_mm - 16 + right + left)


def in_lung(build: Build, points_mm: Array, margin_mm: float, side: int) -> Array:
    """(N,) bool: points (N, 3) at least `margin_mm` inside the lung. side: +1 the left, -1 the right."""
    z, y, x = points_mm.T
    return (
        (cavity_distance(build, z, y, x) < -margin_mm)
        & (mediastinum_distance(build, z, y, x) > margin_mm)
        & (diaphragm_distance(build, z, y, x) > margin_mm)
        & (x * side > 0)
    )


def build_chest(rng: np.random.Generator, grid: Grid, build: Build) -> Chest:
    """Paint everything but vessels, heart and airways."""
    z, y, x = grid.axes(WHOLE)
    edge = grid.edge_mm
    cavity = cavity_distance(build, z, y, x).astype(np.float32)
    hu = np.full(grid.shape, AIR, np.float32)
    skin = _body_distance(build, y, x)
    paint(hu, cover(skin, edge), FAT + 14 * smooth_noise(rng, grid, 9))
    muscle = MUSCLE + 8 * smooth_noise(rng, grid, 6)
    lean = np.maximum(skin + build.fat_mm + 2, cavity - 26 - 6 * smooth_noise(rng, grid, 40))
    paint(hu, cover(lean, edge), muscle)
    between = np.abs(cavity - 14 - 3 * np.sin(x / 9)) - 1.6  # fat between the layers of muscle
    paint(hu, 0.8 * cover(np.maximum(between, lean), edge), FAT)
    _paint_bones(rng, grid, build, hu, cavity)

    below = diaphragm_distance(build, z, y, x)
    middle = mediastinum_distance(build, z, y, x) + 1.5 * smooth_noise(rng, grid, 22)
    inside = cover(cavity, edge)
    paint(hu, inside, FAT + 45 * np.clip(smooth_noise(rng, grid, 7), -0.5, 2))
    paint(hu, inside * cover(below, edge), LIVER + 6 * smooth_noise(rng, grid, 5))
    lung = inside * (1 - cover(np.minimum(middle, below), edge))
    _clear_spine(grid, build, lung)
    texture = 14 * smooth_noise(rng, grid, 3.5) + 20 * smooth_noise(rng, grid, 14) + 30 * y / 80
    holes = -70 * build.emphysema * np.clip(smooth_noise(rng, grid, 8) - 0.6, 0, 1.5)
    paint(hu, lung, build.lung_hu + texture + holes)
    _paint_spine(rng, grid, build, hu)
    return Chest(hu, lung, cavity)


def _body_distance(build: Build, y: Array, x: Array) -> Array:
    wide, deep = (136 * build.slimness + 16) * build.size + build.fat_mm, 105 * build.size + build.fat_mm
    norm = ((np.abs(x) / wide) ** 2.5 + (np.abs(y - 12) / deep) ** 2.5) ** (1 / 2.5)
    return (norm - 1) * min(wide, deep)


def _paint_bones(rng: np.random.Generator, grid: Grid, build: Build, hu: Array, cavity: Array) -> None:
    """Ribs that slant down to the front, their cartilage, sternum, shoulder blades."""
    z, y, x = grid.axes(WHOLE)
    edge = grid.edge_mm
    marrow = 170 + 45 * smooth_noise(rng, grid, 4)
    beside = (z - 0.5 * (y - 80) - build.rib_phase_mm) % 26 - 13
    rib = (np.sqrt((beside / 6.0) ** 2 + ((cavity - 5) / 4.0) ** 2) - 1) * 4.0
    front = cover(np.maximum(np.abs(x) - 42, y + 40), 14)
    paint(hu, cover(rib, edge) * (1 - front), 620)
    paint(hu, cover(rib + 1.3, edge) * (1 - front), marrow)
    paint(hu, cover(rib, edge) * front * (np.abs(x) > 20), 110)
    breast = np.maximum(np.abs(x) - 19 * build.size, np.abs(cavity - 8) - 5.5)
    breast = np.maximum(breast, y + 20)
    paint(hu, cover(breast, edge), 480)
    paint(hu, cover(breast + 1.6, edge), marrow - 40)
    blade = np.maximum(np.abs(cavity - 19 - 0.05 * (x % 40)) - 2.4, np.maximum(28 - y, np.abs(np.abs(x) - 92) - 32))
    blade = np.maximum(blade, -45 - z)
    paint(hu, cover(blade, edge), 520)


def _clear_spine(grid: Grid, build: Build, lung: Array) -> None:
    _, y, x = grid.axes(WHOLE)
    s = build.size
    around = np.minimum(np.hypot(x, y - 62 * s) - 23 * s, np.maximum(np.abs(x) - 38 * s, 70 * s - y))
    lung *= 1 - cover(around, 3)


def _paint_spine(rng: np.random.Generator, grid: Grid, build: Build, hu: Array) -> None:
    """Vertebrae with discs between, canal, arch, spinous and transverse processes; muscle beside."""
    z, y, x = grid.axes(WHOLE)
    edge, s = grid.edge_mm, build.size
    spongy = 190 + 40 * smooth_noise(rng, grid, 3.5)
    up = (z + 2 * build.rib_phase_mm) % 27 - 13.5
    beside = np.maximum(np.hypot(np.abs(x) - 20 * s, (y - 84 * s) / 0.8) - 20 * s, 66 * s - y)
    paint(hu, cover(np.maximum(beside, _body_distance(build, y, x) + build.fat_mm), edge), 50)
    column = np.hypot(x / 1.12, y - 60 * s) - (17.5 - 1.4 * np.cos(up / 13.5 * np.pi)) * s
    paint(hu, cover(column, edge), 95)
    vertebra = np.maximum(column, np.abs(up) - 10.8)
    paint(hu, cover(vertebra, edge), 430)
    paint(hu, cover(vertebra + 1.5, edge), spongy)
    arch = np.abs(np.hypot(x, y - 85 * s) - 11.5 * s) - 2.6
    spine = np.maximum(np.abs(x) - 3.2, np.abs(y - 104 * s) - 12 * s)
    across = np.maximum(np.hypot(up - 4, y - 84 * s - 0.25 * np.abs(x)) - 5, np.abs(np.abs(x) - 24 * s) - 14 * s)
    bony = np.minimum(np.minimum(arch, spine), across)
    paint(hu, cover(np.maximum(bony, np.abs(up) - 10.5), edge), 520)
    paint(hu, cover(bony + 2.0, edge), spongy)
    paint(hu, cover(np.hypot(x, y - 84 * s) - 8.5 * s, edge), 32)
