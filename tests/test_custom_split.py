"""Whole groups go to train, val and test, every class into each of them, or the user is told what to do."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.custom_split import labelled_groups, split_stratified
from layerwise.errors import DataError

NAMES = ("a", "b")


def images(*groups: tuple[str, str, int, str]) -> list[tuple[str, str, str]]:
    """(group, class, how many images, native split) -> one entry per image."""
    return [(group, name, split) for group, name, n, split in groups for _ in range(n)]


def classes_of(found: list[tuple[str, str, str]], split_of: dict[str, str]) -> dict[str, set[str]]:
    return {split: {name for group, name, _ in found if split_of[group] == split} for split in ("train", "val", "test")}


@pytest.mark.parametrize("seed", range(5))
def test_every_split_has_every_class_and_about_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = images(*((f"g{k}", NAMES[k % 5 == 0], int(rng.integers(1, 6)), "") for k in range(100)))
    split_of = split_stratified(labelled_groups(found), NAMES, seed, 0.3, 0.2)
    assert all(names == {"a", "b"} for names in classes_of(found, split_of).values())
    for name in NAMES:
        own = [split_of[group] for group, of, _ in found if of == name]
        assert own.count("test") / len(own) == pytest.approx(0.3, abs=0.06)
        assert own.count("val") / len(own) == pytest.approx(0.14, abs=0.06)


def test_three_groups_of_each_class_suffice_even_if_groups_hold_several_classes() -> None:
    found = images(("p", "a", 2, ""), ("p", "b", 1, ""), ("q", "a", 1, ""), ("q", "b", 5, ""), ("r", "a", 3, ""))
    found += images(("s", "b", 1, ""), ("t", "a", 1, ""))
    for seed in range(10):
        split_of = split_stratified(labelled_groups(found), NAMES, seed, 0.3, 0.2)
        assert all(names == {"a", "b"} for names in classes_of(found, split_of).values())


def test_what_the_user_fixed_stays_and_val_is_drawn_from_his_train() -> None:
    found = images(*((f"{name}{k}", name, 2, "test" if k < 3 else "train") for name in NAMES for k in range(9)))
    split_of = split_stratified(labelled_groups(found), NAMES, 0, 0.9, 0.2)
    assert {group for group, split in split_of.items() if split == "test"} == {
        f"{name}{k}" for name in NAMES for k in range(3)
    }
    assert sum(split == "val" for split in split_of.values()) == 2
    all_fixed = images(*((f"{n}{k}", n, 1, ("train", "val", "test")[k]) for n in NAMES for k in range(3)))
    split_of = split_stratified(labelled_groups(all_fixed), NAMES, 0, 0.5, 0.2)
    assert split_of == {group: split for group, _, split in all_fixed}


def test_without_val_two_groups_of_a_class_suffice() -> None:
    found = images(*((f"{name}{k}", name, 1, "") for name in NAMES for k in range(2)))
    split_of = split_stratified(labelled_groups(found), NAMES, 0, 0.3, 0.0)
    assert sorted(split_of.values()) == ["test", "test", "train", "train"]


def test_a_class_of_too_few_groups_is_named_with_what_to_do() -> None:
    found = images(*((f"a{k}", "a", 1, "") for k in range(5)), ("b0", "b", 40, ""), ("b1", "b", 40, ""))
    with pytest.raises(DataError, match=r"class 'b' has 2 patients, .*a 5 patients, b 2 patients.*--patch-level-valid"):
        split_stratified(labelled_groups(found), NAMES, 0, 0.3, 0.2, unit="patient")


def test_a_fixed_test_set_that_lacks_a_class_is_named() -> None:
    found = images(
        *((f"{name}{k}", name, 1, "test" if name == "a" and not k else "") for name in NAMES for k in range(4))
    )
    with pytest.raises(DataError, match=r"the test split has no image of class 'b' .*your data say what test is"):
        split_stratified(labelled_groups(found), NAMES, 0, 0.3, 0.2)


def test_a_group_of_two_splits_is_a_leak() -> None:
    with pytest.raises(DataError, match=r"group p has images fixed to train and to test: .*tested on itself"):
        labelled_groups(images(("p", "a", 1, "train"), ("p", "b", 1, "test")))
