"""Reduced training sets: nested, whole units, every kind of unit kept, the test set untouched."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep import polyp
from data_prep.embolism_candidates import Candidate as EmbolusCandidate
from data_prep.embolism_plan import reduced_emboli
from data_prep.fractions import reduce_training
from layerwise.records import Candidate as PolypCandidate

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


@settings(max_examples=40)
@given(
    units=st.lists(st.tuples(st.sampled_from(["train", "val"]), st.text(max_size=4), st.integers(0, 2)), min_size=1),
    fractions=st.tuples(st.floats(1e-3, 1), st.floats(1e-3, 1)),
    seed=st.integers(0, 5),
)
def test_any_two_fractions_of_any_units_are_nested(
    units: list[tuple[str, str, int]], fractions: tuple[float, float], seed: int
) -> None:
    small, large = (reduce_training(units, fraction, seed).kept for fraction in sorted(fractions))
    assert small <= large <= {(split, unit) for split, unit, _ in units}
    assert {split for split, _ in small} == {split for split, _, _ in units}


def candidate_of_polyp(group: int, number: int) -> PolypCandidate:
    name = f"v{group}-{number}"
    return PolypCandidate(name, f"v{group}-f{number}", f"v{group}", (0.0, 0.0, 9.0, 9.0), 0.5, int(group % 2 == 0))


def candidate_of_embolus(group: int, number: int) -> EmbolusCandidate:
    label = int(number < 3)
    lesion = f"p{group}-e{number}" if label else ""
    return EmbolusCandidate(f"p{group}-c{number}", f"p{group}", f"p{group}", (0, 0, 0), (1, 0, 0), 0.5, label, lesion)


def test_videos_of_polyps_are_nested() -> None:
    candidates = [(candidate_of_polyp(g, n), "train" if g < 30 else "val") for g in range(40) for n in range(4)]

    def kept(fraction: float) -> frozenset[tuple[str, str]]:
        options = polyp.Options("polyp", None, polyp.SCALES["smoke"], 0, "alexnet_half", False, 1, fraction)
        return polyp.reduced_videos(candidates, options).kept

    assert kept(0.1) < kept(0.25) < kept(0.5) < kept(1)
    assert {unit for _, unit in kept(1)} == {f"v{group}" for group in range(40)}


def test_emboli_are_nested() -> None:
    candidates = [(candidate_of_embolus(g, n), "train" if g < 30 else "val") for g in range(40) for n in range(5)]
    kept = [reduced_emboli(candidates, fraction, seed=0).kept for fraction in (0.1, 0.25, 0.5, 1)]
    assert all(small < large for small, large in itertools.pairwise(kept))
    assert [len(one) for one in kept] == [9 + 3, 22 + 8, 45 + 15, 90 + 30]
