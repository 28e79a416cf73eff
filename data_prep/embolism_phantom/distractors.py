"""What is mistaken for an embolus: lymph nodes beside arteries, blood that has not mixed, and lung that is sick."""

from __future__ import annotations

import numpy as np

from data_prep.embolism_phantom.chest import Build, Chest
from data_prep.embolism_phantom.grid import WHOLE, Array, Grid, cover, paint, paint_ellipsoid, smooth_noise
from data_prep.embolism_phantom.tree import Tree
from data_prep.embolism_phantom.vessels import Lumen


def paint_nodes(rng: np.random.Generator, grid: Grid, hu: Array, arteries: Tree, difficulty: float) -> None:
    """Lymph nodes that touch arteries, mostly at the hila; painted before the vessels, which then press into them."""
    thick = [branch for branch in arteries.branches[1:] if branch.radii_mm[0] > 2.2]
    for _ in range(int(rng.poisson(6 + 10 * difficulty))):
        branch = thick[int(rng.integers(len(thick)))]
        k = int(rng.integers(1, len(branch.path_mm)))
        radii = rng.uniform(2.0, 5.5) * rng.uniform(0.7, 1.5, 3)
        aside = np.cross(branch.path_mm[k] - branch.path_mm[k - 1], rng.standard_normal(3))
        aside = aside / max(float(np.linalg.norm(aside)), 1e-6)
        centre = branch.path_mm[k] + aside * (branch.radii_mm[k] + 0.75 * radii.mean())
        paint_ellipsoid(grid, hu, centre, radii, float(rng.uniform(35, 95)))


def disturb_blood(
    rng: np.random.Generator, grid: Grid, hu: Array, lumen: Lumen, arteries: Tree, difficulty: float
) -> None:
    """Uneven mixing everywhere, and in places a streak of less contrast that fades out: a flow artefact, no clot."""
    strength = rng.uniform(0.02, 0.06) * (0.7 + 0.6 * difficulty)
    hu += (lumen.artery + lumen.vein) * np.maximum(hu - 60, 0) * strength * smooth_noise(rng, grid, 9)
    for _ in range(int(rng.poisson(2 + 5 * difficulty))):
        branch = arteries.branches[int(rng.integers(1, len(arteries.branches)))]
        k = len(branch.path_mm) // 2
        radius = float(branch.radii_mm[k])
        if radius < 1.5:
            continue
        reach = np.full(3, 3.5 * radius)
        box = grid.box(branch.path_mm[k] - reach, branch.path_mm[k] + reach)
        if box is None:
            continue
        z, y, x = grid.axes(box)
        away = np.sqrt(sum((axis - p) ** 2 for axis, p in zip((z, y, x), branch.path_mm[k], strict=True)))
        fade = np.exp(-((away / (1.2 * radius)) ** 2)) * float(rng.uniform(0.2, 0.4 + 0.25 * difficulty))
        hu[box] -= lumen.artery[box] * fade * np.maximum(hu[box] - 60, 0)


def paint_sick_lung(rng: np.random.Generator, grid: Grid, chest: Chest, build: Build) -> None:
    """Some patients' collapsed lung at the back, patchy consolidation, or fluid; before vessels are painted."""
    z, y, x = grid.axes(WHOLE)
    rough = smooth_noise(rng, grid, 10)
    if rng.random() < 0.5:
        depth = rng.uniform(4, 14)
        band = cover(-chest.cavity - depth + 4 * rough + 0.25 * (z + 70), 7) * (y > 15) * chest.lung
        paint(chest.hu, band, float(rng.uniform(-450, -50)))
    if rng.random() < 0.35:
        side, low = rng.choice([-1, 1]), rng.uniform(-70, 30)
        centre = np.array([low, rng.uniform(-30, 50), side * rng.uniform(55, 95)])
        far = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
        patch = cover(far - rng.uniform(12, 26) + 7 * rough, 9) * chest.lung
        paint(chest.hu, patch, float(rng.uniform(-350, 30)))
    if rng.random() < 0.3:
        side = rng.choice([-1, 1])
        level = 78 * build.size - rng.uniform(5, 26) * np.clip((30 - z) / 90, 0, 1) + 0.0008 * (np.abs(x) - 70) ** 2
        fluid = cover(level - y, grid.edge_mm) * chest.lung * (x * side > 0)
        paint(chest.hu, fluid, float(rng.uniform(2, 22)))
