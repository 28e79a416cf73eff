"""One colonoscopy, a frame every five seconds: stretches of one patient's colon, seen through what spoils the view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.frames_phantom import artefacts
from data_prep.frames_phantom.severity import Spoilt, draw_spoilt
from data_prep.polyp_phantom import optics
from data_prep.polyp_phantom.camera import draw_path
from data_prep.polyp_phantom.fields import Array
from data_prep.polyp_phantom.overlay import compose, draw_screen
from data_prep.polyp_phantom.patient import Patient, draw_patient
from data_prep.polyp_phantom.render import Pose, build_lens, render

FRAME_SHAPE = (350, 500)  # paper, section VI-C
SECONDS_BETWEEN_FRAMES = 5.0  # paper, section VI-C
STRETCH_FRAMES = 24  # chosen: a new stretch of colon after two minutes, so that a long video does not pass one twice
STRETCH_LENGTH = 7.0
_POLYP_PHANTOM_HEIGHT = 288  # of the frames that the scopes of the polyp phantom were drawn for


@dataclass(frozen=True)
class VideoPlan:
    """What makes one video."""

    video_id: str
    n_frames: int
    difficulty: float
    seed: np.random.SeedSequence


def render_video(plan: VideoPlan) -> Iterator[tuple[Array, Spoilt]]:
    """Yield (image_rgb (350, 500, 3) uint8, what is wrong with it) for each frame, in order.

    Every part draws from its own child of the plan's seed, so the same plan gives the same frames in any process.
    """
    colon, skin, *children = np.random.SeedSequence(plan.seed.entropy, spawn_key=plan.seed.spawn_key).spawn(7)
    walk, glass, screen_rng, faults, sensor = (np.random.default_rng(child) for child in children)
    screen = draw_screen(screen_rng, FRAME_SHAPE)
    scope = optics.draw_scope(glass, FRAME_SHAPE, 0.5 * plan.difficulty)
    lens = build_lens(screen.view, screen.centre, scope.pixels_per_radian * FRAME_SHAPE[0] / _POLYP_PHANTOM_HEIGHT)
    stool_colour = np.array([0.80, 0.62, 0.22]) * glass.uniform([0.75, 0.7, 0.5], [1.1, 1.0, 1.2])
    spoilt = draw_spoilt(faults, plan.n_frames, plan.difficulty)

    poses = _poses(colon, skin, walk, plan.n_frames)
    for k, (what, (patient, pose)) in enumerate(zip(spoilt, poses, strict=True)):
        severity = what.severity
        if near := severity.get("contact", 0.0):
            pose = _towards_wall(faults, patient, pose, near)
        linear, _, depth = render(patient.scene, lens, scope.light, pose)
        gain = optics.next_gain(linear, screen.view, None, scope.brightness) * _exposure(severity)
        image = artefacts.extend(optics.expose(linear, scope, gain), screen.view)
        image = artefacts.glare(artefacts.blur_what_is_near(image, depth), severity.get("bright", 0.0))
        image = artefacts.cover_with_stool(faults, image, _share(severity.get("stool", 0.0)), stool_colour)
        image = artefacts.cover_with_bubbles(faults, image, _share(severity.get("bubbles", 0.0)))
        image = artefacts.cover_with_water(faults, image, severity.get("water", 0.0))
        smear_px = 80.0 * severity.get("motion", 0.0) ** 1.4
        image = artefacts.smear(faults, image, smear_px)
        heading = faults.uniform(0, 2 * np.pi)
        jerk = 0.25 * smear_px / optics.EXPOSURE_S * np.array([np.cos(heading), np.sin(heading)])
        image = optics.degrade(sensor, image, scope, min(gain, 30.0), jerk, _defocus_px(severity.get("defocus", 0.0)))
        shown = compose(image * 255.0, screen, k, 1 / SECONDS_BETWEEN_FRAMES)
        yield optics.record(shown, scope), what


def _poses(
    colon: np.random.SeedSequence, skin: np.random.SeedSequence, walk: np.random.Generator, n: int
) -> Iterator[tuple[Patient, Pose]]:
    """n views of a colon, each with the stretch of it that is seen."""
    for first in range(0, n, STRETCH_FRAMES):
        count = min(STRETCH_FRAMES, n - first)
        polyps = tuple(walk.uniform(0, 1, int(walk.random() < 0.4)).tolist())
        patient = draw_patient(colon.spawn(1)[0], STRETCH_LENGTH, polyps, 0.3, skin_seed=skin)
        for pose in draw_path(walk, patient, count, count * SECONDS_BETWEEN_FRAMES):
            yield patient, pose


def _towards_wall(rng: np.random.Generator, patient: Patient, pose: Pose, severity: float) -> Pose:
    """The lens against the wall or a fold: nearer and more face to face, the more severe."""
    theta = rng.uniform(0, 2 * np.pi)
    point, normal = patient.scene.wall.point(float(pose.eye[2]), theta)
    distance = 0.04 + 0.75 * (1 - severity) ** 3.0
    eye = point + distance * normal
    tilt = (1 - severity) * rng.uniform(0.6, 1.5)
    forward = _unit(-normal + np.tan(min(tilt, 1.35)) * _unit(pose.axes[2] - (pose.axes[2] @ normal) * normal))
    right = _unit(pose.axes[0] - (pose.axes[0] @ forward) * forward)
    return Pose(eye, np.stack([right, np.cross(forward, right), forward]))


def _exposure(severity: Mapping[str, float]) -> float:
    """Factor on the gain that the automatic exposure chose."""
    return float(np.exp(2.9 * severity.get("bright", 0.0) - 4.6 * severity.get("dark", 0.0)))


def _share(severity: float) -> float:
    """How much of the view is covered."""
    return float(np.clip(1.15 * severity**1.1, 0, 1))


def _defocus_px(severity: float) -> float:
    return 11.0 * severity**1.5


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
