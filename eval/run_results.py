"""Evaluated runs as they are compared: what was run, and what `eval.report` found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.run_inputs import required
from eval.tables import read_table
from layerwise.applications import Application, get_application
from layerwise.errors import DataError
from layerwise.files import read_json
from layerwise.run_folder import RunFolder
from layerwise.schemes import HANDCRAFTED, SCHEMES

# Where FROC curves are compared in a row of a table; ROC curves at the first and the last of Application.compared_at.
FROC_AT = {"polyp": (0.1, 1.0), "embolism": (1.0, 2.0, 5.0)}
SCHEME_ORDER = (*SCHEMES, HANDCRAFTED)  # by depth, then from scratch, the rival last
_SET_ASIDE = re.compile(r"\.old\d+$")  # RunFolder.set_aside


@dataclass(frozen=True)
class RunResult:
    """One evaluated run.

    database: identifies its training set. measures: head of a column -> number, of the test split. net,
    best_iteration and val_auc are None where a rival has none. record: run.json.
    """

    folder: Path
    application: str
    scheme: str
    engine: str
    net: str | None
    seed: int
    fraction: float
    dataset_dir: str
    database: str
    is_phantom: bool
    best_iteration: int | None
    val_auc: float | None
    measures: dict[str, float]
    record: dict[str, Any] = field(default_factory=dict)


def run_folders(paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that hold a finished run; what a newer run has set aside (<name>.old<k>) is left out."""
    return [path for path in paths if (path / "run.json").is_file() and not _SET_ASIDE.search(path.name)]


def read_result(folder: Path) -> RunResult:
    """The result in a run folder. DataError if it was not evaluated."""
    run, evaluation = RunFolder(folder).read_run(), folder / "evaluation.json"
    if not evaluation.is_file():
        raise DataError(f"{folder} is not evaluated: run `python -m eval.report {folder}` first")
    path = folder / "run.json"
    return RunResult(
        folder=folder,
        application=run["application"],
        scheme=run["scheme"],
        engine=run["engine"]["name"],
        net=run["net"],
        seed=run["seed"],
        fraction=run.get("fraction", 1.0),
        dataset_dir=required(path, run, "data", "dataset_dir"),
        database=run["data"].get("content_sha256") or required(path, run, "data", "manifest_sha256"),
        is_phantom=required(path, run, "data", "is_phantom"),
        best_iteration=run.get("best_iteration"),
        val_auc=run.get("best_val_auc"),
        measures=_measures(folder, get_application(run["application"]), read_json(evaluation)),
        record=run,
    )


def _measures(folder: Path, application: Application, evaluation: dict[str, Any]) -> dict[str, float]:
    if application.curve == "boundary":
        return {f"{name} um": float(of["mean_um"]) for name, of in evaluation["boundaries"].items()}
    if application.curve == "froc":
        column, unit, rates = "fps_per_image", "FP", FROC_AT[application.name]
        area = {"candidate AUC": evaluation["auc_candidates"]}
    else:
        column, unit, rates = "false_positive_rate", "FPR", (application.compared_at[0], application.compared_at[-1])
        area = {"frame AUC": evaluation["auc_frames"]}
    points = read_table(folder / "operating_points.csv", (column, "sensitivity"), "python -m eval.report")
    at = {float(row[column]): float(row["sensitivity"]) for row in points}
    return {**area, **{f"sens. at {rate:g} {unit}": at[rate] for rate in rates}}


def in_order(schemes: Sequence[str]) -> list[str]:
    """Schemes by depth, then those from scratch, the rival last."""
    return sorted(schemes, key=SCHEME_ORDER.index)
