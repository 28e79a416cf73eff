"""Which patches of which candidates go into which database."""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.candidate_patches import plan_candidate_patches
from data_prep.databases import PlannedPatch, patch_key
from data_prep.embolism_candidates import Candidate
from data_prep.embolism_patches import PatchSpec, VesselTransform, choose_transforms, transform_columns
from data_prep.embolism_scales import Scale
from data_prep.fractions import Fraction, reduce_training


def reduced_emboli(candidates: Sequence[tuple[Candidate, str]], fraction: float, seed: int) -> Fraction:
    """Paper, section VI-B: 50 % and 25 % of the training data, by embolus; all candidates of an embolus stay or go.

    The false candidates are not reduced: they are thinned to as many patches as the emboli have, whatever is left.
    The detector stays as it is, fitted on all training emboli: the paper's came from elsewhere.
    """
    units = [(split, candidate.lesion_id, "embolus") for candidate, split in candidates if candidate.label]
    return reduce_training(units, fraction, seed, unit="embolus")


def plan_patches(
    candidates: Sequence[tuple[Candidate, str]],
    scale: Scale,
    seed: int,
    patch_level_validation: bool,
    reduced: Fraction | None = None,
) -> dict[str, list[PlannedPatch]]:
    """The patches of every split, in the order of its keys; see `plan_candidate_patches`.

    reduced: the emboli of train and val that are used; None for all.
    """
    used = [
        (candidate, split)
        for candidate, split in candidates
        if reduced is None or not candidate.label or reduced.keeps(split, candidate.lesion_id)
    ]
    return plan_candidate_patches(used, scale, seed, patch_level_validation, choose_transforms, _planned_patch)


def _planned_patch(position: int, candidate: Candidate, transform: VesselTransform) -> PlannedPatch:
    return PlannedPatch(
        key=patch_key(position, candidate.candidate_id),
        label=candidate.label,
        group_id=candidate.group_id,
        source_id=candidate.volume_id,
        columns={
            "candidate_id": candidate.candidate_id,
            "volume_id": candidate.volume_id,
            **transform_columns(transform),
        },
        spec=PatchSpec(candidate.point, candidate.axis, transform),
    )
