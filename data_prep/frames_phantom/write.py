"""The phantom on disk, in the layout of NBI-InfFrames with one fold per video: whole or not at all."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.frames_phantom.severity import Spoilt
from data_prep.frames_phantom.video import VideoPlan, render_video
from data_prep.parallel import ordered_map
from data_prep.polyp_phantom.write import FAST_PNG
from data_prep.whole_folder import whole_folder
from layerwise.errors import DataError, UsageError
from layerwise.files import write_csv, write_json

VERSION = 1  # raised whenever the same seed gives other frames
FRAMES_FOLDER = "FRAMES"
RECORD = "phantom.json"
TRUTH = "truth.csv"
DIFFICULTY = 0.5
# NBI-InfFrames knows four classes: informative, blurred, with saliva or specular reflections, under-exposed.
CLASS_OF_KIND = {
    "": "B",
    "defocus": "B",
    "motion": "B",
    "contact": "B",
    "bubbles": "S",
    "water": "S",
    "stool": "S",
    "bright": "S",
    "dark": "U",
}


@dataclass(frozen=True)
class Scale:
    """n_videos, of which the second half is meant for testing; frames of each."""

    n_videos: int
    n_frames: int


SCALES = {
    "smoke": Scale(6, 10),
    # chosen: more and shorter videos than the paper's six, so that the validation AUC does not hang on one video.
    "demo": Scale(16, 40),
    # Paper, section VI-C: 6 videos, about 2,000 frames to train and 2,000 to test.
    "paper": Scale(6, 667),
}
PAPER_FRAMES = 4000


def plan_videos(seed: int, scale: str, difficulty: float) -> list[VideoPlan]:
    """The videos of a data set, in order; video v draws from the v-th child of the seed."""
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: no such scale; known are {', '.join(SCALES)}")
    if not 0.0 <= difficulty <= 1.0:
        raise UsageError(f"--difficulty {difficulty:g}: expected a number from 0 (easy) to 1 (hard)")
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected a whole number from 0 on")
    chosen = SCALES[scale]
    total = min(chosen.n_videos * chosen.n_frames, PAPER_FRAMES)
    counts = [len(part) for part in np.array_split(np.arange(total), chosen.n_videos)]
    children = np.random.SeedSequence(seed).spawn(chosen.n_videos)
    return [
        VideoPlan(str(v), count, difficulty, child)
        for v, (count, child) in enumerate(zip(counts, children, strict=True), start=1)
    ]


def generate(
    root: Path | str, seed: int = 0, scale: str = "demo", difficulty: float = DIFFICULTY, workers: int = 2
) -> dict[str, Any]:
    """Make the phantom under `root` and return its record, the content of root/phantom.json.

    Writes root/FRAMES/Fold<v>/<class>/<v>_<k>.png, the class I, B, S or U, and root/truth.csv with each frame's faults.
    All is written to a folder beside `root` that takes its name at the end.
    The same arguments give the same bytes with the same versions of the phantom and its libraries, for any `workers`.
    Raises DataError if `root` holds anything or cannot be written; UsageError for an unknown scale or difficulty.
    """
    root = Path(root)
    plans = plan_videos(seed, scale, difficulty)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root}: is not an empty folder. Give another --out, or empty it")
    try:
        with whole_folder(root) as partial:
            job = functools.partial(write_video, folder=partial / FRAMES_FOLDER)
            written = list(ordered_map(job, plans, workers, "phantom videos"))
            write_csv(
                partial / TRUTH, ("frame", "informative", "kind", "severity"), (r for rows in written for r in rows)
            )
            record = {
                "kind": "phantom",
                "version": VERSION,
                "seed": seed,
                "scale": scale,
                "difficulty": difficulty,
                "test_videos": [plan.video_id for plan in plans[len(plans) // 2 :]],
                "videos": [_summary(plan, rows) for plan, rows in zip(plans, written, strict=True)],
            }
            write_json(partial / RECORD, record)
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror or error}). Nothing was left there") from error
    return record


def write_video(plan: VideoPlan, folder: Path) -> list[dict[str, Any]]:
    """Write one video's frames as they are rendered; returns their rows of truth.csv."""
    rows = []
    for k, (image_rgb, spoilt) in enumerate(render_video(plan), start=1):
        home = folder / f"Fold{plan.video_id}" / frame_class(spoilt)
        home.mkdir(parents=True, exist_ok=True)
        good, data = cv2.imencode(".png", image_rgb[..., ::-1], FAST_PNG)
        assert good, "OpenCV's PNG encoder refused an 8-bit image"
        name = f"{plan.video_id}_{k}.png"
        (home / name).write_bytes(data.tobytes())
        rows.append(
            {
                "frame": f"{home.relative_to(folder.parent).as_posix()}/{name}",
                "informative": int(spoilt.informative),
                "kind": spoilt.main,
                "severity": round(max(spoilt.severity.values()), 3),
            }
        )
    return rows


def frame_class(spoilt: Spoilt) -> str:
    """The folder of NBI-InfFrames that a frame belongs to."""
    return "I" if spoilt.informative else CLASS_OF_KIND[spoilt.main]


def _summary(plan: VideoPlan, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": plan.video_id,
        "frames": plan.n_frames,
        "informative": sum(row["informative"] for row in rows),
        "kinds": dict(sorted(Counter(row["kind"] or "clean" for row in rows).items())),
    }
