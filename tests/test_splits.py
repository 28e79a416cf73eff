"""Groups are split as wholes; classes are balanced; what cannot be split is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.splits import SPLITS, Group, balance, check_labels, check_no_leak, split_by_group
from layerwise.errors import DataError


def videos(n_with: int, n_without: int, frames: int = 10) -> list[Group]:
    return [
        *(Group(f"p{k}", frames, 5) for k in range(n_with)),
        *(Group(f"n{k}", frames, 0) for k in range(n_without)),
    ]


def test_both_kinds_of_video_are_shared_out_in_proportion() -> None:
    split_of = split_by_group(videos(20, 10), seed=0, test_fraction=0.5)
    counts = {
        (split, kind): sum(where == split and group.startswith(kind) for group, where in split_of.items())
        for split in SPLITS
        for kind in "pn"
    }
    assert counts == {
        ("train", "p"): 8,
        ("val", "p"): 2,
        ("test", "p"): 10,
        ("train", "n"): 4,
        ("val", "n"): 1,
        ("test", "n"): 5,
    }


def test_fractions_are_of_frames_not_of_videos() -> None:
    groups = [Group("long", 900, 1), *(Group(f"short{k}", 10, 1) for k in range(10))]
    for seed in range(20):
        split_of = split_by_group(groups, seed, test_fraction=0.5)
        n_test = sum(group.n_frames for group in groups if split_of[group.group_id] == "test")
        assert split_of["long"] == "test" or n_test <= 100


def test_the_seed_alone_decides() -> None:
    groups = videos(12, 6)
    assert split_by_group(groups, 3, 0.4) == split_by_group(groups, 3, 0.4)
    assert any(split_by_group(groups, 3, 0.4) != split_by_group(groups, seed, 0.4) for seed in range(4, 8))


def test_a_published_test_set_is_kept_and_nothing_is_added_to_it() -> None:
    published = [Group(f"t{k}", 10, k % 2, native_split="test") for k in range(4)]
    split_of = split_by_group([*videos(5, 5), *published], seed=1, test_fraction=0.5)
    assert {group for group, split in split_of.items() if split == "test"} == {"t0", "t1", "t2", "t3"}
    assert "val" in split_of.values()


def test_without_val_fraction_no_group_validates() -> None:
    assert set(split_by_group(videos(4, 4), 0, 0.5, val_fraction=0.0).values()) == {"train", "test"}


def test_too_few_videos_with_lesions_are_refused() -> None:
    with pytest.raises(DataError, match="2 groups with lesions are left for the splits train, val, test"):
        split_by_group(videos(2, 50), 0, 0.4)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 3)), min_size=3, max_size=40),
    seed=st.integers(0, 99),
    fraction=st.floats(0.05, 0.95),
)
@settings(max_examples=60, deadline=None)
def test_every_split_has_a_video_with_lesions(sizes: list[tuple[int, int]], seed: int, fraction: float) -> None:
    groups = [Group(str(k), frames, lesions) for k, (frames, lesions) in enumerate(sizes)]
    with_lesions = [group for group in groups if group.n_lesions]
    if len(with_lesions) < 3:
        return
    split_of = split_by_group(groups, seed, fraction)
    assert set(split_of) == {group.group_id for group in groups}
    assert {split_of[group.group_id] for group in with_lesions} == set(SPLITS)


def test_a_group_in_two_splits_is_refused() -> None:
    check_no_leak([("7", "train"), ("8", "test"), ("7", "train")])
    with pytest.raises(DataError, match="group 7 is in both train and test"):
        check_no_leak([("7", "train"), ("8", "test"), ("7", "test")])


def test_one_group_published_in_train_and_test_is_refused() -> None:
    with pytest.raises(DataError, match="group v is in both train and test"):
        split_by_group([Group("v", 3, 1, "train"), Group("v", 3, 1, "test")], 0, 0.5)


def test_balance_keeps_all_positives_and_thins_negatives() -> None:
    labels = np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0])
    kept = balance(labels, 100, np.random.default_rng(0))
    assert labels[kept].sum() == 3
    assert len(kept) == 6
    assert sorted(set(kept.tolist())) == kept.tolist()


def test_balance_thins_positives_only_for_the_limit() -> None:
    labels = np.repeat([1, 0], 50)
    kept = balance(labels, 20, np.random.default_rng(0))
    assert labels[kept].sum() == 10
    assert len(kept) == 20


def test_balance_keeps_everything_where_negatives_are_the_fewer() -> None:
    labels = np.array([1, 1, 1, 0])
    assert balance(labels, 100, np.random.default_rng(0)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "the val split has 0 patches, none at all"),
        ([0, 0], "the val split has 2 patches, none of class 1"),
        ([1], "the val split has 1 patches, none of class 0"),
        ([0, 1, 2], r"the val split has labels \[2\]; expected 0 to 1"),
        ([-1, 0, 1], r"the val split has labels \[-1\]; expected 0 to 1"),
    ],
)
def test_empty_splits_and_labels_out_of_range_are_refused(labels: list[int], message: str) -> None:
    good = np.array([0, 1])
    with pytest.raises(DataError, match=message):
        check_labels("patches", {"train": good, "val": np.array(labels, np.int64), "test": good})
