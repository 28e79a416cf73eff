"""All numbers of one detection run: from its scores and its data set's truth to curves, areas and operating points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.bootstrap import REPLICATES
from eval.candidates import DetectionTruth, PatchScores, image_unit, mean_scores, read_patch_scores, read_test_truth
from eval.froc import FrocCurve, froc_curve
from eval.froc_study import FrocStudy, System
from eval.froc_summary import Asked
from eval.froc_summary import summary as froc_summary
from eval.operating_points import OperatingPoint, operating_points, rates_of
from eval.roc import RocCurve, auc, roc_curve
from eval.tables import Row
from layerwise.applications import Application

BOOTSTRAP_SEED = 0  # chosen: fixed, so that a run has one report whatever it was trained with


@dataclass(frozen=True)
class Evaluation:
    """What the test split says about a run. candidate_score: (M,), in the order of `truth.candidates`.

    points: the operating points, last the one that accepts every candidate. detector_froc and detector_points: the same
    candidates ranked by the detector's own score, which is what the net has to beat. summed_up: the paper's bars
    (IDCA), CPM, AFROC and weighted AFROC, under the names of `python -m eval.froc`.
    """

    truth: DetectionTruth
    n_patches: int
    candidate_score: np.ndarray
    froc: FrocCurve
    points: list[OperatingPoint]
    detector_froc: FrocCurve
    detector_points: list[OperatingPoint]
    patch_auc: float
    candidate_auc: float
    patch_roc: RocCurve
    candidate_roc: RocCurve
    summed_up: dict[str, Any]

    @property
    def n_groups_with_lesions(self) -> int:
        return len({row["group_id"] for row in self.truth.lesions.values()})

    @property
    def is_detector(self) -> bool:
        """Whether the run ranks the candidates as the detector itself does."""
        mine, detectors = self.froc, self.detector_froc
        same_rates = np.array_equal(mine.fps_per_image, detectors.fps_per_image)
        return same_rates and np.array_equal(mine.sensitivity, detectors.sensitivity)

    @property
    def ceiling(self) -> OperatingPoint:
        """Every candidate accepted: the detector's own sensitivity and rate, the bound of any net."""
        return self.points[-1]

    def summary(self) -> dict[str, Any]:
        """evaluation.json: the numbers that are not a table."""
        return {
            "split": "test",
            "n_groups": len(self.truth.groups),
            "n_groups_with_lesions": self.n_groups_with_lesions,
            "n_images": len(self.truth.images),
            "n_lesions": len(self.truth.lesions),
            "n_candidates": len(self.truth.candidates),
            "n_patches": self.n_patches,
            "auc_patches": self.patch_auc,
            "auc_candidates": self.candidate_auc,
            "detector": {
                "sensitivity": self.ceiling.sensitivity,
                "fps_per_image": self.ceiling.obtained_fps_per_image,
            },
            **self.summed_up,
            "bootstrap": {"replicates": REPLICATES, "seed": BOOTSTRAP_SEED, "unit": "group"},
        }


def evaluate(scores_csv: Path, dataset_dir: Path, application: Application) -> Evaluation:
    """Evaluate the patch scores of a run against the test split of its data set. DataError where they do not fit."""
    truth = read_test_truth(dataset_dir, image_unit(application))
    rates = rates_of(application)
    patches: PatchScores = read_patch_scores(scores_csv)
    score = mean_scores(patches, truth)
    froc, points = _curve_and_points(truth, score, rates)
    detector_froc, detector_points = _curve_and_points(truth, truth.detector_score, rates)
    return Evaluation(
        truth=truth,
        n_patches=len(patches.score),
        candidate_score=score,
        froc=froc,
        points=points,
        detector_froc=detector_froc,
        detector_points=detector_points,
        patch_auc=auc(patches.label, patches.score),
        candidate_auc=auc(truth.labels, score),
        patch_roc=roc_curve(patches.label, patches.score),
        candidate_roc=roc_curve(truth.labels, score),
        summed_up=sum_up(truth, score, rates),
    )


# What a run shows of froc_summary.summary; the rest of it stands in the tables.
SUMMED_UP = ("idca", "cpm", "afroc", "wafroc", "afroc_jackknife", "wafroc_jackknife", "notes")


def sum_up(truth: DetectionTruth, score: np.ndarray, rates: Sequence[float]) -> dict[str, Any]:
    """The summary figures of (M,) candidate scores; their names at a rate are its digits, `0.1`."""
    image = {image_id: index for index, image_id in enumerate(truth.images)}

    def images_of(rows: dict[str, Row]) -> np.ndarray:
        return np.array([image[row[truth.unit.id_column]] for row in rows.values()], dtype=np.int64)

    system = System(truth.matches(score), images_of(truth.candidates), truth.group_index(truth.candidates))
    study = FrocStudy((system,), truth.group_index(truth.images), images_of(truth.lesions))
    at = {f"{rate:g}": rate for rate in rates if math.isfinite(rate)}
    found = froc_summary(study, Asked(at, {}, seed=BOOTSTRAP_SEED))
    intervals = found["ci95_group"]
    return {**{name: found[name] for name in SUMMED_UP}, "cpm_ci95_group": intervals and intervals["cpm"]}


def _curve_and_points(
    truth: DetectionTruth, score: np.ndarray, rates: Sequence[float]
) -> tuple[FrocCurve, list[OperatingPoint]]:
    matches = truth.matches(score)
    curve = froc_curve(matches, n_lesions=len(truth.lesions), n_images=len(truth.images))
    points = operating_points(
        curve,
        matches,
        truth.group_index(truth.candidates),
        truth.per_group(truth.lesions),
        truth.per_group(truth.images),
        rates,
        seed=BOOTSTRAP_SEED,
    )
    return curve, points
