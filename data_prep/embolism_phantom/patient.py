"""One patient's scan: everything that makes it, each part from its own random stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.embolism_phantom import distractors, emboli, scanner
from data_prep.embolism_phantom.chest import build_chest, draw_build
from data_prep.embolism_phantom.grid import Array, Grid
from data_prep.embolism_phantom.vessels import draw_blood, grow_vessels, paint_airways, paint_vessels


@dataclass(frozen=True)
class Plan:
    """What makes one volume. ease: for each of its emboli, its place in [0, 1] from hard to easy."""

    patient_id: str
    columns: int
    rows: int
    height_mm: float
    width_mm: float
    slice_mm: tuple[float, ...]
    ease: tuple[float, ...]
    difficulty: float
    seed: np.random.SeedSequence


@dataclass(frozen=True)
class Scan:
    """hu: (z, y, x) int16. labels: int32, 0 or the number of the embolus. spacing_mm: (z, y, x)."""

    hu: Array
    labels: Array
    spacing_mm: tuple[float, float, float]
    emboli: tuple[dict[str, Any], ...]


def scan_patient(plan: Plan) -> Scan:
    """The same plan gives the same scan in any process."""
    # A SeedSequence counts the children it gave: a fresh one gives the same children each time.
    children = np.random.SeedSequence(plan.seed.entropy, spawn_key=plan.seed.spawn_key).spawn(7)
    frame, body, growth, injection, clotting, clutter, beam = (np.random.default_rng(child) for child in children)
    grid = draw_grid(frame, plan)
    build = draw_build(body)
    chest = build_chest(body, grid, build)
    vessels = grow_vessels(growth, build)
    blood = draw_blood(injection, plan.difficulty)
    distractors.paint_sick_lung(clutter, grid, chest, build)
    paint_airways(clutter, grid, chest.hu, vessels)
    distractors.paint_nodes(clutter, grid, chest.hu, vessels.arteries, plan.difficulty)
    lumen = paint_vessels(injection, grid, chest.hu, vessels, blood, build.size)
    distractors.disturb_blood(clutter, grid, chest.hu, lumen, vessels.arteries, plan.difficulty)
    clots, labels = emboli.place_emboli(clotting, grid, lumen, vessels.arteries, plan.ease, plan.difficulty)
    emboli.paint_emboli(clotting, grid, chest.hu, lumen, vessels.arteries, clots)
    hu, labels = scanner.scan(beam, grid, chest.hu, labels, scanner.draw_scanner(beam, blood.cava, plan.difficulty))
    notes = tuple(
        {"kind": c.kind, "artery_radius_mm": round(c.radius_mm, 2), "volume_mm3": round(c.volume_mm3, 1)} for c in clots
    )
    return Scan(hu, labels, grid.spacing_mm, notes)


def draw_grid(rng: np.random.Generator, plan: Plan) -> Grid:
    """Voxels of a patient's own size: as a technician fits the field of view to the chest."""
    dz = float(rng.choice(plan.slice_mm))
    side = round(float(plan.width_mm * rng.uniform(0.95, 1.05) / plan.columns), 4)
    shape = (int(plan.height_mm * rng.uniform(0.92, 1.08) / dz), plan.rows, plan.columns)
    low = 0.5 * float(plan.height_mm) + 12 + rng.uniform(-6, 6)
    origin = (-low, -(shape[1] - 1) / 2 * side + 8, -(shape[2] - 1) / 2 * side)
    return Grid(shape, (dz, side, side), origin)
