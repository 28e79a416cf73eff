"""Which patches are planned where the candidates are as many as the paper's."""

from __future__ import annotations

import pytest

from data_prep.embolism_candidates import Candidate
from data_prep.embolism_patches import TRANSFORMS
from data_prep.embolism_plan import plan_patches, reduced_emboli
from data_prep.embolism_scales import SCALES


def candidates(split: str, n_emboli: int, n_positive: int, n_negative: int) -> list[tuple[Candidate, str]]:
    """As many candidates, spread evenly over the emboli and over 20 volumes, one a patient."""
    found = []
    for k in range(n_positive + n_negative):
        volume = f"{split}{k % 20}"
        lesion = f"{split}-l{k % n_emboli}" if k < n_positive else ""
        found.append(Candidate(f"{split}-c{k}", volume, volume, (0, 0, 0), (1, 0, 0), 0.5, int(bool(lesion)), lesion))
    return [(candidate, split) for candidate in found]


# Paper, section VI-B: 434 true and 3,406 false candidates for training, of which a fifth validates here, and 253 and
# 2,162 for testing.
PAPER = (*candidates("train", 159, 347, 2725), *candidates("val", 40, 87, 681), *candidates("test", 127, 253, 2162))


def test_at_paper_scale_every_candidate_is_cut_in_all_ways() -> None:
    plans = plan_patches(PAPER, SCALES["paper"], 0, False)
    n = len(TRANSFORMS)
    assert len(plans["test"]) == (253 + 2162) * n
    # The paper's counts do not multiply: its 81,000 need 40,500 positive patches, 434 candidates in 54 ways are 23,436.
    assert len(plans["train"]) == 2 * 347 * n <= SCALES["paper"].max_train_patches
    assert len(plans["val"]) == 2 * 87 * n <= SCALES["paper"].max_val_patches
    assert {patch.columns["candidate_id"] for patch in plans["train"] if patch.label} == {
        candidate.candidate_id for candidate, split in PAPER if split == "train" and candidate.label
    }


def test_more_candidates_than_the_papers_are_thinned_to_its_81000_patches() -> None:
    many = (*candidates("train", 200, 900, 9000), *candidates("val", 50, 300, 900), *candidates("test", 1, 1, 1))
    plans = plan_patches(many, SCALES["paper"], 0, False)
    assert (len(plans["train"]), len(plans["val"])) == (64_800, 16_200)
    assert sum(patch.label for patch in plans["train"]) == 32_400


@pytest.mark.parametrize("fraction", [0.5, 0.25])
def test_a_reduced_set_drops_all_candidates_of_an_embolus_together(fraction: float) -> None:
    reduced = reduced_emboli(PAPER, fraction, 0)
    plans = plan_patches(PAPER, SCALES["demo"], 0, False, reduced)
    lesion = {candidate.candidate_id: candidate.lesion_id for candidate, _ in PAPER}
    used = {lesion[str(patch.columns["candidate_id"])] for patch in plans["train"] if patch.label}
    assert len(used) == round(159 * fraction)
    kept = {c.candidate_id for c, split in PAPER if split == "train" and c.lesion_id in used}
    assert {patch.columns["candidate_id"] for patch in plans["train"] if patch.label} <= kept
    assert sum(patch.label for patch in plans["train"]) == len(plans["train"]) // 2
    assert len(plans["test"]) == len(plan_patches(PAPER, SCALES["demo"], 0, False)["test"])
