"""Which patches of which candidates go into which database: the rule that polyp and embolism share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from data_prep.databases import PlannedPatch
from data_prep.splits import SPLITS, balance, check_labels
from layerwise.applications import VALIDATION_FRACTION


class PatchLimits(Protocol):
    """What a Scale says of patches: how many of each candidate, and at most in each database."""

    @property
    def patches_per_candidate(self) -> int: ...
    @property
    def test_patches_per_candidate(self) -> int: ...
    @property
    def max_train_patches(self) -> int: ...
    @property
    def max_val_patches(self) -> int: ...
    @property
    def max_test_patches(self) -> int: ...


class Labelled(Protocol):
    @property
    def candidate_id(self) -> str: ...
    @property
    def label(self) -> int: ...


CandidateT = TypeVar("CandidateT", bound=Labelled)
TransformT = TypeVar("TransformT")


def plan_candidate_patches(
    candidates: Sequence[tuple[CandidateT, str]],
    limits: PatchLimits,
    seed: int,
    patch_level_validation: bool,
    choose_transforms: Callable[[str, int, int], Sequence[TransformT]],
    planned_patch: Callable[[int, CandidateT, TransformT], PlannedPatch],
) -> dict[str, list[PlannedPatch]]:
    """The patches of every split, in the order of its keys.

    Train and val are balanced and shuffled once; test keeps every candidate, equally often, in the order given.
    patch_level_validation: the paper's other reading, 20 % of the balanced patches of the train groups validate.
    choose_transforms: (candidate_id, n, seed) -> its first n ways to be cut. planned_patch: (position in the database,
    candidate, transform) -> the record. Raises DataError if a split is empty or lacks a class.
    """
    rng = np.random.default_rng(seed)
    of_split = {split: [candidate for candidate, where in candidates if where == split] for split in SPLITS}
    needed = ("train", "test") if patch_level_validation else SPLITS
    check_labels("candidates", {split: np.array([c.label for c in of_split[split]]) for split in needed})
    # A patch is a (candidate, number of its transform) pair, flattened, until it is known which are wanted.
    n = limits.patches_per_candidate
    labels = {split: np.repeat([c.label for c in of_split[split]], n).astype(np.int64) for split in ("train", "val")}
    if patch_level_validation:
        both = rng.permutation(balance(labels["train"], limits.max_train_patches + limits.max_val_patches, rng))
        n_val = round(VALIDATION_FRACTION * len(both))
        of_split["val"] = of_split["train"]
        wanted = {"train": both[n_val:], "val": both[:n_val]}
    else:
        most = {"train": limits.max_train_patches, "val": limits.max_val_patches}
        wanted = {split: rng.permutation(balance(labels[split], most[split], rng)) for split in most}

    def planned(chosen: Sequence[CandidateT], n: int, numbers: np.ndarray) -> list[PlannedPatch]:
        ways: dict[Any, Sequence[TransformT]] = {
            index: choose_transforms(chosen[index].candidate_id, n, seed) for index in set(numbers // n)
        }
        return [
            planned_patch(position, chosen[number // n], ways[number // n][number % n])
            for position, number in enumerate(numbers)
        ]

    plans = {split: planned(of_split[split], n, wanted[split]) for split in wanted}
    n_test = max(min(limits.test_patches_per_candidate, limits.max_test_patches // max(len(of_split["test"]), 1)), 1)
    plans["test"] = planned(of_split["test"], n_test, np.arange(n_test * len(of_split["test"])))
    check_labels("patches", {split: np.array([p.label for p in plans[split]]) for split in SPLITS})
    return plans
