"""Which group goes where, before anything else touches the data; then how the classes are balanced.

Source: paper, section VI-A (videos halved into train and test; stratified training patches) and section IV (80/20).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.applications import VALIDATION_FRACTION
from layerwise.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Group:
    """What the split needs to know of a video. native_split: "train" or "test" where its publisher fixed it, or ""."""

    group_id: str
    n_frames: int
    n_lesions: int
    native_split: str = ""


def split_by_group(
    groups: Sequence[Group],
    seed: int,
    test_fraction: float,
    val_fraction: float = VALIDATION_FRACTION,
    positives: str = "lesions",
) -> dict[str, str]:
    """group_id -> "train", "val" or "test", of whole groups.

    A published test set is kept; only without one is `test_fraction` of the frames drawn. `val_fraction` of the rest
    becomes val (0: none, for validation at patch level). Groups with and without lesions are drawn apart, so that
    every split has its share of both; each draw takes groups in an order shuffled by `seed` until the fraction of
    frames is met as closely as whole groups allow.
    positives: what n_lesions counts, for the error's text.
    Raises DataError if a group is given twice with different native splits, or a split gets no group with a lesion.
    """
    check_no_leak((group.group_id, group.native_split) for group in groups)
    rng = np.random.default_rng(seed)
    has_native_test = any(group.native_split == "test" for group in groups)
    assigned = {group.group_id: "test" for group in groups if group.native_split == "test"}
    needed = ["train", *(["val"] if val_fraction else []), *([] if has_native_test else ["test"])]
    for with_lesions in (True, False):
        free = [group for group in groups if group.group_id not in assigned and (group.n_lesions > 0) == with_lesions]
        if with_lesions and len(free) < len(needed):
            raise DataError(
                f"{len(free)} groups with {positives} are left for the splits {', '.join(needed)}, each of which needs "
                "one. Add groups (videos), or let train and val share groups with --patch-level-validation."
            )
        free = [free[i] for i in rng.permutation(len(free))]
        n_test = 0 if has_native_test else _prefix(free, test_fraction, keep=len(needed) - 1)
        n_val = _prefix(free[n_test:], val_fraction, keep=1) if val_fraction else 0
        for position, group in enumerate(free):
            assigned[group.group_id] = "test" if position < n_test else "val" if position < n_test + n_val else "train"
    return assigned


def _prefix(groups: Sequence[Group], fraction: float, keep: int) -> int:
    """How many of the first groups come nearest to `fraction` of all frames: one or more, leaving `keep` or more."""
    if len(groups) <= keep:
        return 0
    frames = np.cumsum([group.n_frames for group in groups])
    return int(np.argmin(np.abs(frames[: len(groups) - keep] - fraction * frames[-1]))) + 1


def check_no_leak(group_splits: Iterable[tuple[str, str]]) -> None:
    """Raise DataError if any group_id occurs with two different splits."""
    first: dict[str, str] = {}
    for group_id, split in group_splits:
        if first.setdefault(group_id, split) != split:
            raise DataError(
                f"group {group_id} is in both {first[group_id]} and {split}: what is learned from it would be tested "
                "on itself. Rename or remove one of the two; groups are split as wholes."
            )


def balance(labels: np.ndarray, limit: int, rng: np.random.Generator, n_classes: int = 2) -> np.ndarray:
    """Indices (K,) int64, rising, of a balanced subset: positives kept, negatives thinned at random to as many.

    labels: (N,) of 0 (negative) to n_classes - 1. Of several positive classes each is thinned to the rarest. limit:
    most patches in all; only where it is smaller are the positives thinned too. Where the negatives are the fewer, all
    are kept and the positives too.
    """
    counts = np.bincount(labels, minlength=n_classes)
    n_each = min(int(counts[1:].min()), limit // n_classes)
    parts = []
    for label in (*range(1, n_classes), 0):
        having = np.flatnonzero(labels == label)
        parts.append(rng.choice(having, min(n_each, len(having)), replace=False))
    return np.sort(np.concatenate(parts))


def check_labels(what: str, labels: Mapping[str, np.ndarray], n_classes: int = 2) -> None:
    """Raise DataError if a split has no `what` ("patches"), none of a class, or a label outside the classes.

    labels: split -> (N,) of 0 to n_classes - 1.
    """
    for split, found in labels.items():
        present = {int(label) for label in found}
        outside = sorted(present - set(range(n_classes)))
        if outside:
            raise DataError(f"the {split} split has labels {outside}; expected 0 to {n_classes - 1}. Correct them.")
        missing = sorted(set(range(n_classes)) - present)
        if missing:
            none_of = f"none of class {missing[0]}" if present else "none at all"
            raise DataError(
                f"the {split} split has {len(found)} {what}, {none_of}. Give it more groups (videos), or draw the "
                "split with another --seed."
            )
