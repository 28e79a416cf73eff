"""`python -m eval.froc`: FROC curve, intervals and tests of any detector, from two CSV files."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from eval.bootstrap import REPLICATES
from eval.froc_compare import EXCHANGES
from eval.froc_study import read_study
from eval.froc_summary import Asked, summary
from eval.froc_text import table
from eval.hits import hit_criterion
from layerwise.errors import UsageError, exit_code_main
from layerwise.files import atomic_path, write_csv, write_text

AT = ("0.125", "0.25", "0.5", "1", "2", "4", "8")  # LUNA16's rates
SENSITIVITIES = ("0.5", "0.7", "0.8", "0.9")  # chosen: what readers ask a detector for
POINT_COLUMNS = ("threshold", "fps_per_image", "sensitivity")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.froc", description=__doc__)
    parser.add_argument("candidates", type=Path, help="candidate_id,image_id,group_id,score,lesion_id[,score_b]")
    parser.add_argument("lesions", type=Path, help="lesion_id,image_id,group_id: all there are, found or not")
    parser.add_argument(
        "--images", required=True, metavar="N", help="how many images there are, or a CSV file image_id,group_id of all"
    )
    parser.add_argument("--at", nargs="+", default=AT, metavar="RATE", help="false positives per image to read at")
    parser.add_argument(
        "--at-sensitivity",
        nargs="+",
        default=SENSITIVITIES,
        metavar="S",
        help="sensitivities at which to read the rate",
    )
    parser.add_argument(
        "--hit",
        metavar="RULE",
        help="find what each candidate hits instead of reading lesion_id: centre-in-mask, centre-within-radius or "
        "iou-above-0.5, from the columns x,y[,z] or x0,y0[,z0],x1,y1[,z1] of the candidates and of the lesions "
        "x,y[,z],radius, a box, or mask[,mask_value]",
    )
    parser.add_argument("--replicates", type=int, default=REPLICATES, help="redraws of the groups (%(default)s)")
    parser.add_argument("--exchanges", type=int, default=EXCHANGES, help="of two systems within groups (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="all numbers")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the points of the curve")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="the curve with its bars")
    return parser


@exit_code_main
def main() -> int | None:
    arguments = parser().parse_args()
    asked = Asked(
        at=_values(arguments.at, "--at", 0.0, math.inf),
        sensitivities=_values(arguments.at_sensitivity, "--at-sensitivity", 1e-9, 1.0),
        n_replicates=_at_least_one(arguments.replicates, "--replicates"),
        n_exchanges=_at_least_one(arguments.exchanges, "--exchanges"),
        seed=arguments.seed,
    )
    criterion = hit_criterion(arguments.hit) if arguments.hit else None
    images = int(arguments.images) if arguments.images.lstrip("-").isdecimal() else Path(arguments.images)
    study = read_study(arguments.candidates, arguments.lesions, images, criterion)
    result = {"hit_criterion": criterion.name if criterion else "lesion_id", **summary(study, asked)}
    print(table(result))
    if arguments.json:
        # Piece by piece: the points of a million candidates as one text would need more memory than all the rest.
        with atomic_path(arguments.json) as partial, partial.open("w", encoding="utf-8") as handle:
            json.dump(result, handle, indent=2, allow_nan=False)
            handle.write("\n")
    if arguments.csv:
        write_csv(arguments.csv, POINT_COLUMNS, result["points"])
    if arguments.svg:
        from eval.froc_picture import froc_picture  # Matplotlib, only for those who want a picture

        write_text(arguments.svg, froc_picture(result))


def _values(texts: Sequence[str], option: str, low: float, high: float) -> dict[str, float]:
    values = {}
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            raise UsageError(f"{option} {text}: expected a number {'from 0' if low == 0 else 'above 0 and at most 1'}")
        values[text] = value
    return values


def _at_least_one(value: int, option: str) -> int:
    if value < 1:
        raise UsageError(f"{option} {value}: expected at least 1")
    return value
