"""Which patches of which images or boxes go into which database, and how they are cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from data_prep import patches
from data_prep.custom_images import read_picture
from data_prep.custom_index import IndexedItem
from data_prep.databases import PlannedPatch, patch_key
from data_prep.fractions import Fraction
from data_prep.splits import SPLITS, check_labels
from layerwise.applications import VALIDATION_FRACTION
from layerwise.records import BoxXYXY, PatchTransform

# chosen: nothing of an image is cut off, as what decides may lie at its edge; so an image that is not square is
# continued by reflection to a square, as a box near the edge is. It is varied less than a box, whose surroundings are
# real: its own size and 15 % nearer, the five shifts and, unless it has an upright position, the eight symmetries.
WHOLE_SCALES = (1.0, 0.85)
UPRIGHT_DIHEDRALS = (0, 4)  # as it is, and mirrored left to right
# chosen: a photograph of 12 million pixels is shrunk once and not for each of its patches, to twice what the net takes;
# a patch is then where one step would put it to within half a pixel of its own.
SHRUNK_TO = 2
BOX_TRANSFORMS = patches.TRANSFORMS
WHOLE_TRANSFORMS = tuple(
    PatchTransform(scale, shift_x, shift_y, dihedral)
    for scale, (shift_x, shift_y), dihedral in itertools.product(
        WHOLE_SCALES, patches.SHIFTS_XY, range(patches.N_DIHEDRAL)
    )
)


@dataclass(frozen=True)
class Scale:
    """Limits of one preset.

    test_fraction: of the images. patches_per_image: in train, at most. test_patches_per_image: also in val, where
    max_val_patches allows; their mean is an image's score. max_*: patches of all classes in a database.
    """

    name: str
    test_fraction: float
    patches_per_image: int
    test_patches_per_image: int
    max_train_patches: int
    max_val_patches: int


# chosen, all: 30 % for the test, as own sets are small and their training needs most; the budgets of patches as in the
# polyp application: seconds, minutes on two cores, and the paper's 100,000 of which 20 % validate.
SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", 0.3, 4, 2, 400, 160),
        Scale("demo", 0.3, 120, 5, 4_000, 800),
        Scale("paper", 0.3, 120, 10, 80_000, 20_000),
    )
}


def transforms_of(item: IndexedItem, n: int, seed: int, upright: bool) -> list[PatchTransform]:
    """The first `n` ways to cut an item: untouched first, then drawn by its id and the seed only, none twice."""
    table = BOX_TRANSFORMS if item.is_box else WHOLE_TRANSFORMS
    if upright:
        table = tuple(transform for transform in table if transform.dihedral in UPRIGHT_DIHEDRALS)
    others = np.random.default_rng([seed, crc32(item.item_id.encode())]).permutation(len(table) - 1) + 1
    return [table[0], *(table[i] for i in others[: n - 1])]


def n_transforms(items: Sequence[IndexedItem], upright: bool) -> int:
    """How many different patches every one of the items can give."""
    table = BOX_TRANSFORMS if all(item.is_box for item in items) else WHOLE_TRANSFORMS
    return len(table) * len(UPRIGHT_DIHEDRALS) // patches.N_DIHEDRAL if upright else len(table)


def cut(image_path: Path, specs: Sequence[tuple[BoxXYXY, PatchTransform]], size: int) -> Iterator[np.ndarray]:
    """The patches of one image, (size, size, 3) uint8 RGB each."""
    image_rgb, _ = read_picture(image_path)
    smallest = min(max(x1 - x0, y1 - y0) * transform.scale for (x0, y0, x1, y1), transform in specs)
    height, width = image_rgb.shape[:2]
    if (factor := SHRUNK_TO * size / smallest) < 1:
        target = max(1, round(width * factor)), max(1, round(height * factor))
        image_rgb = cv2.resize(image_rgb, target, interpolation=cv2.INTER_AREA)
    across, down = image_rgb.shape[1] / width, image_rgb.shape[0] / height
    for (x0, y0, x1, y1), transform in specs:
        yield patches.extract(image_rgb, (x0 * across, y0 * down, x1 * across, y1 * down), transform, size)


def plan_patches(
    items: Sequence[IndexedItem],
    class_names: Sequence[str],
    scale: Scale,
    seed: int,
    *,
    upright: bool,
    patch_level_validation: bool,
    reduced: Fraction,
) -> dict[str, list[PlannedPatch]]:
    """The patches of every split, in the order of its keys.

    Train has as many of each class: its images take turns, so the images of a rare class give more patches each, and
    all are used if the limit allows. Val and test keep the classes as they are and give every image equally many; of a
    val that is larger than its limit a share of each class is drawn. patch_level_validation: 20 % of the balanced
    patches validate. Raises DataError if a split lacks a class.
    """
    rng = np.random.default_rng(seed)
    of_split = {split: [i for i in items if i.split == split and reduced.keeps(split, i.group_id)] for split in SPLITS}
    needed = ("train", "test") if patch_level_validation else SPLITS
    labels = {split: np.array([item.label for item in of_split[split]]) for split in needed}
    check_labels("images", labels, len(class_names))
    most = min(scale.patches_per_image, n_transforms(items, upright))
    limit = scale.max_train_patches + (scale.max_val_patches if patch_level_validation else 0)
    train = _balanced(labels["train"], most, limit, len(class_names), rng)
    n_test = min(scale.test_patches_per_image, n_transforms(items, upright))
    wanted = {"test": _each(np.arange(len(of_split["test"])), n_test)}
    if patch_level_validation:
        of_split["val"] = of_split["train"]
        parts = [rng.permutation(part) for part in train]
        n_val = max(1, round(VALIDATION_FRACTION * len(parts[0])))
        wanted["train"] = rng.permutation(np.concatenate([part[n_val:] for part in parts]))
        wanted["val"] = rng.permutation(np.concatenate([part[:n_val] for part in parts]))
    else:
        chosen = _share(labels["val"], scale.max_val_patches, rng)
        n_each = max(1, min(n_test, scale.max_val_patches // len(chosen)))
        wanted["train"] = rng.permutation(np.concatenate(train))
        wanted["val"] = rng.permutation(_each(chosen, n_each))
    return {split: _planned(of_split[split], wanted[split], seed, upright) for split in SPLITS}


def geometry_record(size: int, upright: bool) -> dict[str, Any]:
    """How patches are cut, for the manifest."""
    return {
        "size_px": size,
        **patches.GEOMETRY,
        "whole_image": "the square around it",
        "shrunk_first_to": f"{SHRUNK_TO} times the patch",
        "box_scales": patches.SCALES,
        "whole_scales": WHOLE_SCALES,
        "shifts_xy": patches.SHIFTS_XY,
        "dihedrals": UPRIGHT_DIHEDRALS if upright else tuple(range(patches.N_DIHEDRAL)),
    }


def _balanced(labels: np.ndarray, most: int, limit: int, n_classes: int, rng: np.random.Generator) -> list[np.ndarray]:
    """For every class (K, 2) int64 (item, number of its patch), K the same for all, the items taking turns."""
    n_each = max(1, min(limit // n_classes, most * int(np.bincount(labels, minlength=n_classes).min())))
    turns = np.arange(n_each)
    parts = []
    for label in range(n_classes):
        own = rng.permutation(np.flatnonzero(labels == label))
        parts.append(np.stack([own[turns % len(own)], turns // len(own)], axis=1))
    return parts


def _each(items: np.ndarray, n: int) -> np.ndarray:
    """(K * n, 2) int64 (item, number of its patch): the first n of each."""
    return np.stack([np.repeat(items, n), np.tile(np.arange(n), len(items))], axis=1)


def _share(labels: np.ndarray, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Indices (K,) int64, rising: all, or about `limit` with the same share of every class, one of each at least."""
    if len(labels) <= limit:
        return np.arange(len(labels))
    parts = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        parts.append(rng.choice(own, max(1, limit * len(own) // len(labels)), replace=False))
    return np.sort(np.concatenate(parts))


def _planned(items: Sequence[IndexedItem], wanted: np.ndarray, seed: int, upright: bool) -> list[PlannedPatch]:
    highest: dict[int, int] = {}
    for index, number in wanted.tolist():
        highest[index] = max(highest.get(index, 0), number)
    ways = {index: transforms_of(items[index], number + 1, seed, upright) for index, number in highest.items()}
    planned = []
    for position, (index, number) in enumerate(wanted.tolist()):
        item, transform = items[index], ways[index][number]
        planned.append(
            PlannedPatch(
                key=patch_key(position, item.item_id),
                label=item.label,
                group_id=item.group_id,
                source_id=str(item.image_path),  # several boxes of one image: decoded once
                columns={"frame_id": item.item_id, **patches.transform_columns(transform)},
                spec=(item.box_xyxy_px, transform),
            )
        )
    return planned
