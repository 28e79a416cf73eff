"""Second stage: candidates -> patches -> three LMDBs, patches.csv and manifest.json, in <dataset>/patches-<size>/."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.lmdb_builder import datum_key, encode_datum, write_lmdb
from data_prep.manifest import MANIFEST
from data_prep.parallel import ordered_map
from data_prep.patches import choose_transforms, extract, transform_columns
from data_prep.polyp_readers import read_image_rgb
from data_prep.scales import Scale
from data_prep.splits import SPLITS, balance, check_labels
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.applications import VALIDATION_FRACTION
from layerwise.files import file_digest, read_json, write_csv, write_json
from layerwise.records import BoxXYXY, Candidate, PatchTransform

PATCH_COLUMNS = (
    *("key", "label", "group_id", "split", "candidate_id", "frame_id"),
    *("scale", "shift_x", "shift_y", "dihedral"),
)


@dataclass(frozen=True)
class PlannedPatch:
    """One record of a database before its pixels are cut."""

    key: str
    candidate: Candidate
    transform: PatchTransform


@dataclass(frozen=True)
class FrameJob:
    """All patches of one frame: (slot in the spool, box, transform) each."""

    image_path: Path
    patches: tuple[tuple[int, BoxXYXY, PatchTransform], ...]


def plan_patches(
    candidates: Sequence[tuple[Candidate, str]], scale: Scale, seed: int, patch_level_validation: bool
) -> dict[str, list[PlannedPatch]]:
    """Which patches go into which database, in the order of its keys.

    Train and val are balanced and shuffled once; test keeps every candidate, equally often, in the frames' order.
    patch_level_validation: the paper's other reading, 20 % of the balanced patches of the train groups validate.
    Raises DataError if a split is empty or lacks a class.
    """
    rng = np.random.default_rng(seed)
    of_split = {split: [candidate for candidate, where in candidates if where == split] for split in SPLITS}
    needed = ("train", "test") if patch_level_validation else SPLITS
    check_labels("candidates", {split: np.array([c.label for c in of_split[split]]) for split in needed})
    # A patch is a (candidate, number of its transform) pair, flattened, until it is known which are wanted.
    n = scale.patches_per_candidate
    labels = {split: np.repeat([c.label for c in of_split[split]], n).astype(np.int64) for split in ("train", "val")}
    if patch_level_validation:
        both = rng.permutation(balance(labels["train"], scale.max_train_patches + scale.max_val_patches, rng))
        n_val = round(VALIDATION_FRACTION * len(both))
        of_split["val"] = of_split["train"]
        wanted = {"train": both[n_val:], "val": both[:n_val]}
    else:
        limits = {"train": scale.max_train_patches, "val": scale.max_val_patches}
        wanted = {split: rng.permutation(balance(labels[split], limits[split], rng)) for split in limits}
    planned = {split: _planned(of_split[split], n, wanted[split], seed) for split in wanted}
    n_test = max(min(scale.test_patches_per_candidate, scale.max_test_patches // max(len(of_split["test"]), 1)), 1)
    planned["test"] = _planned(of_split["test"], n_test, np.arange(n_test * len(of_split["test"])), seed)
    check_labels("patches", {split: np.array([p.candidate.label for p in planned[split]]) for split in SPLITS})
    return planned


def build_databases(
    planned: Mapping[str, Sequence[PlannedPatch]],
    image_paths: Mapping[str, Path],
    folder: Path,
    *,
    size: int,
    facts: Mapping[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Cut the planned patches; write the databases, patches.csv and manifest.json to `folder`, whole or not at all.

    image_paths: frame_id -> image. facts: what the manifest records besides. Returns the manifest. Every frame is
    decoded once; pixels pass through a spool file as large as the databases, so memory stays small and keys rise.
    Raises DataError if the disk is full.
    """
    everything = [(split, patch) for split in SPLITS for patch in planned[split]]
    with whole_folder(folder) as partial_folder, disk_full_is_data_error(folder):
        spool = partial_folder / "spool"
        with spool.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, len(everything) * size * size * 3)
        jobs = _jobs([patch for _, patch in everything], image_paths)
        for _ in ordered_map(partial(cut_patches, spool=spool, size=size), jobs, workers, "patches"):
            pass
        pixels = np.memmap(spool, np.uint8, mode="r", shape=(len(everything), size, size, 3))
        databases, first = {}, 0
        for split in SPLITS:
            records = _records(planned[split], pixels[first : first + len(planned[split])])
            summary = write_lmdb(partial_folder / f"{split}_lmdb", records)
            databases[split] = {"path": f"{split}_lmdb", "count": summary.count, "sha256": summary.sha256}
            first += len(planned[split])
        del pixels
        spool.unlink()
        write_csv(partial_folder / "patches.csv", PATCH_COLUMNS, (_patch_row(*item) for item in everything))
        manifest = {
            **facts,
            "counts": {split: _counts(planned[split]) for split in SPLITS},
            "groups": {split: sorted({patch.candidate.group_id for patch in planned[split]}) for split in SPLITS},
            "databases": databases,
            "patches_csv_sha256": file_digest(partial_folder / "patches.csv"),
        }
        write_json(partial_folder / MANIFEST, manifest)
    return read_json(folder / MANIFEST)


def cut_patches(job: FrameJob, spool: Path, size: int) -> None:
    """Decode one frame and write its patches, (size, size, 3) uint8 RGB each, to their slots of the spool file."""
    image_rgb = read_image_rgb(job.image_path)
    with spool.open("r+b", buffering=0) as handle:
        for slot, box_xyxy_px, transform in job.patches:
            patch = extract(image_rgb, box_xyxy_px, transform, size)
            os.pwrite(handle.fileno(), patch.tobytes(), slot * patch.nbytes)


def _planned(candidates: Sequence[Candidate], n: int, wanted: np.ndarray, seed: int) -> list[PlannedPatch]:
    transforms = {index: choose_transforms(candidates[index].candidate_id, n, seed) for index in set(wanted // n)}
    planned = []
    for position, number in enumerate(wanted):
        candidate = candidates[number // n]
        name = re.sub(r"[^A-Za-z0-9._/-]", "-", candidate.candidate_id)
        planned.append(PlannedPatch(datum_key(position, name), candidate, transforms[number // n][number % n]))
    return planned


def _jobs(patches: Sequence[PlannedPatch], image_paths: Mapping[str, Path]) -> list[FrameJob]:
    of_frame: dict[str, list[tuple[int, BoxXYXY, PatchTransform]]] = defaultdict(list)
    for slot, patch in enumerate(patches):
        of_frame[patch.candidate.frame_id].append((slot, patch.candidate.box_xyxy_px, patch.transform))
    return [FrameJob(image_paths[frame_id], tuple(cuts)) for frame_id, cuts in of_frame.items()]


def _records(planned: Sequence[PlannedPatch], patches_rgb: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for patch, pixels in zip(planned, patches_rgb, strict=True):
        yield patch.key, encode_datum(pixels, patch.candidate.label)


def _patch_row(split: str, patch: PlannedPatch) -> dict[str, Any]:
    return {
        "key": patch.key,
        "label": patch.candidate.label,
        "group_id": patch.candidate.group_id,
        "split": split,
        "candidate_id": patch.candidate.candidate_id,
        "frame_id": patch.candidate.frame_id,
        **transform_columns(patch.transform),
    }


def _counts(planned: Sequence[PlannedPatch]) -> dict[str, int]:
    n_positive = sum(patch.candidate.label for patch in planned)
    return {
        "patches": len(planned),
        "positive": n_positive,
        "negative": len(planned) - n_positive,
        "candidates": len({patch.candidate.candidate_id for patch in planned}),
        "frames": len({patch.candidate.frame_id for patch in planned}),
        "groups": len({patch.candidate.group_id for patch in planned}),
    }
