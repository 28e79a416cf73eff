"""Which patches of which candidates go into which database, and how those of one frame are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data_prep.candidate_patches import plan_candidate_patches
from data_prep.databases import PlannedPatch, patch_key
from data_prep.fractions import Fraction
from data_prep.patches import choose_transforms, extract, transform_columns
from data_prep.polyp_readers import read_image_rgb
from data_prep.scales import Scale
from layerwise.records import BoxXYXY, Candidate, PatchTransform


def cut(image_path: Path, specs: Sequence[tuple[BoxXYXY, PatchTransform]], size: int) -> Iterator[np.ndarray]:
    """The patches of one frame, (size, size, 3) uint8 RGB each."""
    image_rgb = read_image_rgb(image_path)
    return (extract(image_rgb, box_xyxy_px, transform, size) for box_xyxy_px, transform in specs)


def plan_patches(
    candidates: Sequence[tuple[Candidate, str]],
    scale: Scale,
    seed: int,
    patch_level_validation: bool,
    reduced: Fraction | None = None,
) -> dict[str, list[PlannedPatch]]:
    """The patches of every split, in the order of its keys; see `plan_candidate_patches`.

    reduced: the videos of train and val that are used; None for all.
    """
    used = [(c, split) for c, split in candidates if reduced is None or reduced.keeps(split, c.group_id)]
    return plan_candidate_patches(used, scale, seed, patch_level_validation, choose_transforms, _planned_patch)


def _planned_patch(position: int, candidate: Candidate, transform: PatchTransform) -> PlannedPatch:
    return PlannedPatch(
        key=patch_key(position, candidate.candidate_id),
        label=candidate.label,
        group_id=candidate.group_id,
        source_id=candidate.frame_id,
        columns={
            "candidate_id": candidate.candidate_id,
            "frame_id": candidate.frame_id,
            **transform_columns(transform),
        },
        spec=(candidate.box_xyxy_px, transform),
    )
