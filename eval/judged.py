"""What a run's scores say about its test split, as arrays: read from what `eval.report` wrote, scored by nobody again.

Candidates and frames are one thing here: a ROC curve is the FROC curve whose lesions are the positive frames and whose
images are the negative ones (`eval.roc_evaluation.roc_matches`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from eval.boundary_errors import BOUNDARIES
from eval.candidates import DetectionTruth, image_unit, read_test_truth
from eval.froc import FrocCurve, Matches, froc_curve
from eval.roc_evaluation import roc_matches
from eval.run_results import RunResult
from eval.tables import number, read_table
from layerwise.applications import Application
from layerwise.errors import DataError

WRITER = "python -m eval.report"


@dataclass(frozen=True)
class JudgedScores:
    """M candidates or frames by id, with what each scored and hits; group: (M,) int64, 0 .. G - 1.

    lesions_per_group, images_per_group: (G,) int64; of frames the positives and the negatives.
    """

    ids: tuple[str, ...]
    matches: Matches
    group: np.ndarray
    lesions_per_group: np.ndarray
    images_per_group: np.ndarray

    @property
    def n_lesions(self) -> int:
        return int(self.lesions_per_group.sum())

    @property
    def n_images(self) -> int:
        return int(self.images_per_group.sum())

    @cached_property
    def curve(self) -> FrocCurve:
        return froc_curve(self.matches, self.n_lesions, self.n_images)


@dataclass(frozen=True)
class JudgedLines:
    """Of N regions by id: group (N,) int64, and errors_um (N, 3) float64 of BOUNDARIES."""

    ids: tuple[str, ...]
    group: np.ndarray
    errors_um: np.ndarray


def judged_scores(run: RunResult, application: Application) -> JudgedScores:
    """DataError if the run's files do not fit its data set or are not there."""
    return _candidates(run, application) if application.curve == "froc" else _frames(run)


def judged_lines(run: RunResult) -> JudgedLines:
    """DataError if a region lacks one of the boundaries."""
    path = run.folder / "errors.csv"
    rows = read_table(path, ("roi_id", "group_id", "boundary", "error_um"), WRITER)
    of = {name: [row for row in rows if row["boundary"] == name] for name in BOUNDARIES}
    ids = tuple(row["roi_id"] for row in of["LI"])
    if not ids or any(tuple(row["roi_id"] for row in of[name]) != ids for name in BOUNDARIES):
        raise DataError(f"{path} has not every boundary of every region: report the run again with {WRITER}")
    errors = np.column_stack([_column(path, of[name], "error_um") for name in BOUNDARIES])
    return JudgedLines(ids, _group_index([row["group_id"] for row in of["LI"]]), errors)


@lru_cache(maxsize=8)
def _truth(dataset_dir: str, application: Application) -> DetectionTruth:
    return read_test_truth(Path(dataset_dir), image_unit(application))


def _candidates(run: RunResult, application: Application) -> JudgedScores:
    truth = _truth(run.dataset_dir, application)
    path = run.folder / "candidate_scores.csv"
    rows = read_table(path, ("candidate_id", "score"), WRITER)
    ids = tuple(row["candidate_id"] for row in rows)
    if ids != tuple(truth.candidates):
        raise DataError(f"{path} has other candidates than {run.dataset_dir}: report the run again with {WRITER}")
    return JudgedScores(
        ids,
        truth.matches(_column(path, rows, "score")),
        truth.group_index(truth.candidates),
        truth.per_group(truth.lesions),
        truth.per_group(truth.images),
    )


def _frames(run: RunResult) -> JudgedScores:
    path = run.folder / "frame_scores.csv"
    rows = read_table(path, ("frame_id", "group_id", "label", "score"), WRITER)
    label, group = _column(path, rows, "label").astype(np.int64), _group_index([row["group_id"] for row in rows])
    matches, positives, negatives = roc_matches(label, _column(path, rows, "score"), group)
    return JudgedScores(tuple(row["frame_id"] for row in rows), matches, group, positives, negatives)


def _column(path: Path, rows: Sequence[dict[str, str]], name: str) -> np.ndarray:
    return np.array([number(f"{path}, line {line}", row, name) for line, row in enumerate(rows, start=2)])


def _group_index(groups: Sequence[str]) -> np.ndarray:
    place = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    return np.array([place[group] for group in groups], dtype=np.int64)
