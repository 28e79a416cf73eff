"""Reduced training sets: nested, whole units, every kind of unit kept, the test set untouched."""

from __future__ import annotations

import itertools

from data_prep.fractions import reduce_training

UNITS = [
    (split, f"{split}{k}", "with" if k % 4 == 0 else "without")
    for split, n in (("train", 80), ("val", 20), ("test", 40))
    for k in range(n)
]


def test_a_smaller_fraction_lies_inside_a_larger_one() -> None:
    kept = [reduce_training(UNITS, fraction, seed=3).kept for fraction in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)]
    assert all(small <= large for small, large in itertools.pairwise(kept))
    assert kept[0] < kept[2] < kept[4] < kept[5]


def test_each_kind_of_unit_is_reduced_alike_and_one_at_least_is_kept() -> None:
    kept = reduce_training(UNITS, 0.25, seed=0).kept
    kind = {(split, unit): stratum for split, unit, stratum in UNITS}
    counts = {
        (s, k): sum(split == s and kind[split, unit] == k for split, unit in kept)
        for s in ("train", "val")
        for k in ("with", "without")
    }
    assert counts == {("train", "with"): 5, ("train", "without"): 15, ("val", "with"): 1, ("val", "without"): 4}
    assert {kind[unit] for unit in reduce_training(UNITS, 0.001, seed=0).kept} == {"with", "without"}


def test_the_test_set_is_never_reduced() -> None:
    reduced = reduce_training(UNITS, 0.01, seed=0)
    assert all(reduced.keeps("test", unit) for split, unit, _ in UNITS if split == "test")
    assert not all(reduced.keeps("train", unit) for split, unit, _ in UNITS if split == "train")


def test_a_unit_that_is_added_takes_the_place_of_no_more_than_one_other() -> None:
    before = reduce_training(UNITS, 0.5, seed=0).kept
    after = reduce_training([*UNITS, ("train", "new", "with")], 0.5, seed=0).kept
    assert len(before - after) <= 1


def test_the_seed_decides_and_the_order_of_the_units_does_not() -> None:
    first = reduce_training(UNITS, 0.25, seed=0).kept
    assert reduce_training(UNITS[::-1], 0.25, seed=0).kept == first
    assert reduce_training(UNITS, 0.25, seed=1).kept != first


def test_the_record_counts_what_is_left() -> None:
    reduced = reduce_training(UNITS, 0.5, seed=0, unit="video")
    assert reduced.record() == {"fraction": 0.5, "unit": "video", "units": {"train": 40, "val": 10}}
