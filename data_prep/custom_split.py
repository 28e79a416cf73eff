"""Whole groups into train, val and test, so that every class is in each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.splits import SPLITS, check_no_leak
from layerwise.errors import DataError

# chosen: draws until every split has every class; only groups of several classes ever need a second one.
_DRAWS = 100


@dataclass(frozen=True)
class LabelledGroup:
    """A group to be split. counts: class name -> how many of its images. native_split: fixed by the user, or ""."""

    group_id: str
    counts: Mapping[str, int]
    native_split: str = ""

    @property
    def n_images(self) -> int:
        return sum(self.counts.values())


def labelled_groups(images: Sequence[tuple[str, str, str]]) -> list[LabelledGroup]:
    """(group_id, class name, native split) of every image -> the groups. DataError for a group of two native splits."""
    check_no_leak((group, split) for group, _, split in images if split)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    native: dict[str, str] = {}
    for group, name, split in images:
        counts[group][name] += 1
        native[group] = native.get(group, "") or split
    return [LabelledGroup(group, counts[group], native[group]) for group in counts]


def split_stratified(
    groups: Sequence[LabelledGroup],
    class_names: Sequence[str],
    seed: int,
    test_fraction: float,
    val_fraction: float,
) -> dict[str, str]:
    """group_id -> "train", "val" or "test".

    What the user fixed stays: where some group is fixed to test, no other is drawn for it, and so with val (which is
    else drawn from all that is not test). Groups are drawn class by class (a group of several counts for its rarest),
    in an order shuffled by `seed`, until the fraction of images is met as closely as whole groups allow.
    val_fraction 0: no val, for validation on patches of the training groups. Raises DataError, which says what to do,
    if a class has too few groups, or cannot be brought into every split.
    """
    needed = [split for split in SPLITS if split != "val" or val_fraction]
    drawn = [split for split in ("test", "val") if split in needed and all(g.native_split != split for g in groups)]
    _check_counts(groups, class_names, needed)
    missing: tuple[str, str] = ("", "")
    for attempt in range(_DRAWS):
        rng = np.random.default_rng([seed, attempt])
        split_of = {group.group_id: group.native_split for group in groups}
        for split, fraction in (("test", test_fraction), ("val", val_fraction)):
            if split in drawn:
                later = len(drawn) - drawn.index(split) - 1
                for stratum in _strata(groups, class_names):
                    _draw(stratum, split_of, split, fraction, keep=later + 1, rng=rng)
        split_of = {group: split or "train" for group, split in split_of.items()}
        if not val_fraction:
            split_of = {group: "train" if split == "val" else split for group, split in split_of.items()}
        absent = _absent(groups, class_names, split_of, needed)
        if absent is None:
            return split_of
        missing = absent
    raise DataError(_no_split(*missing, groups, drawn))


def _strata(groups: Sequence[LabelledGroup], class_names: Sequence[str]) -> list[list[LabelledGroup]]:
    """The groups by the rarest class that they hold; the rarest first."""
    n_groups = {name: sum(name in group.counts for group in groups) for name in class_names}
    order = sorted(class_names, key=lambda name: n_groups[name])
    return [[g for g in groups if min(g.counts, key=order.index) == name] for name in order]


def _draw(
    stratum: Sequence[LabelledGroup],
    split_of: dict[str, str],
    split: str,
    fraction: float,
    keep: int,
    rng: np.random.Generator,
) -> None:
    """Move groups that are free into `split`, one at least, so that `keep` of them stay."""
    free = [g for g in stratum if split_of[g.group_id] == "" or (split == "val" and split_of[g.group_id] == "train")]
    free = [free[i] for i in rng.permutation(len(free))]
    if len(free) > keep:
        images = np.cumsum([group.n_images for group in free])
        n = int(np.argmin(np.abs(images[: len(free) - keep] - fraction * images[-1]))) + 1
        for group in free[:n]:
            split_of[group.group_id] = split


def _absent(
    groups: Sequence[LabelledGroup], class_names: Sequence[str], split_of: Mapping[str, str], needed: Sequence[str]
) -> tuple[str, str] | None:
    for split in needed:
        there = {name for group in groups if split_of[group.group_id] == split for name in group.counts}
        for name in class_names:
            if name not in there:
                return split, name
    return None


def _check_counts(groups: Sequence[LabelledGroup], class_names: Sequence[str], needed: Sequence[str]) -> None:
    for name in class_names:
        n = sum(name in group.counts for group in groups)
        if n < len(needed):
            raise DataError(
                f"class {name!r} has {n} {_groups(n)}, but {', '.join(needed)} each need one of their own. The classes "
                f"have: {_table(groups, class_names)}. {_ADVICE}"
            )


_ADVICE = (
    "Add images of other groups (patients) to that class; or, if it has two groups, let train and val share theirs "
    "with --patch-level-validation; or leave the class out with CLASSES."
)


def _no_split(split: str, name: str, groups: Sequence[LabelledGroup], drawn: Sequence[str]) -> str:
    fixed = Counter(group.native_split for group in groups if name in group.counts)
    said = ", ".join(f"{n} {_groups(n)} fixed to {where}" if where else f"{n} free" for where, n in fixed.items())
    how = "no draw of whole groups brings it there" if split in drawn else "and the data fix that split"
    return f"the {split} split gets no image of class {name!r}: {how}. The class has {said}. {_ADVICE}"


def _table(groups: Sequence[LabelledGroup], class_names: Sequence[str]) -> str:
    rows = ((name, sum(name in group.counts for group in groups)) for name in class_names)
    return ", ".join(f"{name} {n} {_groups(n)}" for name, n in rows)


def _groups(n: int) -> str:
    return "group" if n == 1 else "groups"
