"""The phantom on disk, in the layout of CUBS (clinical): whole or not at all."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.intima_phantom.image import Picture, Profile, make_picture
from data_prep.intima_phantom.subject import draw_subject
from data_prep.parallel import ordered_map
from data_prep.phantom_folder import RECORD, holds_phantom
from data_prep.whole_folder import whole_folder
from layerwise.errors import DataError, UsageError
from layerwise.files import read_json, write_json

VERSION = 1  # raised whenever the same seed gives other files
TRUTH = "Truth"  # the folder of the lines that no expert knows, beside the experts'; no reader takes it for an expert
# chosen: here the handcrafted rival loses the lumen-intima in a few regions (48 um on average, half of them under 25);
# at 0.5 it is off by 24 um on average, as far as two experts are from each other, and leaves a net nothing to gain.
DIFFICULTY = 0.7
SIDES = ("L", "R")


@dataclass(frozen=True)
class Scale:
    """n_subjects, of which the second half is meant for testing; n_videos of each side, n_frames of each video."""

    n_subjects: int
    n_videos: int
    n_frames: int


SCALES = {
    "smoke": Scale(6, 1, 1),
    # chosen: the paper's 23 subjects with a sixth of its regions, since two cores have to score every pixel of half of
    # them; subjects, not regions, are what a test set is made of.
    "demo": Scale(23, 1, 1),
    # Paper, section VI-D: 92 videos, 3 regions of each; 144 + 132 regions, hence 12 of each of 12 + 11 subjects.
    "paper": Scale(23, 2, 3),
}


@dataclass(frozen=True)
class SubjectPlan:
    subject_id: str
    scale: Scale
    difficulty: float
    seed: np.random.SeedSequence


def plan_subjects(seed: int, scale: str, difficulty: float) -> list[SubjectPlan]:
    """The subjects of a data set, in order; subject k draws from the k-th child of the seed."""
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: no such scale; known are {', '.join(SCALES)}")
    if not 0.0 <= difficulty <= 1.0:
        raise UsageError(f"--difficulty {difficulty:g}: expected a number from 0 (easy) to 1 (hard)")
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected a whole number from 0 on")
    chosen = SCALES[scale]
    children = np.random.SeedSequence(seed).spawn(chosen.n_subjects)
    return [SubjectPlan(f"clin_{k:04d}", chosen, difficulty, child) for k, child in enumerate(children, start=1)]


def generate(
    root: Path | str, seed: int = 0, scale: str = "demo", difficulty: float = DIFFICULTY, workers: int = 2
) -> dict[str, Any]:
    """Make the phantom under `root` and return its record, the content of root/phantom.json.

    Writes IMAGES/<id>.tiff, CF/<id>_CF.txt and SEGMENTATIONS/<expert>/<id>{-LI,-MA,_rect}.txt, where <id> is
    clin_<subject>_<side> and, with several pictures of a side, its number; the true lines are in SEGMENTATIONS/Truth.
    If `root` already holds this very phantom, nothing is done. The same arguments give the same bytes with the same
    versions of the phantom and its libraries, for any `workers`.
    Raises DataError if `root` holds anything else or cannot be written; UsageError for an unknown scale or difficulty.
    """
    root = Path(root)
    plans = plan_subjects(seed, scale, difficulty)
    record: dict[str, Any] = {
        "kind": "phantom",
        "version": VERSION,
        "seed": seed,
        "scale": scale,
        "difficulty": difficulty,
        "test_subjects": [plan.subject_id for plan in plans[(len(plans) + 1) // 2 :]],
    }
    if holds_phantom(root, record):
        return read_json(root / RECORD)
    try:
        with whole_folder(root) as partial:
            job = functools.partial(write_subject, folder=partial)
            record["subjects"] = list(ordered_map(job, plans, workers, "phantom subjects"))
            write_json(partial / RECORD, record)
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror or error}). Nothing was left there") from error
    return record


def write_subject(plan: SubjectPlan, folder: Path) -> dict[str, Any]:
    """Write one subject's pictures as they are made; returns what phantom.json says of the subject."""
    body, *shots = plan.seed.spawn(1 + len(SIDES) * plan.scale.n_videos * plan.scale.n_frames)
    subject = draw_subject(np.random.default_rng(body), plan.subject_id, plan.difficulty)
    per_side = plan.scale.n_videos * plan.scale.n_frames
    for number, shot in enumerate(shots):
        side, of_side = SIDES[number // per_side], number % per_side + 1
        name = f"{plan.subject_id}_{side}" + (f"_{of_side}" if per_side > 1 else "")
        picture = make_picture(shot, subject, f"PHANTOM {plan.subject_id[5:]} {side}", plan.difficulty)
        _write_picture(folder, name, picture, subject.scanner.pixel_mm)
    return {
        "id": plan.subject_id,
        "regions": len(shots),
        "pixel_um": round(subject.scanner.pixel_mm * 1000, 1),
        "intima_media_um": round(subject.imt_mm * 1000),
    }


def _write_picture(folder: Path, name: str, picture: Picture, pixel_mm: float) -> None:
    images, factors = folder / "IMAGES", folder / "CF"
    for place in (images, factors):
        place.mkdir(parents=True, exist_ok=True)
    good, data = cv2.imencode(".tiff", picture.image)
    assert good, "OpenCV's TIFF encoder refused an 8-bit image"
    (images / f"{name}.tiff").write_bytes(data.tobytes())
    (factors / f"{name}_CF.txt").write_text(f"{pixel_mm:.4f}\n")
    for number, (expert, lines) in enumerate([*picture.experts.items(), (TRUTH, picture.truth)]):
        home = folder / "SEGMENTATIONS" / expert
        home.mkdir(parents=True, exist_ok=True)
        for line, profile in zip(("LI", "MA"), lines, strict=True):
            (home / f"{name}-{line}.txt").write_text(_profile_text(profile, in_two_rows=number == 0))
        (home / f"{name}_rect.txt").write_text(" ".join(map(str, picture.rect_xywh_px)) + "\n")


def _profile_text(profile: Profile, in_two_rows: bool) -> str:
    """One of CUBS' two shapes: all x and then all y, each row with a blank at its end; or a point per line."""
    if in_two_rows:
        return "".join("".join(f"{value:.4f} " for value in row) + "\n" for row in (profile.x_px, profile.y_px))
    return "".join(f"{x:.4f} {y:.4f}\n" for x, y in zip(profile.x_px, profile.y_px, strict=True))
