"""Runs side by side: `python -m eval.compare runs/polyp/*/*`. One line per scheme, its seeds summarised.

Reads what `eval.report` wrote. Prints mean and range over the seeds; significance tests are not made here.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.report_page import PHANTOM_WARNING
from eval.tables import read_table
from layerwise.applications import get_application
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import read_json
from layerwise.run_folder import RunFolder
from layerwise.schemes import SCHEMES


@dataclass(frozen=True)
class Shown:
    """What is shown of a kind of curve: sensitivity at which values of which column, and which area."""

    rate_column: str
    rates: tuple[float, ...]
    rate_unit: str
    auc_key: str
    auc_of: str


SHOWN = {
    "froc": Shown("fps_per_image", (0.1, 1.0), "FP", "auc_candidates", "candidate"),
    "roc": Shown("false_positive_rate", (0.1, 0.2), "FPR", "auc_frames", "frame"),
}


@dataclass(frozen=True)
class RunResult:
    """The numbers of one evaluated run. curve: of its application. sensitivity: in the order of SHOWN's rates."""

    line: tuple[str, str, str]  # scheme, engine, net: what one line of the table stands for
    curve: str
    seed: int
    database: str
    is_phantom: bool
    best_iteration: int
    val_auc: float
    test_auc: float
    sensitivity: tuple[float, ...]


def read_result(folder: Path) -> RunResult:
    """The result in a run folder. DataError if it was not evaluated."""
    run, evaluation = RunFolder(folder).read_run(), folder / "evaluation.json"
    if not evaluation.is_file():
        raise DataError(f"{folder} is trained but not evaluated: run `python -m eval.report {folder}` first")
    curve = get_application(run["application"]).curve
    shown = SHOWN[curve]
    points = read_table(folder / "operating_points.csv", (shown.rate_column, "sensitivity"), "python -m eval.report")
    at = {float(row[shown.rate_column]): float(row["sensitivity"]) for row in points}
    return RunResult(
        line=(run["scheme"], run["engine"]["name"], run["net"]),
        curve=curve,
        seed=run["seed"],
        database=run["data"]["content_sha256"],
        is_phantom=run["data"]["is_phantom"],
        best_iteration=run["best_iteration"],
        val_auc=run["best_val_auc"],
        test_auc=read_json(evaluation)[shown.auc_key],
        sensitivity=tuple(at[rate] for rate in shown.rates),
    )


def comparison(results: Sequence[RunResult]) -> str:
    """A table for a terminal. DataError if the runs do not share one database: their numbers would not compare."""
    if len({result.database for result in results}) != 1:
        raise DataError(
            "these runs were trained on different databases (content_sha256 differs), so they do not compare"
        )
    lines: dict[tuple[str, str, str], list[RunResult]] = defaultdict(list)
    for result in results:
        lines[result.line].append(result)
    shown = SHOWN[results[0].curve]
    heads = ["scheme", "engine", "net", "seeds", "best at", "validation AUC", f"{shown.auc_of} AUC"]
    heads += [f"sens. at {rate:g} {shown.rate_unit}" for rate in shown.rates]
    table = [heads]
    order = list(SCHEMES)
    for line in sorted(lines, key=lambda line: (order.index(line[0]), line[1:])):
        runs = lines[line]
        iterations = [run.best_iteration for run in runs]
        table.append(
            [
                *line,
                str(len(runs)),
                f"{min(iterations)}-{max(iterations)}",
                mean_and_range([run.val_auc for run in runs]),
                mean_and_range([run.test_auc for run in runs]),
                *(mean_and_range([run.sensitivity[k] for run in runs]) for k in range(len(shown.rates))),
            ]
        )
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*([PHANTOM_WARNING] if results[0].is_phantom else []), *text])


def mean_and_range(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ({min(values):.3f}-{max(values):.3f})"


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of evaluated runs")
    folders = [folder for folder in parser.parse_args().runs if (folder / "run.json").is_file()]
    if not folders:
        raise UsageError("none of these folders holds a finished run (run.json)")
    print(comparison([read_result(folder) for folder in folders]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
