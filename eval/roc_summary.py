"""All numbers of a ROC study, as they stand in the JSON file of `python -m eval.roc`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eval.bootstrap import REPLICATES, redrawn_intervals, redrawn_p, sensitivity_replicates
from eval.calibration import calibration, is_probability
from eval.holm import holm
from eval.roc import RocCurve, partial_auc, roc_curve
from eval.roc_area import Areas, areas
from eval.roc_evaluation import roc_matches
from eval.roc_study import RocStudy
from eval.transfer import transfer


@dataclass(frozen=True)
class Asked:
    """What to read off the curves. at: the text that names a false positive rate in the results -> the rate.

    max_fpr: how far the partial area goes, above 0 and at most 1.
    """

    at: Mapping[str, float]
    max_fpr: float
    n_replicates: int = REPLICATES
    seed: int = 0


def summary(study: RocStudy, asked: Asked, validation: RocStudy | None = None) -> dict[str, Any]:
    """What is no number in this study is None, and `notes` says why. Two systems: `auc_b` and more of b follow.

    validation: the same system (or both) on the split on which thresholds may be chosen.
    """
    found = areas(study.label, study.scores, study.group, study.drawn, asked.n_replicates, asked.seed)
    redrawn = _redrawn_sensitivity(study, asked)
    results = [_of_system(study, system, asked, found, redrawn, validation) for system in range(len(study.scores))]
    result = {
        "n": len(study.label),
        "n_positive": int(study.label.sum()),
        "n_negative": int(np.count_nonzero(study.label == 0)),
        "n_groups": len(study.groups),
        **results[0],
    }
    points = result.pop("points")
    if len(results) > 1:
        result |= {"auc_b": results[1]["auc"], **found.comparison()}
        result |= {"sensitivity_difference_at_fpr": _differences(results, redrawn, asked), "b": results[1]}
    bootstrap = {"n_replicates": asked.n_replicates, "seed": asked.seed}
    return {**result, "bootstrap": bootstrap, "notes": _notes(study, result, validation), "points": points}


def _redrawn_sensitivity(study: RocStudy, asked: Asked) -> list[np.ndarray] | None:
    """Of each system (R, T), all in the same redraws. None with one group."""
    if len(study.groups) < 2:
        return None
    rates = list(asked.at.values())
    read = []
    for score in study.scores:
        matches, n_positive, n_negative = roc_matches(study.label, score, study.drawn)
        read.append(
            sensitivity_replicates(matches, study.drawn, n_positive, n_negative, rates, asked.n_replicates, asked.seed)
        )
    return read


def _of_system(
    study: RocStudy,
    system: int,
    asked: Asked,
    found: Areas,
    redrawn: list[np.ndarray] | None,
    validation: RocStudy | None,
) -> dict[str, Any]:
    score = study.scores[system]
    intervals = found.intervals(system)
    probability = is_probability(score)
    bars = calibration(study.label, score, study.drawn, asked.n_replicates, asked.seed) if probability else None
    curve = roc_curve(study.label, score)
    return {
        "auc": found.auc[system],
        **{f"auc_ci95_{name}": interval for name, interval in intervals.items()},
        "partial_auc": {"max_fpr": asked.max_fpr, "standardised": partial_auc(study.label, score, asked.max_fpr)},
        "sensitivity_at_fpr": _sensitivity_at(curve, asked, None if redrawn is None else redrawn[system]),
        "calibration": None if bars is None else asdict(bars),
        "transfer": None if validation is None else _transfer(study, system, asked, validation),
        "points": [
            {"threshold": threshold if place else None, "false_positive_rate": rate, "sensitivity": sensitivity}
            for place, (threshold, rate, sensitivity) in enumerate(
                zip(
                    curve.thresholds.tolist(),
                    curve.false_positive_rate.tolist(),
                    curve.true_positive_rate.tolist(),
                    strict=True,
                )
            )
        ],
    }


def _sensitivity_at(curve: RocCurve, asked: Asked, redrawn: np.ndarray | None) -> dict[str, Any]:
    """At each rate the last point with at most so many: between two points no threshold does what a line promises."""
    at = np.searchsorted(curve.false_positive_rate, list(asked.at.values()), side="right") - 1
    bars = [None] * len(at) if redrawn is None else redrawn_intervals(redrawn)
    return {
        name: {
            "sensitivity": float(curve.true_positive_rate[place]),
            "ci95_group": bar,
            "threshold": float(curve.thresholds[place]) if place else None,
            "false_positive_rate": float(curve.false_positive_rate[place]),
        }
        for name, place, bar in zip(asked.at, at.tolist(), bars, strict=True)
    }


def _transfer(study: RocStudy, system: int, asked: Asked, validation: RocStudy) -> dict[str, Any]:
    moved = transfer(
        validation.label,
        validation.scores[system],
        study.label,
        study.scores[system],
        study.drawn,
        list(asked.at.values()),
        asked.n_replicates,
        asked.seed,
    )
    return {name: asdict(point) for name, point in zip(asked.at, moved, strict=True)}


def _differences(
    results: Sequence[dict[str, Any]], redrawn: list[np.ndarray] | None, asked: Asked
) -> dict[str, dict[str, Any]]:
    """Sensitivity of b minus a at each rate, with Holm's correction over the rates."""
    of_a, of_b = (
        np.array([point["sensitivity"] for point in result["sensitivity_at_fpr"].values()]) for result in results
    )
    intervals: Sequence[list[float] | None] = [None] * len(of_a)
    p: Sequence[float | None] = [None] * len(of_a)
    if redrawn is not None:
        intervals, p = redrawn_intervals(redrawn[1] - redrawn[0]), redrawn_p(redrawn[1] - redrawn[0])
    known = [value for value in p if value is not None]
    corrected = holm(known) if known else p
    return {
        name: {"difference": delta, "ci95_group": ends, "p_group_bootstrap": plain, "p_group_bootstrap_holm": together}
        for name, delta, ends, plain, together in zip(
            asked.at, (of_b - of_a).tolist(), intervals, p, corrected, strict=True
        )
    }


def _notes(study: RocStudy, result: Mapping[str, Any], validation: RocStudy | None) -> list[str]:
    notes = []
    if len(study.groups) < 2:
        notes.append("group intervals and tests: all rows are of one group, and one group has no spread")
    elif len(study.groups) > study.drawn.max() + 1:
        notes.append(f"group intervals and tests: {len(study.groups)} groups are drawn in {study.drawn.max() + 1} bags")
    for name, system in (("", result), (" of b", result.get("b"))):
        if system is None:
            continue
        if system["auc"] in (0.0, 1.0):
            notes.append(f"auc{name}: no pair is out of order, so the cases do not show how far from {system['auc']:g}")
        elif system["auc_ci95_delong"] is None:
            notes.append(f"auc_ci95_delong{name}: a class has one row, which has no spread")
        elif system["auc_ci95_obuchowski"] is None:
            notes.append(f"auc_ci95_obuchowski{name}: a class is all of one group, which has no spread")
        if system["calibration"] is None:
            notes.append(f"calibration{name}: only scores that are all in 0 .. 1 can be read as probabilities")
    if validation is not None and (both := set(study.groups) & set(validation.groups)):
        notes.append(f"transfer: {len(both)} groups are in both tables, the first is {min(both)!r}; it flatters")
    return notes
