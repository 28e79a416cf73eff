"""Reduced training sets: which share of the training units is used, so that a smaller share lies inside a larger one.

The paper reduces at the level of videos (polyps), of emboli, of frames, and to one subject (intima-media); the test
set is never reduced. Train and val are both reduced: what was not labelled cannot decide when to stop either.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

REDUCED_SPLITS = ("train", "val")


@dataclass(frozen=True)
class Fraction:
    """What is left of the training set. unit: what a unit is, for people. kept: the units used, (split, unit) each."""

    fraction: float
    unit: str
    kept: frozenset[tuple[str, str]]

    def keeps(self, split: str, unit_id: str) -> bool:
        """Whether a unit of that split is used; of the test split all are."""
        return split not in REDUCED_SPLITS or (split, unit_id) in self.kept

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        counts = {split: sum(where == split for where, _ in self.kept) for split in REDUCED_SPLITS}
        return {"fraction": self.fraction, "unit": self.unit, "units": counts}


def reduce_training(
    units: Iterable[tuple[str, str, Hashable]], fraction: float, seed: int, unit: str = "group"
) -> Fraction:
    """Choose `fraction` of the training units.

    units: (split, unit_id, stratum) each; repeats count once. Of every stratum (a class, say: with or without a lesion)
    of a split the fraction is taken, rounded, at least one unit, in an order that only the seed and the ids decide: so
    10 % lies inside 25 % inside 50 %, and a unit that is added to the set moves no other.
    """
    strata: dict[tuple[str, Hashable], set[str]] = defaultdict(set)
    for split, unit_id, stratum in units:
        if split in REDUCED_SPLITS:
            strata[split, stratum].add(unit_id)
    kept: set[tuple[str, str]] = set()
    for (split, _), ids in strata.items():
        ordered = sorted(ids, key=lambda unit_id: hashlib.sha256(f"{seed}/{unit_id}".encode()).digest())
        kept.update((split, unit_id) for unit_id in ordered[: max(1, round(fraction * len(ordered)))])
    return Fraction(fraction, unit, frozenset(kept))
