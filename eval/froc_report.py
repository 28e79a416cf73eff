"""The report of a detection run: FROC curve, operating points per image, the detector's ceiling, the worst errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.evaluation import Evaluation, evaluate
from eval.figures import froc_figure, roc_figure
from eval.kind import KindReport, text_table
from eval.operating_points import COLUMNS as POINT_COLUMNS
from eval.operating_points import OperatingPoint
from eval.report_page import count, rate, share
from eval.run_inputs import required
from eval.split_counts import split_counts
from eval.worst_errors import worst_errors
from layerwise.applications import Application
from layerwise.errors import DataError
from layerwise.files import read_json, write_csv, write_json
from layerwise.run_folder import RunFolder

CANDIDATE_SCORE_COLUMNS = ("candidate_id", "frame_id", "group_id", "label", "lesion_id", "score")
FROC_COLUMNS = ("threshold", "fps_per_image", "sensitivity")
# chosen: of the operating points the one at which a reader of today's literature compares detectors in video.
HEADLINE_FPS_PER_IMAGE = 0.1

# What a reader wants spelled out where the data set's files have a name only.
HIT_CRITERIA = {
    "centre-in-ground-truth": "A candidate hits a lesion if the centre of its box lies in the lesion's ground truth."
}


def froc_report(
    folder: RunFolder, run: dict[str, Any], application: Application, dataset_dir: Path, note: str
) -> KindReport:
    """Evaluate scores.csv against candidates/*.csv of the data set (test split). DataError where they do not fit."""
    evaluation = evaluate(folder.scores_csv, dataset_dir)
    detector = read_detector(dataset_dir)
    image = application.fp_unit.removeprefix("fps_per_")
    headline = next(point for point in evaluation.points if point.fps_per_image == HEADLINE_FPS_PER_IMAGE)
    threshold = math.inf if headline.threshold is None else headline.threshold
    return KindReport(
        template="froc.html.jinja",
        context={
            "image": image,
            "evaluation": evaluation,
            "splits": split_counts(dataset_dir),
            "worst": worst_errors(evaluation.truth, evaluation.candidate_score, threshold, dataset_dir),
            "worst_at": headline,
            "detector": detector,
            "hit_criterion": HIT_CRITERIA.get(detector["hit_criterion"], detector["hit_criterion"]),
        },
        figures=draw_figures(evaluation, image, note),
        write_tables=lambda target: write_tables(target, evaluation),
        lines=_lines(run, evaluation),
    )


def read_detector(dataset_dir: Path) -> dict[str, Any]:
    """The frozen detector's record: by which rule candidates were labelled, and what the detector was fitted on."""
    path = dataset_dir / "candidates" / "detector.json"
    if not path.is_file():
        raise DataError(f"{path} is missing: nothing says when a candidate hits a lesion. Prepare the data again.")
    record = read_json(path)
    return {key: required(path, record, key) for key in ("hit_criterion", "fitted_on")}


def draw_figures(evaluation: Evaluation, image: str, note: str) -> dict[str, str]:
    """Name -> SVG text.

    image: what the application calls one (frame, volume). note: stands above every figure, as figures get copied out.
    """
    return {
        "froc": froc_figure(
            evaluation.froc, evaluation.points, evaluation.detector_froc, len(evaluation.truth.frames), image, note
        ),
        "roc": roc_figure(
            [
                (f"candidates, area {evaluation.candidate_auc:.3f}", evaluation.candidate_roc),
                (f"patches, area {evaluation.patch_auc:.3f}", evaluation.patch_roc),
            ],
            note,
        ),
    }


def write_tables(folder: Path, evaluation: Evaluation) -> None:
    """candidate_scores.csv, froc.csv, operating_points.csv and evaluation.json."""
    scored = zip(evaluation.truth.candidates.values(), evaluation.candidate_score.tolist(), strict=True)
    write_csv(
        folder / "candidate_scores.csv",
        CANDIDATE_SCORE_COLUMNS,
        ({**{column: row[column] for column in CANDIDATE_SCORE_COLUMNS[:-1]}, "score": score} for row, score in scored),
    )
    curve = evaluation.froc
    values = zip(curve.thresholds.tolist(), curve.fps_per_image.tolist(), curve.sensitivity.tolist(), strict=True)
    write_csv(folder / "froc.csv", FROC_COLUMNS, (dict(zip(FROC_COLUMNS, row, strict=True)) for row in values))
    write_csv(folder / "operating_points.csv", POINT_COLUMNS, (point.row() for point in evaluation.points))
    write_json(folder / "evaluation.json", evaluation.summary())


def _lines(run: dict[str, Any], evaluation: Evaluation) -> list[str]:
    truth = evaluation.truth
    return [
        f"{run['application']} {run['scheme']} ({run['engine']['name']}, seed {run['seed']}), test split: "
        f"{count(len(truth.groups))} groups, {count(len(truth.frames))} frames, {count(len(truth.lesions))} lesions, "
        f"{count(len(truth.candidates))} candidates",
        *_point_lines(evaluation.points),
        f"ROC area: patches {share(evaluation.patch_auc)}, candidates {share(evaluation.candidate_auc)}",
    ]


def _point_lines(points: Sequence[OperatingPoint]) -> list[str]:
    heads = ("FP per frame", "sensitivity", "95 % interval", "threshold", "obtained FP per frame")
    table: list[tuple[str, ...]] = [heads]
    for point in points:
        known = point.ci95_low is not None
        table.append(
            (
                "all candidates" if math.isinf(point.fps_per_image) else rate(point.fps_per_image),
                share(point.sensitivity),
                f"{share(point.ci95_low)} to {share(point.ci95_high)}" if known else "–",
                share(point.threshold, 4),
                rate(point.obtained_fps_per_image),
            )
        )
    return text_table(table)
