"""Which patches of which candidates go into which database."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_prep.databases import PlannedPatch, patch_key
from data_prep.embolism_candidates import Candidate
from data_prep.embolism_patches import PatchSpec, choose_transforms, transform_columns
from data_prep.embolism_scales import Scale
from data_prep.fractions import Fraction, reduce_training
from data_prep.splits import SPLITS, balance, check_labels
from layerwise.applications import VALIDATION_FRACTION


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
    """The patches of every split, in the order of its keys.

    Train and val are balanced and shuffled once; test keeps every candidate, equally often, in the volumes' order.
    patch_level_validation: the paper's other reading, 20 % of the balanced patches of the train patients validate.
    reduced: the emboli of train and val that are used; None for all.
    Raises DataError if a split is empty or lacks a class.
    """
    rng = np.random.default_rng(seed)
    used = [
        (candidate, split)
        for candidate, split in candidates
        if reduced is None or not candidate.label or reduced.keeps(split, candidate.lesion_id)
    ]
    of_split = {split: [candidate for candidate, where in used if where == split] for split in SPLITS}
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
    check_labels("patches", {split: np.array([p.label for p in planned[split]]) for split in SPLITS})
    return planned


def _planned(candidates: Sequence[Candidate], n: int, wanted: np.ndarray, seed: int) -> list[PlannedPatch]:
    transforms = {index: choose_transforms(candidates[index].candidate_id, n, seed) for index in set(wanted // n)}
    planned = []
    for position, number in enumerate(wanted):
        candidate = candidates[number // n]
        transform = transforms[number // n][number % n]
        planned.append(
            PlannedPatch(
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
        )
    return planned
