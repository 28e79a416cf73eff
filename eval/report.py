"""Evaluate a run and write its report: `python -m eval.report RUN_FOLDER`, or `... polyp finetune-conv4`.

Reads run.json, train.csv and scores.csv or boundaries.csv of the run and its data set's tables (test split). Writes
into the run folder the tables of its curve (froc.csv or roc.csv with operating_points.csv and scores per candidate or
frame; or errors.csv), evaluation.json, figures/*.svg and report.html, each whole or not at all, and none of them if an
input is not usable. Exit codes: 0 done, 1 bad input, 2 usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jinja2

from eval.boundary_report import boundary_report
from eval.figures import convergence_figure, inline
from eval.froc_report import froc_report
from eval.report_page import PHANTOM_WARNING, render
from eval.roc_report import roc_report
from eval.run_inputs import is_rival, read_cost, read_train_curve, required
from layerwise.applications import get_application
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import write_text
from layerwise.paths import run_place
from layerwise.run_folder import RunFolder, short_path
from layerwise.schemes import HANDCRAFTED, get_scheme

# Application.curve -> what evaluates and shows it.
KINDS = {"froc": froc_report, "roc": roc_report, "boundary": boundary_report}


@exit_code_main
def main() -> int:
    folder = _run_folder(_arguments())
    run = _read_run(folder)
    application = get_application(run["application"], required(folder.run_json, run, "data"))
    dataset_dir = Path(required(folder.run_json, run, "data", "dataset_dir"))
    is_phantom = bool(required(folder.run_json, run, "data", "is_phantom"))
    note = "PHANTOM DATA" if is_phantom else str(required(folder.run_json, run, "data", "dataset"))
    kind = KINDS[application.curve](folder, run, application, dataset_dir, note)
    made, figures = ({}, kind.figures) if is_rival(run) else _training(folder, run, kind.figures, note)
    try:
        html = render(
            kind.template,
            run=run,
            application=application,
            figures={name: inline(svg, name) for name, svg in figures.items()},
            is_rival=is_rival(run),
            **made,
            **kind.context,
        )
    except jinja2.UndefinedError as error:
        raise DataError(
            f"{folder.run_json} lacks what the report shows ({error}); train the run again with `python -m tools.train`"
        ) from error
    kind.write_tables(folder.path)
    for name, svg in figures.items():
        write_text(folder.path / "figures" / f"{name}.svg", svg)
    write_text(folder.path / "report.html", html)
    print("\n".join([*([PHANTOM_WARNING, ""] if is_phantom else []), *kind.lines]))
    print(f"report: {short_path(folder.path / 'report.html')}")
    return 0


def _training(
    folder: RunFolder, run: dict[str, Any], figures: dict[str, str], note: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the page shows of a net's training: its cost, and `figures` with the convergence."""
    train = read_train_curve(folder.train_csv, run.get("best_iteration"))
    return {"cost": read_cost(folder.train_csv, run)}, {**figures, "convergence": convergence_figure(train, note)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", nargs="+", help="a run folder, or its application and scheme (or handcrafted)")
    parser.add_argument("--engine", default="recaffe", help="with application and scheme: recaffe or caffe")
    parser.add_argument("--seed", type=int, default=0, help="with application and scheme (default: 0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are (default: runs)")
    parser.add_argument("--fraction", type=float, default=1.0, help="with application and scheme: of the training set")
    parser.add_argument("--data", help="with custom and scheme: the images, as given to data_prep")
    return parser.parse_args()


def _run_folder(options: argparse.Namespace) -> RunFolder:
    if len(options.run) == 1:
        return RunFolder(Path(options.run[0]))
    if len(options.run) == 2:
        application = get_application(options.run[0])
        if options.run[1] == HANDCRAFTED:
            return RunFolder.of_rival(options.runs, application.name, options.seed, options.fraction)
        scheme = get_scheme(options.run[1])
        place = run_place(application.name, options.data)
        return RunFolder.of(options.runs, place, scheme.name, options.engine, options.seed, options.fraction)
    raise UsageError(f"expected a run folder, or an application and a scheme; found {' '.join(options.run)}")


def _read_run(folder: RunFolder) -> dict[str, Any]:
    try:
        return folder.read_run()
    except ValueError as error:
        raise DataError(f"{folder.run_json} is not valid JSON ({error}); train the run again") from error


if __name__ == "__main__":
    sys.exit(main())
