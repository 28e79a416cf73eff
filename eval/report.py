"""Evaluate a run and write its report: `python -m eval.report RUN_FOLDER`, or `... polyp finetune-conv4`.

Reads run.json, train.csv and scores.csv of the run and candidates/*.csv of its data set (test split). Writes into the
run folder candidate_scores.csv, froc.csv, operating_points.csv, evaluation.json, figures/*.svg and report.html, each
whole or not at all, and none of them if an input is not usable. Exit codes: 0 done, 1 bad input, 2 usage.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from eval.evaluation import Evaluation, evaluate
from eval.figures import TrainCurve, convergence_figure, froc_figure, inline, roc_figure
from eval.operating_points import COLUMNS as POINT_COLUMNS
from eval.operating_points import OperatingPoint
from eval.report_page import PHANTOM_WARNING, Cost, ReportPage, count, rate, share
from eval.split_counts import split_counts
from eval.tables import number, read_table
from eval.worst_errors import worst_errors
from layerwise.applications import get_application
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import read_json, write_csv, write_json, write_text
from layerwise.run_folder import TRAIN_COLUMNS, RunFolder, short_path
from layerwise.schemes import get_scheme

CANDIDATE_SCORE_COLUMNS = ("candidate_id", "frame_id", "group_id", "label", "lesion_id", "score")
FROC_COLUMNS = ("threshold", "fps_per_image", "sensitivity")
# chosen: of the operating points the one at which a reader of today's literature compares detectors in video.
HEADLINE_FPS_PER_IMAGE = 0.1


@exit_code_main
def main() -> int:
    folder = _run_folder(_arguments())
    run = _read_run(folder)
    application = get_application(run["application"])
    if application.curve != "froc":
        raise UsageError(
            f"{folder.path} is a run of {application.name}, which has no FROC curve ({application.metric})"
        )
    dataset_dir = Path(_required(folder.run_json, run, "data", "dataset_dir"))
    is_phantom = bool(_required(folder.run_json, run, "data", "is_phantom"))
    evaluation = evaluate(folder.scores_csv, dataset_dir)
    detector = read_detector(dataset_dir)
    train = read_train_curve(folder.train_csv, run.get("best_iteration"))
    note = "PHANTOM DATA" if is_phantom else str(_required(folder.run_json, run, "data", "dataset"))
    image = application.fp_unit.removeprefix("fps_per_")
    figures = draw_figures(evaluation, train, image, note)
    headline = next(point for point in evaluation.points if point.fps_per_image == HEADLINE_FPS_PER_IMAGE)
    threshold = math.inf if headline.threshold is None else headline.threshold
    page = ReportPage(
        run=run,
        application=application,
        image=image,
        evaluation=evaluation,
        splits=split_counts(dataset_dir),
        figures={name: inline(svg, name) for name, svg in figures.items()},
        worst=worst_errors(evaluation.truth, evaluation.candidate_score, threshold, dataset_dir),
        worst_at=headline,
        detector=detector,
        cost=read_cost(folder.train_csv, run),
    )
    html = _render(page, folder)
    write_tables(folder.path, evaluation)
    for name, svg in figures.items():
        write_text(folder.path / "figures" / f"{name}.svg", svg)
    write_text(folder.path / "report.html", html)
    print(summary_text(run, evaluation))
    print(f"report: {short_path(folder.path / 'report.html')}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", nargs="+", help="a run folder, or its application and scheme")
    parser.add_argument("--engine", default="recaffe", help="with application and scheme: recaffe or caffe")
    parser.add_argument("--seed", type=int, default=0, help="with application and scheme (default: 0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are (default: runs)")
    return parser.parse_args()


def _run_folder(options: argparse.Namespace) -> RunFolder:
    if len(options.run) == 1:
        return RunFolder(Path(options.run[0]))
    if len(options.run) == 2:
        application, scheme = get_application(options.run[0]), get_scheme(options.run[1])
        return RunFolder.of(options.runs, application.name, scheme.name, options.engine, options.seed)
    raise UsageError(f"expected a run folder, or an application and a scheme; found {' '.join(options.run)}")


def _read_run(folder: RunFolder) -> dict[str, Any]:
    try:
        return folder.read_run()
    except ValueError as error:
        raise DataError(f"{folder.run_json} is not valid JSON ({error}); train the run again") from error


def _render(page: ReportPage, folder: RunFolder) -> str:
    try:
        return page.render()
    except jinja2.UndefinedError as error:
        raise DataError(
            f"{folder.run_json} lacks what the report shows ({error}); train the run again with `python -m tools.train`"
        ) from error


def _required(path: Path, record: dict[str, Any], *keys: str) -> Any:
    value: Any = record
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise DataError(
                f"{path}: key {'.'.join(keys)} is missing; train the run again with `python -m tools.train`"
            )
        value = value[key]
    return value


def read_train_curve(path: Path, best_iteration: int | None) -> TrainCurve:
    """train.csv as arrays. DataError if it has no row or no validation."""
    rows = read_table(path, TRAIN_COLUMNS, "python -m tools.train")
    iteration = [number(f"{path}, line {line}", row, "iteration") for line, row in enumerate(rows, start=2)]
    loss = [number(f"{path}, line {line}", row, "loss") for line, row in enumerate(rows, start=2)]
    validated = [index for index, row in enumerate(rows) if row["val_auc"]]
    if not validated:
        raise DataError(
            f"{path}: no row has a val_auc; the run was stopped before its first validation. Train it again."
        )
    val_auc = [number(f"{path}, line {index + 2}", rows[index], "val_auc", 0, 1) for index in validated]
    iterations = np.array(iteration, dtype=np.int64)
    return TrainCurve(iterations, np.array(loss), iterations[validated], np.array(val_auc), best_iteration)


def read_cost(path: Path, run: dict[str, Any]) -> Cost:
    """Times from run.json, speed and epochs from train.csv."""
    rows = read_table(path, TRAIN_COLUMNS, "python -m tools.train")
    speeds = [number(f"{path}, line {n}", row, "images_per_s", 0) for n, row in enumerate(rows, start=2)]
    times = run.get("times", {})
    return Cost(
        training_seconds=times.get("training_seconds"),
        validation_seconds=times.get("validation_seconds"),
        iterations=len(rows),
        epochs=number(f"{path}, last line", rows[-1], "epoch", 0),
        images_per_s=float(np.median(speeds)),
    )


def read_detector(dataset_dir: Path) -> dict[str, Any]:
    """The frozen detector's record: by which rule candidates were labelled, and what the detector was fitted on."""
    path = dataset_dir / "candidates" / "detector.json"
    if not path.is_file():
        raise DataError(f"{path} is missing: nothing says when a candidate hits a lesion. Prepare the data again.")
    record = read_json(path)
    return {key: _required(path, record, key) for key in ("hit_criterion", "fitted_on")}


def draw_figures(evaluation: Evaluation, train: TrainCurve, image: str, note: str) -> dict[str, str]:
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
        "convergence": convergence_figure(train, note),
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


def summary_text(run: dict[str, Any], evaluation: Evaluation) -> str:
    """The operating points for a terminal."""
    truth = evaluation.truth
    lines = [
        f"{run['application']} {run['scheme']} ({run['engine']['name']}, seed {run['seed']}), test split: "
        f"{count(len(truth.groups))} groups, {count(len(truth.frames))} frames, {count(len(truth.lesions))} lesions, "
        f"{count(len(truth.candidates))} candidates",
        *_point_lines(evaluation.points),
        f"ROC area: patches {share(evaluation.patch_auc)}, candidates {share(evaluation.candidate_auc)}",
    ]
    return "\n".join([PHANTOM_WARNING, "", *lines] if run["data"]["is_phantom"] else lines)


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
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    return ["   ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]


if __name__ == "__main__":
    sys.exit(main())
