"""One patient's stretch of colon: wall, skin, polyps and distractors, each drawn from its own random stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.polyp_phantom import distractors
from data_prep.polyp_phantom.distractors import Place
from data_prep.polyp_phantom.fields import Array
from data_prep.polyp_phantom.lumen import PERIOD, TAU, Wall, build_wall, draw_bend, draw_radius
from data_prep.polyp_phantom.mucosa import draw_skin
from data_prep.polyp_phantom.polyps import draw_polyp
from data_prep.polyp_phantom.render import Scene, draw_patterns
from data_prep.polyp_phantom.solids import Solid

_VIEW_BEYOND = 4.0  # units that the camera sees beyond the end of its path


@dataclass(frozen=True)
class Patient:
    """span: the depths between which the camera travels. interests: points (3,) worth a look, polyps first."""

    scene: Scene
    span: tuple[float, float]
    interests: tuple[Array, ...]


def draw_patient(
    seed: np.random.SeedSequence,
    length: float,
    polyp_ease: tuple[float, ...],
    difficulty: float,
    skin_seed: np.random.SeedSequence | None = None,
) -> Patient:
    """A patient whose colon is inspected over `length` units, with one polyp for each of `polyp_ease`.

    polyp_ease: each polyp's place in [0, 1] from hard to easy. difficulty: in [0, 1]; more of it means more knobs and
    stool, closer to the polyps' shape and colour, and polyps that are smaller, flatter and of less contrast.
    skin_seed: of the mucosa's look, where several stretches are to be one patient's.
    """
    anatomy, skin_rng, growth, clutter = (np.random.default_rng(child) for child in seed.spawn(4))
    if skin_seed is not None:
        skin_rng = np.random.default_rng(skin_seed)
    bend, radius, skin = draw_bend(anatomy), draw_radius(anatomy), draw_skin(skin_rng)
    start = float(anatomy.uniform(0, PERIOD / 2))
    sites = _polyp_sites(growth, start, length, len(polyp_ease))

    def places(per_8_units: float, clear: float, stretch: float) -> list[Place]:
        """Random places over a stretch of the colon, none within `clear` units of a polyp."""
        n = int(clutter.poisson(per_8_units * stretch / 8))
        drawn = [(start - 0.5 + float(clutter.uniform(0, stretch)), float(clutter.uniform(0, TAU))) for _ in range(n)]
        return [place for place in drawn if all(not _near(place, site, clear) for site in sites)]

    seen = length + _VIEW_BEYOND
    painted = min(seen, PERIOD)  # what is part of the maps comes again with them
    knobs = places(4 + 6 * difficulty, 0.7, painted)
    distractors.raise_knobs(clutter, radius, knobs, difficulty)
    dirt = float(clutter.beta(1.2, 1.8))
    if clutter.random() < 0.3:
        distractors.sink_diverticula(clutter, radius, skin, places(4.0, 0.7, painted))
    distractors.paint_debris(clutter, skin, dirt)
    if clutter.random() < 0.25 + 0.5 * dirt:
        for place in places(1.5, 1.2, painted):
            distractors.paint_pool(clutter, skin, place)
    distractors.paint_bubbles(clutter, skin, places(2 + 10 * clutter.beta(0.8, 1.6), 0.4, painted))
    wall = build_wall(bend, radius)

    polyps = [
        draw_polyp(growth, wall, skin.tone, z, theta, ease, difficulty)
        for (z, theta), ease in zip(sites, polyp_ease, strict=True)
    ]
    stool = [
        distractors.draw_stool(clutter, wall, skin.tone, place, difficulty)
        for place in places((1 + 5 * dirt) * (0.5 + difficulty), 0.6, seen)
    ]
    scene = Scene(wall, skin.finish(), (*polyps, *stool), draw_patterns(growth))
    interests = [polyp.origin for polyp in polyps] + _others(clutter, wall, knobs, stool, len(polyps))
    return Patient(scene, (start, start + length), tuple(interests))


def _polyp_sites(rng: np.random.Generator, start: float, length: float, n: int) -> list[Place]:
    """Places of n polyps, spread over what the camera passes, with room to approach."""
    marks = (np.arange(n) + rng.uniform(0.35, 0.75, n)) / max(n, 1)
    return [(start + 0.8 + float(m) * length, float(rng.uniform(0, TAU))) for m in marks]


def _others(rng: np.random.Generator, wall: Wall, knobs: list[Place], stool: list[Solid], n_polyps: int) -> list[Array]:
    """Points besides the polyps that the camera turns to; more of them where there is no polyp to look at."""
    points = [wall.point(z, theta)[0] for z, theta in knobs] + [solid.origin for solid in stool]
    wanted = min(len(points), max(1, 3 - n_polyps))
    return [points[k] for k in rng.permutation(len(points))[:wanted]]


def _near(a: Place, b: Place, reach: float) -> bool:
    """Whether two places are within `reach` along the colon (as the maps repeat) and a radian round it."""
    along = abs((a[0] - b[0] + PERIOD / 2) % PERIOD - PERIOD / 2)
    return along <= reach and abs((a[1] - b[1] + np.pi) % TAU - np.pi) <= 1.0
