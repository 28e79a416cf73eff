"""Errors of traced boundaries: mean, SD and box of each boundary, and two systems compared region by region.

    python -m eval.boundary errors.csv [--json out.json]

errors.csv has roi_id, group_id, boundary, error_um and, to compare a second system on the same regions, error_um_b.
Where it has signed_um (found minus expert) and expert_um too, as of the intima-media thickness, Bland and Altman's
limits of agreement are computed.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from eval.agreement import agreement
from eval.bootstrap import REPLICATES, percentile_interval
from eval.tables import Row, number, read_table
from layerwise.errors import DataError, exit_code_main
from layerwise.files import write_json

COLUMNS = ("roi_id", "group_id", "boundary", "error_um")
SECOND = "error_um_b"
MEASURED = ("expert_um", "signed_um")
WHISKER = 1.5  # Tukey's


@dataclass(frozen=True)
class Errors:
    """Of one boundary. group_id: (N,) str. error_um, error_um_b: (N,) float64; b is None with one system.

    expert_um, signed_um: (N,) float64, the expert's measure and found minus expert; None of a line, which has no size.
    """

    group_id: np.ndarray
    error_um: np.ndarray
    error_um_b: np.ndarray | None = None
    expert_um: np.ndarray | None = None
    signed_um: np.ndarray | None = None


def read_errors(path: Path) -> dict[str, Errors]:
    """boundary -> its errors, in the file's order.

    DataError for a missing column or file, no rows, an error that is no finite number of 0 or more, and a region that
    has a boundary twice; with file, line and column.
    """
    rows = read_table(path, COLUMNS, "python -m eval.boundary_errors")
    if not rows:
        raise DataError(f"{path} has no rows: there is nothing to evaluate.")
    seen: dict[tuple[str, str], int] = {}
    of_boundary: dict[str, list[tuple[str, Row]]] = {}
    for line, row in enumerate(rows, start=2):
        key = row["boundary"], row["roi_id"]
        if (first := seen.setdefault(key, line)) != line:
            raise DataError(f"{path}, line {line}: {key[0]} of region {key[1]} is listed before, in line {first}.")
        of_boundary.setdefault(row["boundary"], []).append((f"{path}, line {line}", row))
    return {name: _errors(own) for name, own in of_boundary.items()}


def _errors(rows: Sequence[tuple[str, Row]]) -> Errors:
    """Of one boundary; each row with its place."""

    def column(name: str, low: float = -math.inf) -> np.ndarray:
        return np.array([number(where, row, name, low) for where, row in rows])

    first = rows[0][1]
    is_measure = all(any(row.get(name) for _, row in rows) for name in MEASURED)
    return Errors(
        np.array([row["group_id"] for _, row in rows]),
        column("error_um", low=0),
        column(SECOND, low=0) if SECOND in first else None,
        *(column(name) if is_measure else None for name in MEASURED),
    )


def summary(errors: Errors, seed: int = 0) -> dict[str, Any]:
    """What the paper prints and draws of one boundary, and the comparison with the second system if there is one."""
    found = {"n": len(errors.error_um), "n_groups": len(set(errors.group_id.tolist()))}
    found |= describe(errors.error_um, errors.group_id, seed)
    if errors.expert_um is not None and errors.signed_um is not None:
        found |= {"agreement": limits(errors.expert_um, errors.signed_um, errors.group_id, seed)}
    if errors.error_um_b is None:
        return found
    return {
        **found,
        "b": describe(errors.error_um_b, errors.group_id, seed),
        "paired": compare(errors.error_um, errors.error_um_b),
    }


def describe(error_um: np.ndarray, group_id: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Mean, SD (of a sample; None for one region), Tukey's box, and an interval of the mean that respects groups."""
    return {
        "mean_um": float(error_um.mean()),
        "sd_um": float(error_um.std(ddof=1)) if len(error_um) > 1 else None,
        "mean_ci95_group": _group_interval(error_um, group_id, seed),
        "box": tukey_box(error_um),
    }


def limits(expert_um: np.ndarray, signed_um: np.ndarray, group_id: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Bland and Altman's, of found minus expert, and an interval of the bias that respects groups."""
    of = agreement(expert_um, signed_um)
    return {
        "expert_mean_um": float(of.expert_um.mean()),
        "found_mean_um": float(of.found_um.mean()),
        "bias_um": of.bias_um,
        "bias_ci95_group": _group_interval(signed_um, group_id, seed),
        "limits_low_um": of.low_um,
        "limits_high_um": of.high_um,
    }


def tukey_box(values: np.ndarray) -> dict[str, Any]:
    """Quartiles (linear between values), whiskers at the last value within 1.5 quartile ranges, the rest outliers."""
    q1, median, q3 = np.percentile(values, (25, 50, 75))
    reach = WHISKER * (q3 - q1)
    inside = (values >= q1 - reach) & (values <= q3 + reach)
    return {
        "q1": float(q1),
        "median": float(median),
        "q3": float(q3),
        "whisker_low": float(values[inside].min()),
        "whisker_high": float(values[inside].max()),
        "outliers": sorted(values[~inside].tolist()),
    }


def compare(error_um: np.ndarray, error_um_b: np.ndarray) -> dict[str, Any]:
    """Paired over regions, two-sided: Student's t and Wilcoxon's signed ranks.

    The paper does not name its test; its p-values can only come from a paired one. Where no region differs both
    p-values are 1; with one region there is none.
    """
    difference = error_um - error_um_b
    p_t = p_wilcoxon = None
    if not difference.any():
        p_t = p_wilcoxon = 1.0
    elif len(difference) > 1:
        # A difference that is the same everywhere leaves no spread to compare it with: t is infinite.
        p_t = float(np.asarray(stats.ttest_rel(error_um, error_um_b))[1]) if np.ptp(difference) > 0 else 0.0
        p_wilcoxon = float(np.asarray(stats.wilcoxon(difference))[1])
    return {"mean_difference_um": float(difference.mean()), "p_t": p_t, "p_wilcoxon": p_wilcoxon}


def _group_interval(error_um: np.ndarray, group_id: np.ndarray, seed: int) -> list[float] | None:
    """95 % interval of the mean over redraws of whole groups; None with one group. Regions of a subject are alike."""
    _, group = np.unique(group_id, return_inverse=True)
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        return None
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=REPLICATES)
    means = (draws @ np.bincount(group, weights=error_um)) / (draws @ np.bincount(group))
    low, high = percentile_interval(means[:, None])
    return [float(low[0]), float(high[0])]


def table(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """For people."""
    lines = ["boundary  regions  subjects  mean um  SD um  median um  95 % interval of the mean  outliers"]
    for name, of in summaries.items():
        lines.append(_line(name, of, of))
        if "agreement" in of:
            lines.append(_agreement_line(of["agreement"]))
        if "b" in of:
            paired = of["paired"]
            lines.append(_line("  b", of, of["b"]))
            p_t, p_wilcoxon = ("-" if p is None else f"{p:.4g}" for p in (paired["p_t"], paired["p_wilcoxon"]))
            lines.append(f"  a - b: {paired['mean_difference_um']:.2f} um, paired t p {p_t}, Wilcoxon p {p_wilcoxon}")
    return "\n".join(lines)


def _agreement_line(of: Mapping[str, Any]) -> str:
    ends = "" if of["limits_low_um"] is None else f", limits {of['limits_low_um']:+.2f} to {of['limits_high_um']:+.2f}"
    return f"  found minus expert: bias {of['bias_um']:+.2f} um{ends}"


def _line(name: str, of: Mapping[str, Any], stats_of: Mapping[str, Any]) -> str:
    sd = "-" if stats_of["sd_um"] is None else f"{stats_of['sd_um']:.2f}"
    interval = "-" if (ci := stats_of["mean_ci95_group"]) is None else f"{ci[0]:.2f} to {ci[1]:.2f}"
    box = stats_of["box"]
    return (
        f"{name:8}  {of['n']:7}  {of['n_groups']:8}  {stats_of['mean_um']:7.2f}  {sd:>5}  {box['median']:9.2f}"
        f"  {interval:>25}  {len(box['outliers']):8}"
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.boundary", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("errors", type=Path, help="CSV: roi_id,group_id,boundary,error_um[,error_um_b]")
    parser.add_argument("--json", type=Path, help="file to write; without it the JSON follows the table")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap over groups (default 0)")
    return parser.parse_args(arguments)


@exit_code_main
def main() -> None:
    given = parse()
    found = {name: summary(errors, given.seed) for name, errors in read_errors(given.errors).items()}
    print(table(found))
    if given.json is None:
        print(json.dumps(found, indent=2))
    else:
        write_json(given.json, found)


if __name__ == "__main__":
    raise SystemExit(main())
