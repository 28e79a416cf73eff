"""The rival of `polyp`: the candidate detector itself, whose own score ranks its candidates.

As in the paper (section VI-A), where the rival is the hand-made detector that proposed the candidates. It was fitted
once, before any net and on all training videos, so a reduced training set leaves it as it is; the paper reduces the
nets' set only.
"""

from __future__ import annotations

from sklearn.metrics import roc_auc_score

from data_prep.polyp_candidates import read_candidates
from handcrafted.rival import SCORES, Rated, RivalInputs
from layerwise.files import read_json
from layerwise.records import Candidate

COLUMNS = ("key", "group_id", "label", "score", "candidate_id", "frame_id")


def rate(inputs: RivalInputs) -> Rated:
    """One row for every candidate of the test split, in the order of candidates.csv.

    The score is the detector's, a logistic regression's answer and so in [0, 1]. Nothing is fitted here: the seed, the
    images and the database are not needed.
    """
    folder = inputs.dataset_dir / "candidates"
    candidates = read_candidates(folder)
    detector = read_json(folder / "detector.json")
    fitted_on = detector["performance"]["train"]
    return Rated(
        SCORES,
        COLUMNS,
        [_row(candidate) for candidate, split in candidates if split == "test"],
        {
            "description": "the candidate detector's own score: classified edges, their vote, a logistic regression",
            "fitted_on": {"train": {unit: fitted_on[unit] for unit in ("groups", "frames", "lesions")}},
            "detector_sha256": detector["sha256"],
            "val_auc": _auc([candidate for candidate, split in candidates if split == "val"]),
        },
    )


def _row(candidate: Candidate) -> dict[str, object]:
    return {
        "key": candidate.candidate_id,
        "group_id": candidate.group_id,
        "label": candidate.label,
        "score": f"{candidate.detector_score:.9g}",
        "candidate_id": candidate.candidate_id,
        "frame_id": candidate.frame_id,
    }


def _auc(candidates: list[Candidate]) -> float | None:
    """None without candidates of both kinds: where validation is by patch there is no such split."""
    labels = [candidate.label for candidate in candidates]
    if len(set(labels)) < 2:
        return None
    return float(roc_auc_score(labels, [candidate.detector_score for candidate in candidates]))
