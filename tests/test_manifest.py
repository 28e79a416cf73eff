"""What makes two databases the same for a run that was trained on one of them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from data_prep.manifest import content_sha256

MADE: dict[str, Any] = {
    "databases": {"train": {"sha256": "a"}, "test": {"sha256": "b"}},
    "patches_csv_sha256": "c",
    "inputs": {"candidates_sha256": "d", "code_sha256": "e", "source_listing_sha256": "f", "seed": 0},
    "dataset": "phantom",
}


@pytest.mark.parametrize("place", [("inputs", "code_sha256"), ("inputs", "source_listing_sha256"), ("dataset",)])
def test_who_made_the_same_content_and_when_changes_nothing(place: tuple[str, ...]) -> None:
    assert content_sha256(changed(*place)) == content_sha256(MADE)


@pytest.mark.parametrize(
    "place", [("databases", "test", "sha256"), ("patches_csv_sha256",), ("inputs", "candidates_sha256")]
)
def test_other_patches_tables_or_truth_are_another_content(place: tuple[str, ...]) -> None:
    assert content_sha256(changed(*place)) != content_sha256(MADE)


def changed(*place: str) -> dict[str, Any]:
    made = deepcopy(MADE)
    inner = made
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = "other"
    return made
