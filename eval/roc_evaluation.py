"""All numbers of one classification run: from crop scores to frame scores, the ROC curve and its operating points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.bootstrap import REPLICATES
from eval.calibration import Calibration, calibration
from eval.evaluation import BOOTSTRAP_SEED
from eval.froc import Matches, froc_curve
from eval.operating_points import OperatingPoint, operating_points
from eval.roc import RocCurve, auc, roc_curve
from eval.roc_area import Areas, areas
from eval.roc_validation import validation_frames
from eval.tables import Row, index_by, number, read_table
from eval.transfer import Transferred, transfer
from layerwise.errors import DataError

FRAME_COLUMNS = ("frame_id", "group_id", "split", "label", "kind", "path")
SCORE_COLUMNS = ("key", "group_id", "label", "score", "frame_id")
DATA_WRITER = "the data preparation (python -m data_prep.frames)"


@dataclass(frozen=True)
class FrameTruth:
    """The test split before any net: its rows of frames.csv by frame_id, in file order."""

    frames: dict[str, Row]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["group_id"] for row in self.frames.values()))

    @property
    def label(self) -> np.ndarray:
        """(F,) int64: 1 for every class but the first, which is the negative one."""
        return np.array([int(row["label"] != "0") for row in self.frames.values()], dtype=np.int64)

    @property
    def group_index(self) -> np.ndarray:
        """(F,) int64: each frame's group as its place in `groups`."""
        place = {group: index for index, group in enumerate(self.groups)}
        return np.array([place[row["group_id"]] for row in self.frames.values()], dtype=np.int64)


@dataclass(frozen=True)
class RocEvaluation:
    """What the test split says about a run. score: (F,), in the order of `truth.frames`.

    points: at the false positive rates asked for; their fps_per_image is the rate among the negative frames.
    area: of the frames. transferred: at the same rates, with thresholds chosen on validation; empty where the run kept
    no scores of it (a rival, an old run).
    """

    truth: FrameTruth
    n_patches: int
    score: np.ndarray
    roc: RocCurve
    points: list[OperatingPoint]
    area: Areas
    calibration: Calibration
    transferred: list[Transferred]
    patch_auc: float
    patch_roc: RocCurve

    @property
    def auc(self) -> float:
        return self.area.auc[0]

    @property
    def auc_ci95(self) -> dict[str, list[float] | None]:
        """By `delong` (frames independent), `obuchowski` and `group` (only groups are)."""
        return self.area.intervals(0)

    def summary(self) -> dict[str, Any]:
        """evaluation.json: the numbers that are not a table."""
        n_positive = int(self.truth.label.sum())
        return {
            "split": "test",
            "n_groups": len(self.truth.groups),
            "n_frames": len(self.truth.frames),
            "n_positive": n_positive,
            "n_negative": len(self.truth.frames) - n_positive,
            "n_patches": self.n_patches,
            "auc_patches": self.patch_auc,
            "auc_frames": self.auc,
            "auc_frames_ci95": self.auc_ci95,
            "brier_frames": self.calibration.brier,
            "bootstrap": {"replicates": REPLICATES, "seed": BOOTSTRAP_SEED, "unit": "group"},
        }


def read_frame_truth(path: Path) -> FrameTruth:
    """The test rows of frames.csv. DataError for a missing column, a frame twice, or a label that is no class."""
    rows = [row for row in read_table(path, FRAME_COLUMNS, DATA_WRITER) if row["split"] == "test"]
    truth = FrameTruth(index_by(path, rows, "frame_id"))
    for frame_id, row in truth.frames.items():
        if not row["label"].isdecimal():
            raise DataError(f"{path}: frame {frame_id!r} has label {row['label']!r}, expected the number of a class")
    return truth


def evaluate_roc(
    scores_csv: Path, dataset_dir: Path, rates: tuple[float, ...], val_scores_csv: Path | None = None
) -> RocEvaluation:
    """Evaluate the crop scores of a run against the test frames of its data set. DataError where they do not fit.

    rates: false positive rates at which sensitivity is read. A frame's score is the mean over its crops (paper, section
    VI-C). val_scores_csv: where thresholds are chosen; None, or a file that is not there: no thresholds are.
    """
    truth = read_frame_truth(dataset_dir / "frames" / "frames.csv")
    frame, label, patch_score = _read_scores(scores_csv, truth)
    n_crops = np.bincount(frame, minlength=len(truth.frames))
    if np.any(n_crops == 0):
        missing = list(truth.frames)[int(np.argmin(n_crops))]
        raise DataError(
            f"{scores_csv}: {np.count_nonzero(n_crops == 0)} of {len(truth.frames)} test frames have no crop, the "
            f"first is {missing!r}. Build the crops of all test frames and predict again."
        )
    score = np.bincount(frame, weights=patch_score, minlength=len(truth.frames)) / n_crops
    group, seed = truth.group_index, BOOTSTRAP_SEED
    transferred = []
    if val_scores_csv is not None and val_scores_csv.is_file():
        validation = validation_frames(val_scores_csv)
        transferred = transfer(*validation, truth.label, score, group, rates, REPLICATES, seed)
    return RocEvaluation(
        truth=truth,
        n_patches=len(patch_score),
        score=score,
        roc=roc_curve(truth.label, score),
        points=roc_points(truth.label, score, group, rates),
        area=areas(truth.label, [score], group, seed=seed),
        calibration=calibration(truth.label, score, group, REPLICATES, seed),
        transferred=transferred,
        patch_auc=auc(label, patch_score),
        patch_roc=roc_curve(label, patch_score),
    )


def roc_points(
    label: np.ndarray, score: np.ndarray, group: np.ndarray, rates: tuple[float, ...]
) -> list[OperatingPoint]:
    """Sensitivity at false positive rates, with the interval of a bootstrap over groups.

    label, score, group: (F,).
    """
    matches, n_positive, n_negative = roc_matches(label, score, group)
    curve = froc_curve(matches, n_lesions=int(n_positive.sum()), n_images=int(n_negative.sum()))
    return operating_points(curve, matches, group, n_positive, n_negative, rates, seed=BOOTSTRAP_SEED)


def roc_matches(label: np.ndarray, score: np.ndarray, group: np.ndarray) -> tuple[Matches, np.ndarray, np.ndarray]:
    """(F,) labelled scores as matches, and each group's positives and negatives, (G,) each.

    A ROC curve is the FROC curve whose lesions are the positives, each hit by itself, and whose images are the
    negatives: so the same count and the same bootstrap serve both.
    """
    positive = label == 1
    lesion = np.where(positive, np.cumsum(positive) - 1, -1)
    matches = Matches(np.asarray(score, dtype=np.float64), lesion.astype(np.int64))
    n_groups = int(group.max()) + 1
    n_positive = np.bincount(group[positive], minlength=n_groups)
    return matches, n_positive, np.bincount(group[~positive], minlength=n_groups)


def _read_scores(path: Path, truth: FrameTruth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame index (M,), label (M,) and score (M,) of every crop of scores.csv."""
    rows = read_table(path, SCORE_COLUMNS, "the scoring of the test split (tools.predict or tools.handcrafted)")
    if not rows:
        raise DataError(f"{path} has no row: no test patch was scored. Predict on the test split again.")
    index_by(path, rows, "key")
    place = {frame_id: index for index, frame_id in enumerate(truth.frames)}
    for line, row in enumerate(rows, start=2):
        known = truth.frames.get(row["frame_id"])
        if known is None or known["label"] != row["label"]:
            has = "is not in the test split" if known is None else f"has label {known['label']}"
            raise DataError(
                f"{path}, line {line}: a crop with label {row['label']} of frame {row['frame_id']!r}, which {has} of "
                "frames.csv. The scores belong to another data set: predict again with this one."
            )
    frame = np.array([place[row["frame_id"]] for row in rows], dtype=np.int64)
    label = np.array([int(row["label"] != "0") for row in rows], dtype=np.int64)
    score = [number(f"{path}, line {line}", row, "score", 0, 1) for line, row in enumerate(rows, start=2)]
    return frame, label, np.array(score)
