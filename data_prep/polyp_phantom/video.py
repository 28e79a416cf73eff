"""One video, frame by frame: a patient, a scope, a path; memory does not grow with the number of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom import distractors, optics
from data_prep.polyp_phantom.camera import Pose, draw_path
from data_prep.polyp_phantom.fields import Array, drift, f32
from data_prep.polyp_phantom.lumen import TAU, Wall, build_wall, draw_bend, draw_radius
from data_prep.polyp_phantom.mucosa import draw_skin
from data_prep.polyp_phantom.overlay import compose, draw_screen
from data_prep.polyp_phantom.polyps import draw_polyp
from data_prep.polyp_phantom.render import Scene, build_lens, draw_patterns, render
from data_prep.polyp_phantom.solids import Solid

FRAME_SHAPE = (288, 384)  # height, width, as CVC-ClinicDB and CVC-ClinicVideoDB
MIN_VISIBLE_PX = 80  # chosen: about 10 px across; smaller pieces are not marked, an annotator would not see them
MIN_VISIBLE_LUMA = 24  # chosen: a polyp darker than this on the mean is lost in the dark of the lumen: not marked


@dataclass(frozen=True)
class VideoPlan:
    """What makes one video. ease: for each of its polyps, its place in [0, 1] from hard to easy."""

    video_id: str
    n_frames: int
    ease: tuple[float, ...]
    difficulty: float
    seed: np.random.SeedSequence


def render_video(plan: VideoPlan) -> Iterator[tuple[Array, Array]]:
    """Yield (image_rgb (288, 384, 3) uint8, mask (288, 384) uint8 of 0 or 255) for each frame, in order.

    Every part draws from its own child of the plan's seed, so the same plan gives the same frames in any process.
    """
    anatomy, skin_rng, growth, clutter, walk, glass, screen_rng, sensor = (
        np.random.default_rng(child) for child in plan.seed.spawn(8)
    )
    screen = draw_screen(screen_rng, FRAME_SHAPE)
    scope = optics.draw_scope(glass, FRAME_SHAPE, plan.difficulty)
    lens = build_lens(screen.view, screen.centre, scope.pixels_per_radian)
    scene, poses = _build_scene(plan, anatomy, skin_rng, growth, clutter, walk)
    blur = _blur_track(sensor, plan.n_frames, plan.difficulty)
    tool = _tool_track(clutter, plan.n_frames)

    gain: float | None = None
    before: Pose | None = None
    for k, pose in enumerate(poses):
        shown = scene
        if tool[k] > 0:
            tip = distractors.instrument_tip(pose.eye, pose.axes, tool[k], np.array([0.10, 0.11, 0.13]))
            shown = Scene(scene.wall, scene.skin, (*scene.solids, tip), scene.patterns)
        linear, which, depth = render(shown, lens, scope.light, pose)
        gain = optics.next_gain(linear, screen.view, gain, scope.brightness)
        image = optics.expose(linear, scope, gain)
        mask = _visible_polyps(shown.solids, which, image)
        motion = _motion_px(before, pose, scope.pixels_per_radian)
        near = max(0.0, 0.42 - float(np.median(depth[screen.view][::11]))) * 6.0
        image = optics.degrade(sensor, image, scope, gain, motion, float(np.hypot(blur[k], near)))
        image_rgb = compose(image * 255.0, screen, k + 1, frames_per_s=5.0)
        yield optics.record(image_rgb, scope), mask
        before = pose


def _build_scene(
    plan: VideoPlan,
    anatomy: np.random.Generator,
    skin_rng: np.random.Generator,
    growth: np.random.Generator,
    clutter: np.random.Generator,
    walk: np.random.Generator,
) -> tuple[Scene, list[Pose]]:
    bend, radius, skin = draw_bend(anatomy), draw_radius(anatomy), draw_skin(skin_rng)
    start = float(anatomy.uniform(0, 8))
    length = 2.2 + 0.085 * min(plan.n_frames, 60) + 0.018 * max(plan.n_frames - 60, 0)
    sites = _polyp_sites(growth, start, length, len(plan.ease))

    def places(mean: float, away: float) -> list[distractors.Place]:
        n = int(clutter.poisson(mean * (length + 3) / 8))
        drawn = [
            (float(clutter.uniform(start - 0.5, start + length + 4)), float(clutter.uniform(0, TAU))) for _ in range(n)
        ]
        return [p for p in drawn if all(abs(p[0] - z) > away or _apart(p[1], t) > 1.0 for z, t in sites)]

    hard = plan.difficulty
    knobs = places(4 + 6 * hard, 0.7)
    distractors.raise_knobs(clutter, radius, knobs, hard)
    dirt = float(clutter.beta(1.2, 1.8))
    if clutter.random() < 0.3:
        distractors.sink_diverticula(clutter, radius, skin, places(4.0, 0.7))
    distractors.paint_debris(clutter, skin, dirt)
    if clutter.random() < 0.25 + 0.5 * dirt:
        for place in places(1.5, 1.2):
            distractors.paint_pool(clutter, skin, place)
    distractors.paint_bubbles(clutter, skin, places(1 + 7 * clutter.beta(0.8, 1.6), 0.4))
    wall = build_wall(bend, radius)

    polyps = [
        draw_polyp(growth, wall, skin.tone, z, theta, ease, hard)
        for (z, theta), ease in zip(sites, plan.ease, strict=True)
    ]
    stool = [
        distractors.draw_stool(clutter, wall, skin.tone, place, hard)
        for place in places((1 + 5 * dirt) * (0.5 + hard), 0.6)
    ]
    solids: tuple[Solid, ...] = (*polyps, *stool)
    seen = [p.origin for p in polyps] + _interests(clutter, wall, knobs, stool, len(polyps))
    span = (start, start + length) if walk.random() < 0.5 else (start + length, start)
    poses = draw_path(walk, wall, solids, seen, span, plan.n_frames)
    return Scene(wall, skin.finish(), solids, draw_patterns(growth)), poses


def _polyp_sites(rng: np.random.Generator, start: float, length: float, n: int) -> list[distractors.Place]:
    """Places of n polyps, spread over the part of the colon that the camera passes with room to approach."""
    marks = (np.arange(n) + rng.uniform(0.35, 0.75, n)) / max(n, 1)
    return [(start + 0.8 + float(m) * length, float(rng.uniform(0, TAU))) for m in marks]


def _interests(
    rng: np.random.Generator, wall: Wall, knobs: list[distractors.Place], stool: list[Solid], n_polyps: int
) -> list[Array]:
    """Points besides the polyps that the camera turns to; more of them where there is no polyp to look at."""
    points = [wall.point(z, theta)[0] for z, theta in knobs] + [s.origin for s in stool]
    wanted = min(len(points), max(1, 3 - n_polyps))
    return [points[k] for k in rng.permutation(len(points))[:wanted]]


def _apart(a: float, b: float) -> float:
    return abs((a - b + np.pi) % TAU - np.pi)


def _blur_track(rng: np.random.Generator, n: int, difficulty: float) -> Array:
    """Defocus sigma of each frame in pixels, (n,): mostly sharp, with spells of blur."""
    spell = np.maximum(drift(rng, n, max(3, n // 6)) - (1.1 - 0.5 * difficulty), 0)
    return np.minimum(2.2 * spell, 4.0)


def _tool_track(rng: np.random.Generator, n: int) -> Array:
    """How far the instrument stands out in each frame, units, 0 where none is there. (n,)"""
    if rng.random() > 0.22:
        return np.zeros(n)
    at, width = rng.uniform(0.2, 0.8) * n, rng.uniform(0.08, 0.2) * n
    return np.clip(1 - ((np.arange(n) - at) / width) ** 2, 0, None) * rng.uniform(0.4, 0.9)


def _motion_px(before: Pose | None, now: Pose, pixels_per_radian: float) -> tuple[float, float]:
    """By how much the middle of the picture moved since the last frame, x and y."""
    if before is None:
        return 0.0, 0.0
    old = now.axes @ before.axes[2]
    return float(old[0] * pixels_per_radian), float(old[1] * pixels_per_radian)


def _visible_polyps(solids: tuple[Solid, ...], which: Array, image: Array) -> Array:
    """Mask (H, W) uint8, 255 on the visible pieces of polyps that are large and bright enough to be marked."""
    mask = np.zeros(which.shape, np.uint8)
    luma = image @ f32([0.299, 0.587, 0.114]) * 255
    for index, solid in enumerate(solids):
        if solid.kind != "polyp":
            continue
        piece = cv2.morphologyEx((which == index).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(piece, connectivity=8)
        for part in range(1, count):
            region = labels == part
            if stats[part, cv2.CC_STAT_AREA] >= MIN_VISIBLE_PX and float(luma[region].mean()) >= MIN_VISIBLE_LUMA:
                mask[region] = 255
    return mask
