"""The phantom on disk, in the layout of CVC-ClinicVideoDB: whole or not at all."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_prep.parallel import ordered_map
from data_prep.phantom_folder import RECORD, holds_phantom
from data_prep.polyp_phantom.fields import Array
from data_prep.polyp_phantom.video import VideoPlan, render_video
from data_prep.whole_folder import whole_folder
from layerwise.errors import DataError, UsageError
from layerwise.files import read_json, write_json

VERSION = 1  # raised whenever the same seed gives other frames
FRAMES_FOLDER = "CVC-VideoClinicDBtrain_valid"
# chosen: with 0.5 a half-width AlexNet, tuned for five epochs on the demonstration, reached a candidate AUC of 0.79 on
# test and found a tenth of the polyps at 0.1 false positives a frame: too hard for 4,000 patches to tell schemes apart.
DIFFICULTY = 0.25
# chosen: a third of the time of level 1 with its own defaults, for the same size; noise hardly packs at any level.
FAST_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)


@dataclass(frozen=True)
class Scale:
    """n_videos, of which the second half is meant for testing; frames of each; polyps of the videos in turn."""

    n_videos: int
    n_frames: int
    frames_per_s: float
    polyps: tuple[int, ...]


SCALES = {
    "smoke": Scale(6, 10, 5.0, (1, 0, 1)),
    # chosen: many short videos, so that the few frames which two cores can handle hold many different polyps: with 40
    # videos, three of four validation videos decided the AUC that stops the training. About a minute on two cores.
    "demo": Scale(80, 14, 2.5, (2, 1, 0, 2, 1, 1, 3)),
    # Paper, section VI-A: 40 videos, 18,900 frames to train and 18,900 to test.
    "paper": Scale(40, 945, 25.0, (1, 0, 1, 0, 2)),
}


def plan_videos(seed: int, scale: str, difficulty: float) -> list[VideoPlan]:
    """The videos of a data set, in order; video v draws from the v-th child of the seed.

    The ease of the polyps is spread evenly over each half of the videos, so that training and test hold both large
    obvious polyps and small pale ones, whatever the seed.
    """
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: no such scale; known are {', '.join(SCALES)}")
    if not 0.0 <= difficulty <= 1.0:
        raise UsageError(f"--difficulty {difficulty:g}: expected a number from 0 (easy) to 1 (hard)")
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected a whole number from 0 on")
    chosen = SCALES[scale]
    *children, shuffle = np.random.SeedSequence(seed).spawn(chosen.n_videos + 1)
    rng = np.random.default_rng(shuffle)
    plans: list[VideoPlan] = []
    for half in np.array_split(np.arange(chosen.n_videos), 2):
        counts = [chosen.polyps[k % len(chosen.polyps)] for k in range(len(half))]
        counts = [counts[k] for k in rng.permutation(len(counts))]
        ease = rng.permutation((np.arange(sum(counts)) + 0.5) / sum(counts)).tolist()
        for v, count in zip(half.tolist(), counts, strict=True):
            drawn, ease = tuple(ease[:count]), ease[count:]
            plans.append(VideoPlan(str(v + 1), chosen.n_frames, chosen.frames_per_s, drawn, difficulty, children[v]))
    return plans


def generate(
    root: Path | str, seed: int = 0, scale: str = "demo", difficulty: float = DIFFICULTY, workers: int = 2
) -> dict[str, Any]:
    """Make the phantom under `root` and return its record, the content of root/phantom.json.

    Writes root/CVC-VideoClinicDBtrain_valid/<v>/<v>_<k>.png and <v>_<k>_mask.png (0 or 255). All is written to a folder
    beside `root` that takes its name at the end. If `root` already holds this very phantom, nothing is done.
    The same arguments give the same bytes with the same versions of the phantom and its libraries, for any `workers`.
    Raises DataError if `root` holds anything else or cannot be written; UsageError for an unknown scale or difficulty.
    """
    root = Path(root)
    plans = plan_videos(seed, scale, difficulty)
    record: dict[str, Any] = {
        "kind": "phantom",
        "version": VERSION,
        "seed": seed,
        "scale": scale,
        "difficulty": difficulty,
        "test_videos": [plan.video_id for plan in plans[len(plans) // 2 :]],
    }
    if holds_phantom(root, record):
        return read_json(root / RECORD)
    try:
        with whole_folder(root) as partial:
            job = functools.partial(write_video, folder=partial / FRAMES_FOLDER)
            record["videos"] = list(ordered_map(job, plans, workers, "phantom videos"))
            write_json(partial / RECORD, record)
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror or error}). Nothing was left there") from error
    return record


def write_video(plan: VideoPlan, folder: Path) -> dict[str, Any]:
    """Write one video's frames and masks as they are rendered; returns what phantom.json says of it."""
    home = folder / plan.video_id
    home.mkdir(parents=True)
    with_polyp = 0
    for k, (image_rgb, mask) in enumerate(render_video(plan), start=1):
        _write_png(home / f"{plan.video_id}_{k}.png", image_rgb[..., ::-1])
        _write_png(home / f"{plan.video_id}_{k}_mask.png", mask)
        with_polyp += bool(mask.any())
    return {
        "id": plan.video_id,
        "frames": plan.n_frames,
        "frames_with_polyp": with_polyp,
        "polyps": len(plan.polyp_ease),
    }


def _write_png(path: Path, image: Array) -> None:
    good, data = cv2.imencode(".png", image, FAST_PNG)
    assert good, "OpenCV's PNG encoder refused an 8-bit image"
    path.write_bytes(data.tobytes())
