"""Runs side by side: `python -m eval.compare runs/polyp/*/*`. One line per scheme, its seeds summarised.

Reads what `eval.report` wrote. Prints mean and range over the seeds; significance tests are not made here.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from eval.report_page import PHANTOM_WARNING
from eval.run_results import SCHEME_ORDER, RunResult, read_result, run_folders
from layerwise.errors import DataError, UsageError, exit_code_main


def comparison(results: Sequence[RunResult]) -> str:
    """A table for a terminal: a line for each scheme, share of the training set, engine and net.

    DataError if the runs are of more than one data set, or learned from different versions of one training set: their
    numbers would not compare.
    """
    _check_comparable(results)
    lines: dict[tuple[str, float, str, str], list[RunResult]] = defaultdict(list)
    for result in results:
        lines[result.scheme, result.fraction, result.engine, result.net or "-"].append(result)
    measures = list(results[0].measures)
    table = [["scheme", "trained on", "engine", "net", "seeds", "best at", "validation AUC", *measures]]
    for line in sorted(lines, key=lambda line: (-line[1], SCHEME_ORDER.index(line[0]), line[2:])):
        scheme, fraction, engine, net = line
        runs = lines[line]
        table.append(
            [
                *(scheme, f"{100 * fraction:g} %", engine, net, str(len(runs)), _iterations(runs)),
                mean_and_range([run.val_auc for run in runs if run.val_auc is not None]),
                *(mean_and_range([run.measures[name] for run in runs], 1 if " um" in name else 3) for name in measures),
            ]
        )
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*([PHANTOM_WARNING] if results[0].is_phantom else []), *text])


def _check_comparable(results: Sequence[RunResult]) -> None:
    datasets = {(result.application, result.dataset_dir) for result in results}
    if len(datasets) != 1:
        found = "; ".join(f"{application}: {dataset}" for application, dataset in sorted(datasets))
        raise DataError(f"these runs are of different data sets, so they do not compare ({found})")
    for fraction in {result.fraction for result in results}:
        if len({result.database for result in results if result.fraction == fraction}) != 1:
            raise DataError(
                "these runs were trained on different databases (content_sha256 differs), so they do not compare"
            )


def _iterations(runs: Sequence[RunResult]) -> str:
    found = [run.best_iteration for run in runs if run.best_iteration is not None]
    return f"{min(found)}-{max(found)}" if found else "-"


def mean_and_range(values: Sequence[float], digits: int = 3) -> str:
    """A dash without a value; the range only with several."""
    if not values:
        return "-"
    mean = f"{sum(values) / len(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f}-{max(values):.{digits}f})"


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of evaluated runs")
    folders = run_folders(parser.parse_args().runs)
    if not folders:
        raise UsageError("none of these folders holds a finished run (run.json)")
    print(comparison([read_result(folder) for folder in folders]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
