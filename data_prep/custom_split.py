"""Whole groups into train, val and test, so that every class is in each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.custom_listing import shortened
from data_prep.splits import SPLITS
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
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    native: dict[str, str] = {}
    for group, name, split in images:
        counts[group][name] += 1
        if split and native.setdefault(group, split) != split:
            raise DataError(
                f"group {group} has images fixed to {native[group]} and to {split}: what is learned from it would be "
                "tested on itself. Give all images of a group the same split."
            )
    return [LabelledGroup(group, counts[group], native.get(group, "")) for group in counts]


def split_stratified(
    groups: Sequence[LabelledGroup],
    class_names: Sequence[str],
    seed: int,
    test_fraction: float,
    val_fraction: float,
    unit: str = "group",
) -> dict[str, str]:
    """group_id -> "train", "val" or "test".

    What the user fixed stays: where some group is fixed to test, no other is drawn for it, and so with val (which is
    else drawn from all that is not test). Groups are drawn class by class (a group of several counts for its rarest),
    in an order shuffled by `seed`, until the fraction of images is met as closely as whole groups allow.
    val_fraction 0: no val, for validation on patches of the training groups. unit: what a group is, for errors.
    Raises DataError, which says what to do, if a class has too few groups, or cannot be brought into every split.
    """
    needed = [split for split in SPLITS if split != "val" or val_fraction]
    drawn = [split for split in ("test", "val") if split in needed and all(g.native_split != split for g in groups)]
    _check_counts(groups, class_names, needed, unit)
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
    raise DataError(_no_split(*missing, groups, drawn, unit))


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


def _check_counts(
    groups: Sequence[LabelledGroup], class_names: Sequence[str], needed: Sequence[str], unit: str
) -> None:
    counts = {name: sum(name in group.counts for group in groups) for name in class_names}
    table = shortened([f"{name} {_some(n, unit)}" for name, n in counts.items()])
    for name, n in counts.items():
        if n < len(needed):
            raise DataError(
                f"class {name!r} has {_some(n, unit)}, but {', '.join(needed)} each need one of their own. The classes "
                f"have: {table}. Add images of further patients to that class; or, if it has two {unit}s, let train "
                "and val share theirs (make: DATA_ARGS=--patch-level-validation); or leave the class out with CLASSES."
            )


def _no_split(split: str, name: str, groups: Sequence[LabelledGroup], drawn: Sequence[str], unit: str) -> str:
    fixed = Counter(group.native_split for group in groups if name in group.counts)
    said = ", ".join(
        f"{_some(n, unit)} {'fixed to ' + to if to else 'not fixed to a split'}" for to, n in fixed.items()
    )
    if split in drawn:
        why = f"of {_DRAWS} draws of whole {unit}s none brings it there. Add images of further patients to that class."
    else:
        why = f"your data say what {split} is. Put some of the class into it, or fix no {split} and have it drawn."
    return f"the {split} split has no image of class {name!r} ({said}): {why}"


def _some(n: int, unit: str) -> str:
    return f"{n} {unit}" if n == 1 else f"{n} {unit}s"
