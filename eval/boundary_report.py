"""The report of a run that traces boundaries: errors in um against the expert's lines, thickness, the worst regions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.boundary import table
from eval.boundary_errors import ERROR_COLUMNS, error_rows
from eval.boundary_evaluation import DATA_WRITER, ROI_COLUMNS, BoundaryEvaluation, evaluate_boundaries
from eval.boundary_figures import agreement_figure, box_figure
from eval.boundary_pictures import worst_regions
from eval.kind import KindReport
from eval.paper_numbers import INTIMA
from eval.report_page import count
from eval.run_inputs import required, run_title
from eval.tables import read_table
from layerwise.applications import Application
from layerwise.errors import DataError
from layerwise.files import read_json, write_csv, write_json
from layerwise.run_folder import RunFolder


def boundary_report(
    folder: RunFolder, run: dict[str, Any], application: Application, dataset_dir: Path, note: str
) -> KindReport:
    """Evaluate boundaries.csv against the test regions of the data set. DataError where they do not fit."""
    rois_dir = dataset_dir / "rois"
    evaluation = evaluate_boundaries(folder.path / "boundaries.csv", rois_dir)
    return KindReport(
        template="boundary.html.jinja",
        context={
            "evaluation": evaluation,
            "splits": split_rows(rois_dir),
            "experts_apart": experts_apart(rois_dir),
            "regions": worst_regions(evaluation, dataset_dir),
            "paper": INTIMA[run["scheme"]],
        },
        figures={
            "errors": box_figure(evaluation.summaries, note),
            "thickness": agreement_figure(evaluation.agreement, note),
        },
        write_tables=lambda target: write_tables(target, evaluation),
        lines=_lines(run, evaluation),
    )


def split_rows(rois_dir: Path) -> list[dict[str, Any]]:
    """Subjects and regions of train, val and test."""
    rows = read_table(rois_dir / "rois.csv", ROI_COLUMNS, DATA_WRITER)
    return [
        {
            "split": split,
            "n_groups": len({row["group_id"] for row in rows if row["split"] == split}),
            "n_regions": sum(row["split"] == split for row in rows),
        }
        for split in ("train", "val", "test")
    ]


def experts_apart(rois_dir: Path) -> Mapping[str, Any]:
    """How far two experts' lines are apart on the test regions, in um; None where the data set has one expert."""
    path = rois_dir / "rois.json"
    if not path.is_file():
        raise DataError(f"{path} is missing: prepare the data again with python -m data_prep.intima.")
    test = required(path, read_json(path), "splits", "test")
    return {"LI": test.get("observers_li_um"), "MA": test.get("observers_ma_um")}


def write_tables(folder: Path, evaluation: BoundaryEvaluation) -> None:
    """errors.csv, which `python -m eval.boundary` reads, and evaluation.json."""
    write_csv(folder / "errors.csv", ERROR_COLUMNS, error_rows(evaluation.errors))
    write_json(folder / "evaluation.json", evaluation.summary())


def _lines(run: dict[str, Any], evaluation: BoundaryEvaluation) -> list[str]:
    agreement = evaluation.agreement
    reach = "" if agreement.low_um is None else f", limits of agreement {agreement.low_um:.1f} to "
    reach += "" if agreement.high_um is None else f"{agreement.high_um:.1f} um"
    return [
        f"{run_title(run)}, test split: {count(len(evaluation.groups))} groups, {count(len(evaluation.rois))} regions",
        table(evaluation.summaries),
        f"intima-media thickness, found minus expert: {agreement.bias_um:+.1f} um{reach}",
    ]
