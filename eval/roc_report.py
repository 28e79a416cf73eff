"""The report of a classification run: ROC curve per frame, sensitivity at the paper's false positive rates, errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from eval.calibration import Bin
from eval.figures import roc_figure
from eval.frame_pictures import thumbnail_uri
from eval.kind import KindReport, text_table
from eval.operating_points import OperatingPoint
from eval.report_page import count, rate, share
from eval.roc import auc
from eval.roc_evaluation import DATA_WRITER, FRAME_COLUMNS, RocEvaluation, evaluate_roc
from eval.roc_picture import reliability_figure
from eval.run_inputs import is_rival, run_title
from eval.tables import read_table
from eval.transfer import Transferred
from eval.worst_errors import TILES, TILES_PER_GROUP
from layerwise.applications import Application
from layerwise.files import read_json, write_csv, write_json
from layerwise.run_folder import RunFolder

ROC_COLUMNS = ("threshold", "false_positive_rate", "sensitivity")
POINT_COLUMNS = ("false_positive_rate", "sensitivity", "ci95_low", "ci95_high", "threshold", "obtained_rate")
FRAME_SCORE_COLUMNS = ("frame_id", "group_id", "label", "kind", "score")


@dataclass(frozen=True)
class Words:
    """What is judged and what the net sees of it, as people say; and how the data set was balanced."""

    image: str
    patches: str
    balance: str


# By application. In the tables both are frames.
_WORDS = {
    "frames": Words("frame", "crops", "Patches of train and val are balanced by thinning the more frequent class"),
    "custom": Words("image", "patches", "Train has as many patches of each class; val and test are as they come"),
}


@dataclass(frozen=True)
class ClassArea:
    """One of several positive classes against the negative one, by the same score. n: test images."""

    name: str
    n: int
    auc: float


@dataclass(frozen=True)
class WrongFrame:
    """One frame on the wrong side of the threshold. image_uri: "" if its file is not at hand."""

    frame_id: str
    group_id: str
    kind: str
    score: float
    image_uri: str


@dataclass(frozen=True)
class FrameErrors:
    """All wrong frames at one threshold, by class: how many, and the worst of them."""

    n_missed: int
    n_false_positives: int
    missed: list[WrongFrame]
    false_positives: list[WrongFrame]


def roc_report(
    folder: RunFolder, run: dict[str, Any], application: Application, dataset_dir: Path, note: str
) -> KindReport:
    """Evaluate scores.csv against the test frames of the data set. DataError where they do not fit."""
    evaluation = evaluate_roc(folder.scores_csv, dataset_dir, application.compared_at, folder.val_scores_csv)
    headline = evaluation.points[0]
    index = read_json(dataset_dir / "frames" / "frames.json")
    words = _WORDS[application.name]
    areas = class_areas(evaluation, application.class_names)
    curves = [(f"{words.image}s, area {evaluation.auc:.3f}", evaluation.roc)]
    if not is_rival(run):
        curves.append((f"{words.patches}, area {evaluation.patch_auc:.3f}", evaluation.patch_roc))
    return KindReport(
        template="roc.html.jinja",
        context={
            "evaluation": evaluation,
            "headline": headline,
            "splits": split_rows(dataset_dir),
            "errors": frame_errors(evaluation, headline, dataset_dir),
            "words": words,
            "class_areas": areas,
            "group_unit": index["group_unit"],
            "label_note": index["note"],
        },
        figures={
            "roc": roc_figure(curves, note, evaluation.points),
            "reliability": reliability_figure(
                [asdict(part) for part in evaluation.calibration.bins], evaluation.calibration.brier, note
            ),
        },
        write_tables=lambda target: write_tables(target, evaluation, areas),
        lines=_lines(run, application, evaluation, areas, index["note"]),
    )


def split_rows(dataset_dir: Path) -> list[dict[str, Any]]:
    """Groups, frames and positive frames of train, val and test."""
    rows = read_table(dataset_dir / "frames" / "frames.csv", FRAME_COLUMNS, DATA_WRITER)
    return [
        {
            "split": split,
            "n_groups": len({row["group_id"] for row in rows if row["split"] == split}),
            "n_frames": sum(row["split"] == split for row in rows),
            "n_positive": sum(row["split"] == split and row["label"] != "0" for row in rows),
        }
        for split in ("train", "val", "test")
    ]


def class_areas(evaluation: RocEvaluation, names: Sequence[str]) -> list[ClassArea]:
    """Every positive class against the negative one, where there are several.

    The score is the probability of not being negative, so it cannot rank one positive class against another.
    """
    if len(names) == 2:
        return []
    label = np.array([int(row["label"]) for row in evaluation.truth.frames.values()])
    areas = []
    for number, name in enumerate(names[1:], start=1):
        two = (label == 0) | (label == number)
        n = int(np.count_nonzero(label == number))
        areas.append(ClassArea(name, n, auc(label[two] > 0, evaluation.score[two])))
    return areas


def frame_errors(evaluation: RocEvaluation, point: OperatingPoint, dataset_dir: Path) -> FrameErrors:
    """The frames that are wrong when those from `point`'s threshold on are taken for positive, the worst first."""
    threshold = math.inf if point.threshold is None else point.threshold
    scored = list(zip(evaluation.truth.frames, evaluation.score.tolist(), strict=True))
    label = evaluation.truth.label.tolist()
    missed = [item for item, positive in zip(scored, label, strict=True) if positive and item[1] < threshold]
    false = [item for item, positive in zip(scored, label, strict=True) if not positive and item[1] >= threshold]

    def worst(items: list[tuple[str, float]]) -> list[WrongFrame]:
        taken: Counter[str] = Counter()
        kept: list[WrongFrame] = []
        for frame_id, score in items:
            row = evaluation.truth.frames[frame_id]
            if taken[row["group_id"]] < TILES_PER_GROUP and len(kept) < TILES:
                taken[row["group_id"]] += 1
                uri = thumbnail_uri(dataset_dir / row["path"])
                kept.append(WrongFrame(frame_id, row["group_id"], row["kind"], score, uri))
        return kept

    return FrameErrors(
        n_missed=len(missed),
        n_false_positives=len(false),
        missed=worst(sorted(missed, key=lambda item: item[1])),
        false_positives=worst(sorted(false, key=lambda item: -item[1])),
    )


def write_tables(folder: Path, evaluation: RocEvaluation, areas: Sequence[ClassArea]) -> None:
    """frame_scores.csv, roc.csv, operating_points.csv and evaluation.json."""
    scored = zip(evaluation.truth.frames.values(), evaluation.score.tolist(), strict=True)
    write_csv(
        folder / "frame_scores.csv",
        FRAME_SCORE_COLUMNS,
        ({**{column: row[column] for column in FRAME_SCORE_COLUMNS[:-1]}, "score": score} for row, score in scored),
    )
    curve = evaluation.roc
    values = zip(
        curve.thresholds.tolist(), curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist(), strict=True
    )
    write_csv(folder / "roc.csv", ROC_COLUMNS, (dict(zip(ROC_COLUMNS, row, strict=True)) for row in values))
    points = (tuple(point.row().values()) for point in evaluation.points)
    write_csv(
        folder / "operating_points.csv",
        POINT_COLUMNS,
        (dict(zip(POINT_COLUMNS, row, strict=True)) for row in points),
    )
    _write_records(folder / "reliability.csv", Bin, evaluation.calibration.bins)
    if evaluation.transferred:
        _write_records(folder / "transfer.csv", Transferred, evaluation.transferred)
    by_class = {"auc_by_class": {area.name: area.auc for area in areas}} if areas else {}
    write_json(folder / "evaluation.json", {**evaluation.summary(), **by_class})


def _write_records(path: Path, kind: type[Bin] | type[Transferred], records: Sequence[Bin | Transferred]) -> None:
    """One row a record; an interval becomes the two columns <name>_low and <name>_high, empty where there is none."""
    columns: list[str] = []
    for field in fields(kind):
        columns += [f"{field.name}_low", f"{field.name}_high"] if field.name.endswith("ci95_group") else [field.name]
    rows = []
    for record in records:
        cells: list[Any] = []
        for field in fields(kind):
            value = getattr(record, field.name)
            cells += (value or [None, None]) if field.name.endswith("ci95_group") else [value]
        rows.append(dict(zip(columns, cells, strict=True)))
    write_csv(path, columns, rows)


def _lines(
    run: dict[str, Any],
    application: Application,
    evaluation: RocEvaluation,
    by_class: Sequence[ClassArea],
    label_note: str,
) -> list[str]:
    summary, words = evaluation.summary(), _WORDS[application.name]
    areas = [] if is_rival(run) else [f"{words.patches} {share(evaluation.patch_auc)}"]
    table: list[tuple[str, ...]] = [("false positive rate", "sensitivity", "95 % interval", "threshold", "obtained")]
    for point in evaluation.points:
        known = point.ci95_low is not None
        table.append(
            (
                rate(point.fps_per_image),
                share(point.sensitivity),
                f"{share(point.ci95_low)} to {share(point.ci95_high)}" if known else "–",
                share(point.threshold, 4),
                rate(point.obtained_fps_per_image),
            )
        )
    return [
        f"{run_title(run)}, test split: {count(summary['n_groups'])} groups, {count(summary['n_frames'])} "
        f"{words.image}s, {count(summary['n_positive'])} {application.positive}",
        *text_table(table),
        f"ROC area: {', '.join([*areas, f'{words.image}s {share(evaluation.auc)}'])}",
        *(
            f"  95 % {name}: {share(ends[0])} to {share(ends[1])}"
            for name, ends in evaluation.auc_ci95.items()
            if ends is not None
        ),
        *(f"  {area.name} ({area.n}) against {application.class_names[0]}: {share(area.auc)}" for area in by_class),
        *([f"NOTE: {label_note}."] if label_note else []),
    ]
