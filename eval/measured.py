"""How good a run is on the test split, in numbers and in redraws of its groups that all runs of one split share.

Everything is read from what `eval.report` wrote; nothing is trained or scored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from eval.bootstrap import REPLICATES, group_draws, sensitivity_replicates
from eval.boundary_errors import BOUNDARIES
from eval.candidates import DetectionTruth, image_unit, read_test_truth
from eval.evaluation import BOOTSTRAP_SEED
from eval.froc import Matches, froc_curve, sensitivity_at
from eval.operating_points import rates_of
from eval.roc_evaluation import roc_matches
from eval.run_results import RunResult
from eval.tables import number, read_table
from layerwise.applications import Application
from layerwise.errors import DataError

WRITER = "python -m eval.report"


@dataclass(frozen=True)
class Yardstick:
    """What runs of an application are measured by: T columns, and their headline, the mean of `averaged` of them.

    chosen: the headline is the mean sensitivity at all points of the table, the paper's among them. Each of them is
    read from few false positives (on a demonstration's 560 frames 0.001 per frame is none at all); their mean moves
    less. Of boundaries it is the mean error of LI and MA, which the paper prints; the thickness is left out, as two
    errors of one sign cancel in it.
    """

    columns: tuple[str, ...]
    headline: str
    averaged: tuple[int, ...]
    larger_is_better: bool = True
    digits: int = 3
    unit: str = ""


@dataclass(frozen=True)
class Sample:
    """A run measured: values (T + 1,), the headline last, and replicates (R, T + 1) in the redraws that all runs share.

    ids: what was judged, in order; runs with other ids do not pair. With a single group there is no replicate.
    """

    ids: tuple[str, ...]
    n_groups: int
    values: np.ndarray
    replicates: np.ndarray

    @property
    def headline(self) -> float:
        return float(self.values[-1])


def yardstick_of(application: Application) -> Yardstick:
    if application.curve == "boundary":
        return Yardstick(BOUNDARIES, "mean error of LI and MA", (0, 1), larger_is_better=False, digits=1, unit=" µm")
    rates = rates_of(application)[:-1] if application.curve == "froc" else application.compared_at
    unit = f"FP per {image_unit(application).name}" if application.curve == "froc" else "FPR"
    return Yardstick(tuple(f"at {rate:g} {unit}" for rate in rates), "mean sensitivity", tuple(range(len(rates))))


def measure(run: RunResult, application: Application) -> Sample:
    """DataError if the run's files do not fit its data set or are not there."""
    of_curve = {"froc": _measure_candidates, "roc": _measure_frames, "boundary": _measure_lines}
    ids, n_groups, values, replicates = of_curve[application.curve](run, application)
    averaged = list(yardstick_of(application).averaged)
    return Sample(
        ids,
        n_groups,
        np.append(values, values[averaged].mean()),
        np.column_stack([replicates, replicates[:, averaged].mean(axis=1)]),
    )


Measured = tuple[tuple[str, ...], int, np.ndarray, np.ndarray]


@lru_cache(maxsize=8)
def _truth(dataset_dir: str, application: Application) -> DetectionTruth:
    return read_test_truth(Path(dataset_dir), image_unit(application))


def _measure_candidates(run: RunResult, application: Application) -> Measured:
    truth = _truth(run.dataset_dir, application)
    path = run.folder / "candidate_scores.csv"
    rows = read_table(path, ("candidate_id", "score"), WRITER)
    ids = tuple(row["candidate_id"] for row in rows)
    if ids != tuple(truth.candidates):
        raise DataError(f"{path} has other candidates than {run.dataset_dir}: report the run again with {WRITER}")
    matches = truth.matches(_column(path, rows, "score"))
    group, lesions, images = (
        truth.group_index(truth.candidates),
        truth.per_group(truth.lesions),
        truth.per_group(truth.images),
    )
    return ids, *_sensitivities(matches, group, lesions, images, rates_of(application)[:-1])


def _measure_frames(run: RunResult, application: Application) -> Measured:
    path = run.folder / "frame_scores.csv"
    rows = read_table(path, ("frame_id", "group_id", "label", "score"), WRITER)
    label, group = _column(path, rows, "label").astype(np.int64), _group_index([row["group_id"] for row in rows])
    matches, positives, negatives = roc_matches(label, _column(path, rows, "score"), group)
    ids = tuple(row["frame_id"] for row in rows)
    return ids, *_sensitivities(matches, group, positives, negatives, application.compared_at)


def _sensitivities(
    matches: Matches, group: np.ndarray, lesions: np.ndarray, images: np.ndarray, rates: Sequence[float]
) -> tuple[int, np.ndarray, np.ndarray]:
    curve = froc_curve(matches, n_lesions=int(lesions.sum()), n_images=int(images.sum()))
    values = np.array([sensitivity_at(curve, rate) for rate in rates])
    replicates = sensitivity_replicates(matches, group, lesions, images, rates, seed=BOOTSTRAP_SEED)
    return len(images), values, _several(replicates, len(images))


def _measure_lines(run: RunResult, application: Application) -> Measured:
    path = run.folder / "errors.csv"
    rows = read_table(path, ("roi_id", "group_id", "boundary", "error_um"), WRITER)
    of = {name: [row for row in rows if row["boundary"] == name] for name in BOUNDARIES}
    ids = tuple(row["roi_id"] for row in of["LI"])
    if not ids or any(tuple(row["roi_id"] for row in of[name]) != ids for name in BOUNDARIES):
        raise DataError(f"{path} has not every boundary of every region: report the run again with {WRITER}")
    errors = np.column_stack([_column(path, of[name], "error_um") for name in BOUNDARIES])
    group = _group_index([row["group_id"] for row in of["LI"]])
    n_groups = int(group.max()) + 1
    sums = np.array([errors[group == index].sum(axis=0) for index in range(n_groups)])
    counts = np.bincount(group)
    draws = np.concatenate(list(group_draws(n_groups, REPLICATES, BOOTSTRAP_SEED)))
    replicates = (draws @ sums) / (draws @ counts)[:, None]
    return ids, n_groups, errors.mean(axis=0), _several(replicates, n_groups)


def _several(replicates: np.ndarray, n_groups: int) -> np.ndarray:
    """One group is redrawn as itself: that is no replicate."""
    return replicates if n_groups > 1 else replicates[:0]


def _column(path: Path, rows: Sequence[dict[str, str]], name: str) -> np.ndarray:
    return np.array([number(f"{path}, line {line}", row, name) for line, row in enumerate(rows, start=2)])


def _group_index(groups: Sequence[str]) -> np.ndarray:
    place = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    return np.array([place[group] for group in groups], dtype=np.int64)
