"""What `polyp` plans at the paper's scale, and of a share of its videos; nothing is rendered, nothing is cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from data_prep import polyp
from data_prep.patches import TRANSFORMS
from data_prep.polyp_patches import plan_patches
from data_prep.polyp_phantom.write import DIFFICULTY, plan_videos
from data_prep.scales import SCALES
from layerwise.records import Candidate

PAPER = SCALES["paper"]


def candidates(videos: dict[str, int], per_video: int) -> list[tuple[Candidate, str]]:
    """Of `videos` per split; every third candidate is a polyp's, in every video."""
    made = []
    for split, n_videos in videos.items():
        for video in range(n_videos):
            group = f"{split}{video}"
            for number in range(per_video):
                label = int(number % 3 == 0)
                name = f"{group}_{number}"
                made.append((Candidate(name, name, group, (0.0, 0.0, 9.0, 9.0), 0.5, label, "l" * label), split))
    return made


def test_the_papers_phantom_has_its_videos_and_frames() -> None:
    plans = plan_videos(0, "paper", DIFFICULTY)
    assert len(plans) == 40
    assert [sum(plan.n_frames for plan in half) for half in (plans[:20], plans[20:])] == [18_900, 18_900]
    for half in (plans[:20], plans[20:]):
        with_polyp = sum(len(plan.polyp_ease) > 0 for plan in half)
        assert 0 < with_polyp < 20  # the paper: 3,800 of 18,900 frames to train, 5,700 to test


def test_the_paper_takes_all_120_patches_and_100_000_for_training() -> None:
    assert PAPER.patches_per_candidate == PAPER.test_patches_per_candidate == len(TRANSFORMS) == 120
    assert PAPER.max_train_patches + PAPER.max_val_patches == 100_000
    planned = plan_patches(candidates({"train": 16, "val": 4, "test": 2}, per_video=75), PAPER, 0, False)
    counts = {split: Counter(patch.label for patch in planned[split]) for split in planned}
    assert counts["train"] == {0: 40_000, 1: 40_000}
    assert counts["val"] == {0: 10_000, 1: 10_000}
    assert counts["test"] == {0: 100 * 120, 1: 50 * 120}
    of_one = [patch.spec for patch in planned["test"] if patch.source_id == "test0_0"]
    assert len(set(of_one)) == 120


def test_of_the_papers_test_set_every_candidate_keeps_equally_many_patches_within_the_limit() -> None:
    limited = replace(PAPER, max_test_patches=2_000)
    planned = plan_patches(candidates({"train": 2, "val": 1, "test": 2}, per_video=60), limited, 0, False)
    assert set(Counter(patch.source_id for patch in planned["test"]).values()) == {2_000 // 120}


@pytest.mark.parametrize("seed", [0, 1])
def test_half_and_a_quarter_are_whole_videos_one_inside_the_other_and_test_stays(seed: int) -> None:
    every = candidates({"train": 16, "val": 4, "test": 5}, per_video=6)

    def videos(fraction: float) -> dict[str, set[str]]:
        options = polyp.Options("polyp", None, SCALES["smoke"], seed, "alexnet_half", False, 1, fraction)
        planned = plan_patches(every, SCALES["smoke"], seed, False, polyp.reduced_videos(every, options))
        return {split: {patch.group_id for patch in planned[split]} for split in planned}

    whole, half, quarter = videos(1.0), videos(0.5), videos(0.25)
    assert [len(used["train"]) for used in (whole, half, quarter)] == [16, 8, 4]
    assert [len(used["val"]) for used in (whole, half, quarter)] == [4, 2, 1]
    assert quarter["train"] < half["train"] < whole["train"]
    assert quarter["val"] < half["val"] < whole["val"]
    assert whole["test"] == half["test"] == quarter["test"]
