"""One video, frame by frame: a patient, a scope, a path; memory does not grow with what is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from data_prep.polyp_phantom import optics
from data_prep.polyp_phantom.camera import draw_path
from data_prep.polyp_phantom.distractors import instrument_tip
from data_prep.polyp_phantom.fields import Array, drift, f32
from data_prep.polyp_phantom.overlay import compose, draw_screen
from data_prep.polyp_phantom.patient import draw_patient
from data_prep.polyp_phantom.render import Pose, build_lens, render
from data_prep.polyp_phantom.solids import Solid

FRAME_SHAPE = (288, 384)  # height, width, as CVC-ClinicDB and CVC-ClinicVideoDB
MIN_VISIBLE_PX = 80  # chosen: about 10 px across; smaller pieces are not marked, an annotator would not see them
MIN_VISIBLE_LUMA = 24  # chosen: a polyp darker than this on the mean is lost in the dark of the lumen: not marked
SPEED = 0.55  # chosen: units a second, about 1 cm/s, a quick withdrawal, so that a short video passes several folds


@dataclass(frozen=True)
class VideoPlan:
    """What makes one video. polyp_ease: for each of its polyps, its place in [0, 1] from hard to easy."""

    video_id: str
    n_frames: int
    frames_per_s: float
    polyp_ease: tuple[float, ...]
    difficulty: float
    seed: np.random.SeedSequence


def render_video(plan: VideoPlan) -> Iterator[tuple[Array, Array]]:
    """Yield (image_rgb (288, 384, 3) uint8, mask (288, 384) uint8 of 0 or 255) for each frame, in order.

    Every part draws from its own child of the plan's seed, so the same plan gives the same frames in any process.
    """
    # A SeedSequence counts the children it gave: a fresh one gives the same children each time.
    patient_seed, *children = np.random.SeedSequence(plan.seed.entropy, spawn_key=plan.seed.spawn_key).spawn(5)
    walk, glass, screen_rng, sensor = (np.random.default_rng(child) for child in children)
    duration_s = plan.n_frames / plan.frames_per_s
    patient = draw_patient(patient_seed, 3.0 + SPEED * duration_s, plan.polyp_ease, plan.difficulty)
    screen = draw_screen(screen_rng, FRAME_SHAPE)
    scope = optics.draw_scope(glass, FRAME_SHAPE, plan.difficulty)
    lens = build_lens(screen.view, screen.centre, scope.pixels_per_radian)
    blur = _blur_track(sensor, plan.n_frames, duration_s, plan.difficulty)
    tool = _tool_track(sensor, plan.n_frames)

    scene, gain, before = patient.scene, None, None
    for k, pose in enumerate(draw_path(walk, patient, plan.n_frames, duration_s)):
        shown = scene
        if tool[k] > 0:
            shown = replace(scene, solids=(*scene.solids, instrument_tip(pose.eye, pose.axes, tool[k])))
        linear, which, depth = render(shown, lens, scope.light, pose)
        gain = optics.next_gain(linear, screen.view, gain, scope.brightness)
        image = optics.expose(linear, scope, gain)
        mask = _visible_polyps(shown.solids, which, image)
        motion = _motion_px(before, pose, scope.pixels_per_radian) * plan.frames_per_s
        too_near = max(0.0, 0.42 - float(np.median(depth[screen.view][::11]))) * 6.0
        image = optics.degrade(sensor, image, scope, gain, motion, float(np.hypot(blur[k], too_near)))
        yield optics.record(compose(image * 255.0, screen, k, plan.frames_per_s), scope), mask
        before = pose


def _blur_track(rng: np.random.Generator, n: int, duration_s: float, difficulty: float) -> Array:
    """Defocus sigma of each frame in pixels, (n,): mostly sharp, with spells of blur of about a second."""
    spell = np.maximum(drift(rng, n, max(3, round(duration_s / 1.2))) - (1.1 - 0.5 * difficulty), 0)
    return np.minimum(2.2 * spell, 4.0)


def _tool_track(rng: np.random.Generator, n: int) -> Array:
    """How far the instrument stands out in each frame, units, 0 where none is there. (n,)"""
    if rng.random() > 0.22:
        return np.zeros(n)
    at, width = rng.uniform(0.2, 0.8) * n, rng.uniform(0.08, 0.2) * n
    return np.clip(1 - ((np.arange(n) - at) / width) ** 2, 0, None) * rng.uniform(0.4, 0.9)


def _motion_px(before: Pose | None, now: Pose, pixels_per_radian: float) -> Array:
    """By how much the middle of the picture moved since the last frame, (2,) x and y."""
    if before is None:
        return np.zeros(2)
    return (now.axes @ before.axes[2])[:2] * pixels_per_radian


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
