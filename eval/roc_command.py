"""`python -m eval.roc`: ROC curve, areas, intervals and tests of any classifier, from a CSV file of its scores."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from eval.bootstrap import REPLICATES
from eval.roc_study import SECOND, read_roc_study
from eval.roc_summary import Asked, summary
from eval.roc_text import table
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import atomic_path, write_csv, write_text

AT = ("0.05", "0.1", "0.15", "0.2")  # the paper's three (section VI-C), and 0.05, which readers of today ask for
MAX_FPR = 0.2  # chosen: the largest of them
POINT_COLUMNS = ("threshold", "false_positive_rate", "sensitivity")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.roc", description=__doc__)
    parser.add_argument("scores", type=Path, help="id,group_id,label,score[,score_b]; label is 0 or 1")
    parser.add_argument(
        "--validation", type=Path, metavar="FILE", help="such a table of the split on which thresholds are chosen"
    )
    parser.add_argument("--at", nargs="+", default=AT, metavar="RATE", help="false positive rates to read at")
    parser.add_argument(
        "--max-fpr", type=float, default=MAX_FPR, metavar="RATE", help="end of the partial area (%(default)s)"
    )
    parser.add_argument("--replicates", type=int, default=REPLICATES, help="redraws of the groups (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="all numbers")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the points of the curve (of the first system)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="the curve with its bars, and the reliability curve")
    return parser


@exit_code_main
def main() -> int | None:
    arguments = parser().parse_args()
    if not 0 < arguments.max_fpr <= 1:
        raise UsageError(f"--max-fpr {arguments.max_fpr}: expected a rate above 0 and at most 1")
    if arguments.replicates < 1:
        raise UsageError(f"--replicates {arguments.replicates}: expected at least 1")
    asked = Asked(_rates(arguments.at), arguments.max_fpr, arguments.replicates, arguments.seed)
    study = read_roc_study(arguments.scores)
    validation = None if arguments.validation is None else read_roc_study(arguments.validation)
    if validation is not None and len(validation.scores) < len(study.scores):
        raise DataError(f"{arguments.validation}, line 1: column {SECOND} is missing, and {arguments.scores} has it")
    result = summary(study, asked, validation)
    print(table(result))
    if arguments.json:
        # Piece by piece: the points of a million scores as one text would need more memory than all the rest.
        with atomic_path(arguments.json) as partial, partial.open("w", encoding="utf-8") as handle:
            json.dump(result, handle, indent=2, allow_nan=False)
            handle.write("\n")
    if arguments.csv:
        write_csv(arguments.csv, POINT_COLUMNS, result["points"])
    if arguments.svg:
        from eval.roc_picture import roc_picture  # Matplotlib, only for those who want a picture

        write_text(arguments.svg, roc_picture(result))


def _rates(texts: Sequence[str]) -> dict[str, float]:
    rates = {}
    for text in texts:
        try:
            rate = float(text)
        except ValueError:
            rate = math.nan
        if not 0 <= rate <= 1:
            raise UsageError(f"--at {text}: expected a rate from 0 to 1")
        rates[text] = rate
    return rates
