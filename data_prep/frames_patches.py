"""Which crops of which frames go into which database, and how they are cut.

Source: paper, section VI-C: random 227x227 crops of 500x350 frames, not resized; a crop has its frame's label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from data_prep.databases import PlannedPatch, patch_key
from data_prep.fractions import Fraction
from data_prep.frames_scales import Scale
from data_prep.polyp_readers import read_image_rgb
from data_prep.splits import SPLITS, balance, check_labels
from layerwise.applications import VALIDATION_FRACTION

PAPER_CROP_PX, PAPER_SHORT_SIDE_PX = 227, 350
# chosen: a net of another input, or a frame of another size, sees the same share of the view: the frame is resized so
# that a crop is 227/350 of its shorter side. The paper's frames and net need no resizing, as in the paper.
GEOMETRY: dict[str, Any] = {
    "crop": f"{PAPER_CROP_PX}/{PAPER_SHORT_SIDE_PX} of the frame's shorter side, anywhere, uniformly",
    "shrink": "area",
    "grow": "cubic",
}


@dataclass(frozen=True)
class IndexedFrame:
    """A frame that can be read: its label and size."""

    frame_id: str
    group_id: str
    split: str
    label: int
    width_px: int
    height_px: int


def scaled_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height to which a frame is resized before (size, size) crops are taken from it."""
    factor = size * PAPER_SHORT_SIDE_PX / (PAPER_CROP_PX * min(width, height))
    return max(size, round(width * factor)), max(size, round(height * factor))


def choose_crops(frame: IndexedFrame, n: int, size: int, seed: int) -> list[tuple[int, int]]:
    """`n` corners x0, y0 in the resized frame, drawn by its id and the seed only; more begin with the same ones."""
    rng = np.random.default_rng([seed, crc32(frame.frame_id.encode())])
    width, height = scaled_size(frame.width_px, frame.height_px, size)
    return [(int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))) for _ in range(n)]


def cut(image_path: Path, specs: Sequence[tuple[int, int]], size: int) -> Iterator[np.ndarray]:
    """The crops of one frame, (size, size, 3) uint8 RGB each."""
    image_rgb = read_image_rgb(image_path)
    height, width = image_rgb.shape[:2]
    target = scaled_size(width, height, size)
    if target != (width, height):
        interpolation = cv2.INTER_AREA if target[0] < width else cv2.INTER_CUBIC
        image_rgb = cv2.resize(image_rgb, target, interpolation=interpolation)
    return (image_rgb[y0 : y0 + size, x0 : x0 + size] for x0, y0 in specs)


def plan_crops(
    frames: Sequence[IndexedFrame], scale: Scale, size: int, seed: int, patch_level_validation: bool, reduced: Fraction
) -> dict[str, list[PlannedPatch]]:
    """The crops of every split, in the order of its keys.

    Train and val are balanced (the rarer class whole, the other thinned) and shuffled once; test has every frame,
    equally often. patch_level_validation: 20 % of the balanced crops of the train groups validate.
    Raises DataError if a split is empty or lacks a class.
    """
    rng = np.random.default_rng(seed)
    of_split = {s: [f for f in frames if f.split == s and reduced.keeps(s, f.frame_id)] for s in SPLITS}
    needed = ("train", "test") if patch_level_validation else SPLITS
    check_labels("frames", {split: np.array([f.label for f in of_split[split]]) for split in needed})
    n = scale.crops_per_frame
    limits = {"train": scale.max_train_patches, "val": scale.max_val_patches}
    if patch_level_validation:
        both = rng.permutation(_balanced(of_split["train"], n, sum(limits.values()), rng))
        n_val = round(VALIDATION_FRACTION * len(both))
        of_split["val"] = of_split["train"]
        wanted = {"train": both[n_val:], "val": both[:n_val]}
    else:
        wanted = {split: rng.permutation(_balanced(of_split[split], n, limits[split], rng)) for split in limits}
    n_test = scale.test_crops_per_frame
    crops: Mapping[str, tuple[int, np.ndarray]] = {
        **{split: (n, numbers) for split, numbers in wanted.items()},
        "test": (n_test, np.arange(n_test * len(of_split["test"]))),
    }
    return {split: _planned(of_split[split], *crops[split], size, seed) for split in SPLITS}


def _balanced(frames: Sequence[IndexedFrame], n: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers (frame * n + crop) of a balanced subset of all crops."""
    labels = np.repeat([frame.label for frame in frames], n)
    rarer_is_positive = 2 * labels.sum() <= len(labels)
    return balance(labels if rarer_is_positive else 1 - labels, limit, rng)


def _planned(frames: Sequence[IndexedFrame], n: int, wanted: np.ndarray, size: int, seed: int) -> list[PlannedPatch]:
    corners = {index: choose_crops(frames[index], n, size, seed) for index in set((wanted // n).tolist())}
    planned = []
    for position, number in enumerate(wanted.tolist()):
        frame = frames[number // n]
        x0, y0 = corners[number // n][number % n]
        planned.append(
            PlannedPatch(
                key=patch_key(position, frame.frame_id),
                label=frame.label,
                group_id=frame.group_id,
                source_id=frame.frame_id,
                columns={"frame_id": frame.frame_id, "x0_px": x0, "y0_px": y0},
                spec=(x0, y0),
            )
        )
    return planned
