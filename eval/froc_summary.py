"""All numbers of a FROC study, as they stand in the JSON file of `python -m eval.froc`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.afroc import Area, afroc_areas
from eval.binormal import NoFit
from eval.bootstrap import REPLICATES, fps_per_image_replicates, percentile_interval, sensitivity_replicates
from eval.froc import FrocCurve, froc_curve, sensitivity_at
from eval.froc_compare import EXCHANGES, PairedTest, compare
from eval.froc_study import FrocStudy, System
from eval.holm import holm
from eval.idca import fit_idca
from eval.roc import auc
from layerwise.errors import DataError

CPM_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # LUNA16's competition performance metric
CAMELYON16_RATES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Asked:
    """What to read off the curves. at, sensitivities: the text that names a value in the results -> the value."""

    at: Mapping[str, float]
    sensitivities: Mapping[str, float]
    n_replicates: int = REPLICATES
    n_exchanges: int = EXCHANGES
    seed: int = 0


def summary(study: FrocStudy, asked: Asked) -> dict[str, Any]:
    """What is no number in this study is None, and `notes` says why. Two systems: `b` and `comparison` follow."""
    results = [_of_system(study, system, asked) for system in study.systems]
    if len(results) == 1:
        return results[0]
    return {**results[0], "b": results[1], "comparison": _comparison(study, asked, results)}


def _of_system(study: FrocStudy, system: System, asked: Asked) -> dict[str, Any]:
    curve = froc_curve(system.matches, study.n_lesions, study.n_images)
    notes: list[str] = []
    result: dict[str, Any] = {
        "n_images": study.n_images,
        "n_lesions": study.n_lesions,
        "n_groups": len(study.images_per_group),
        "n_candidates": len(system.matches.score),
        "n_lesions_found": int(np.count_nonzero(system.matches.first_hits)),
        "n_false_positives": int(np.count_nonzero(system.matches.false)),
        "sensitivity_at": {name: sensitivity_at(curve, rate) for name, rate in asked.at.items()},
        "fps_per_image_at": {name: _rate_at(curve, value) for name, value in asked.sensitivities.items()},
        "cpm": float(np.mean([sensitivity_at(curve, rate) for rate in CPM_RATES])),
        "camelyon16": float(np.mean([sensitivity_at(curve, rate) for rate in CAMELYON16_RATES])),
        "ci95_group": _group_intervals(study, system, asked, notes),
        "idca": _idca(study, system, asked, notes),
        "auc_candidates": None,
        **_areas(study, system, notes),
    }
    try:
        result["auc_candidates"] = auc(~system.matches.false, system.matches.score)
    except DataError:
        notes.append("auc_candidates: candidates of both kinds, hits and false positives, are needed")
    points = zip(curve.thresholds.tolist(), curve.fps_per_image.tolist(), curve.sensitivity.tolist(), strict=True)
    result["notes"] = notes
    result["points"] = [
        {"threshold": threshold, "fps_per_image": rate, "sensitivity": sensitivity}
        for threshold, rate, sensitivity in points
    ]
    return result


def _rate_at(curve: FrocCurve, sensitivity: float) -> float | None:
    """The smallest rate with at least this sensitivity; None where the curve never gets so far."""
    index = int(np.searchsorted(curve.sensitivity, sensitivity))
    return float(curve.fps_per_image[index]) if index < len(curve.sensitivity) else None


def _group_intervals(study: FrocStudy, system: System, asked: Asked, notes: list[str]) -> dict[str, Any] | None:
    arrays = system.matches, system.group, study.lesions_per_group, study.images_per_group
    if len(study.images_per_group) < 2:
        notes.append("ci95_group: all images are of one group, and one group has no spread")
        return None
    rates = [*asked.at.values(), *CPM_RATES]
    drawn = sensitivity_replicates(*arrays, rates, asked.n_replicates, asked.seed)
    means = drawn[:, -len(CPM_RATES) :]
    of_means = np.stack([means.mean(axis=1), means[:, -len(CAMELYON16_RATES) :].mean(axis=1)], axis=1)
    at = _pairs(percentile_interval(drawn[:, : len(asked.at)]))
    cpm, camelyon16 = _pairs(percentile_interval(of_means))
    of_rates = fps_per_image_replicates(*arrays, list(asked.sensitivities.values()), asked.n_replicates, asked.seed)
    rate_at = _pairs(percentile_interval(of_rates, method="inverted_cdf"))
    return {
        "sensitivity_at": dict(zip(asked.at, at, strict=True)),
        "fps_per_image_at": dict(zip(asked.sensitivities, rate_at, strict=True)),
        "cpm": cpm,
        "camelyon16": camelyon16,
        "n_replicates": asked.n_replicates,
        "seed": asked.seed,
    }


def _pairs(ends: tuple[np.ndarray, np.ndarray]) -> list[list[float | None]]:
    """[low, high] of each column; an end that is no number, or endless, is None."""
    return [[value if math.isfinite(value) else None for value in pair] for pair in np.stack(ends, axis=1).tolist()]


def _idca(study: FrocStudy, system: System, asked: Asked, notes: list[str]) -> dict[str, Any] | None:
    try:
        fit = fit_idca(system.matches, study.n_lesions, study.n_images)
    except NoFit as reason:
        notes.append(f"idca: {reason}")
        return None
    return {
        "nu": fit.nu,
        "lambda": fit.lambda_,
        "a": fit.roc.a,
        "b": fit.roc.b,
        "covariance_ab": fit.roc.covariance.tolist(),
        "sensitivity_at": {name: fit.sensitivity_at(rate) for name, rate in asked.at.items()},
        "ci95": {name: fit.interval_at(rate) for name, rate in asked.at.items()},
    }


def _areas(study: FrocStudy, system: System, notes: list[str]) -> dict[str, Any]:
    """Of AFROC and weighted AFROC: the area, and its interval leaving out images (RJafroc's) and whole groups."""
    arrays = system.matches, system.image, study.lesion_image, study.n_images
    try:
        by_image = afroc_areas(*arrays, unit=np.arange(study.n_images))
        by_group = afroc_areas(*arrays, unit=study.image_group)
    except DataError as reason:
        notes.append(f"afroc, wafroc: {reason}")
        return dict.fromkeys(("afroc", "wafroc", "afroc_jackknife", "wafroc_jackknife"))
    return {
        "afroc": by_image[0].area,
        "wafroc": by_image[1].area,
        "afroc_jackknife": _jackknife(by_image[0], by_group[0]),
        "wafroc_jackknife": _jackknife(by_image[1], by_group[1]),
    }


def _jackknife(by_image: Area, by_group: Area) -> dict[str, Any]:
    return {
        "variance_images": by_image.variance,
        "ci95_images": by_image.interval(),
        "variance_groups": by_group.variance,
        "ci95_groups": by_group.interval(),
    }


def _comparison(study: FrocStudy, asked: Asked, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """b against a: at each rate with Holm's correction over the rates, and the two means of sensitivities."""
    tests = compare(
        study, list(asked.at.values()), (CPM_RATES, CAMELYON16_RATES), asked.n_replicates, asked.n_exchanges, asked.seed
    )
    at, means = tests[: len(asked.at)], tests[len(asked.at) :]
    bootstrap_p = [test.p_group_bootstrap for test in at]
    corrected = {
        "p_permutation_holm": holm([test.p_permutation for test in at]),
        "p_group_bootstrap_holm": [None] * len(at)
        if None in bootstrap_p
        else holm([p for p in bootstrap_p if p is not None]),
    }
    return {
        "sensitivity_at": {
            name: {
                **_paired(test),
                **{key: values[index] for key, values in corrected.items()},
                "idca_bars_overlap": _bars_overlap([result["idca"] for result in results], name),
            }
            for index, (name, test) in enumerate(zip(asked.at, at, strict=True))
        },
        "cpm": _paired(means[0]),
        "camelyon16": _paired(means[1]),
        "n_replicates": asked.n_replicates,
        "n_exchanges": asked.n_exchanges,
        "seed": asked.seed,
    }


def _paired(test: PairedTest) -> dict[str, Any]:
    return {
        "difference": test.difference,
        "ci95_group": test.ci95,
        "p_group_bootstrap": test.p_group_bootstrap,
        "p_permutation": test.p_permutation,
    }


def _bars_overlap(fits: Sequence[dict[str, Any] | None], name: str) -> bool | None:
    """The paper's rule: different at a rate exactly if this is False. None where a curve could not be fitted."""
    bars = [fit["ci95"][name] for fit in fits if fit is not None]
    return None if len(bars) < 2 else max(bar[0] for bar in bars) <= min(bar[1] for bar in bars)
