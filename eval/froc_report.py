"""The report of a detection run: FROC curve, operating points per image, the detector's ceiling, the worst errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.candidates import FRAME
from eval.evaluation import Evaluation, evaluate
from eval.figures import froc_figure, roc_figure
from eval.frame_pictures import FramePictures
from eval.kind import KindReport, text_table
from eval.operating_points import COLUMNS as POINT_COLUMNS
from eval.operating_points import HEADLINE_AT, OperatingPoint
from eval.patch_pictures import PatchPictures
from eval.report_page import count, rate, share
from eval.run_inputs import is_rival, required, run_title
from eval.split_counts import split_counts
from eval.worst_errors import Pictures, worst_errors
from layerwise.applications import Application
from layerwise.errors import DataError
from layerwise.files import read_json, write_csv, write_json
from layerwise.run_folder import RunFolder

FROC_COLUMNS = ("threshold", "fps_per_image", "sensitivity")
# What a reader wants spelled out where the data set's files have a name only.
HIT_CRITERIA = {
    "centre-in-ground-truth": "A candidate hits a lesion if the centre of its box lies in the lesion's ground truth.",
    "point-within-2-mm-of-embolus": "A candidate hits an embolus if its point lies in it or at most 2 mm beside it.",
}


def froc_report(
    folder: RunFolder, run: dict[str, Any], application: Application, dataset_dir: Path, note: str
) -> KindReport:
    """Evaluate scores.csv against candidates/*.csv of the data set (test split). DataError where they do not fit."""
    evaluation = evaluate(folder.scores_csv, dataset_dir, application)
    detector = read_detector(dataset_dir)
    truth, unit = evaluation.truth, evaluation.truth.unit
    headline = next(point for point in evaluation.points if point.fps_per_image == HEADLINE_AT[application.name])
    threshold = math.inf if headline.threshold is None else headline.threshold
    if unit is FRAME:
        pictures: Pictures = FramePictures(truth, dataset_dir)
    else:
        pictures = PatchPictures(Path(required(folder.run_json, run, "data", "manifest")).parent)
    return KindReport(
        template="froc.html.jinja",
        context={
            "image": unit.name,
            "evaluation": evaluation,
            "splits": split_counts(dataset_dir, unit),
            "worst": worst_errors(truth, evaluation.candidate_score, threshold, pictures),
            "worst_at": headline,
            "detector": detector,
            "hit_criterion": HIT_CRITERIA.get(detector["hit_criterion"], detector["hit_criterion"]),
        },
        figures=draw_figures(evaluation, is_rival(run), note),
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


def draw_figures(evaluation: Evaluation, of_rival: bool, note: str) -> dict[str, str]:
    """Name -> SVG text.

    of_rival: a rival has no patches, and may be the detector itself, whose curve is then drawn once. note: stands above
    every figure, as figures get copied out.
    """
    curves = [(f"candidates, area {evaluation.candidate_auc:.3f}", evaluation.candidate_roc)]
    if not of_rival:
        curves.append((f"patches, area {evaluation.patch_auc:.3f}", evaluation.patch_roc))
    froc = froc_figure(
        evaluation.froc,
        evaluation.points,
        None if evaluation.is_detector else evaluation.detector_froc,
        len(evaluation.truth.images),
        evaluation.truth.unit.name,
        note,
        "handcrafted" if of_rival else "net",
    )
    return {"froc": froc, "roc": roc_figure(curves, note)}


def write_tables(folder: Path, evaluation: Evaluation) -> None:
    """candidate_scores.csv, froc.csv, operating_points.csv and evaluation.json."""
    scored = zip(evaluation.truth.candidates.values(), evaluation.candidate_score.tolist(), strict=True)
    kept = ("candidate_id", evaluation.truth.unit.id_column, "group_id", "label", "lesion_id")
    write_csv(
        folder / "candidate_scores.csv",
        (*kept, "score"),
        ({**{column: row[column] for column in kept}, "score": score} for row, score in scored),
    )
    curve = evaluation.froc
    values = zip(curve.thresholds.tolist(), curve.fps_per_image.tolist(), curve.sensitivity.tolist(), strict=True)
    write_csv(folder / "froc.csv", FROC_COLUMNS, (dict(zip(FROC_COLUMNS, row, strict=True)) for row in values))
    write_csv(folder / "operating_points.csv", POINT_COLUMNS, (point.row() for point in evaluation.points))
    write_json(folder / "evaluation.json", evaluation.summary())


def _lines(run: dict[str, Any], evaluation: Evaluation) -> list[str]:
    truth, image = evaluation.truth, evaluation.truth.unit.name
    areas = [] if is_rival(run) else [f"patches {share(evaluation.patch_auc)}"]
    return [
        f"{run_title(run)}, test split: {count(len(truth.groups))} groups, {count(len(truth.images))} {image}s, "
        f"{count(len(truth.lesions))} lesions, {count(len(truth.candidates))} candidates",
        *_point_lines(evaluation.points, image),
        f"ROC area: {', '.join([*areas, f'candidates {share(evaluation.candidate_auc)}'])}",
    ]


def _point_lines(points: Sequence[OperatingPoint], image: str) -> list[str]:
    heads = (f"FP per {image}", "sensitivity", "95 % interval", "threshold", f"obtained FP per {image}")
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
