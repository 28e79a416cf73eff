"""Where a FROC curve is read: sensitivity with its interval at named rates of false positives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.bootstrap import REPLICATES, percentile_interval, sensitivity_replicates
from eval.froc import FrocCurve, Matches, sensitivity_at
from layerwise.applications import Application

# The paper compares nets at Application.compared_at (polyp: 0.01 and 0.001 false positives per frame, section VI-A;
# embolism: 1 to 5 per volume, VI-B).
# chosen: 0.1 and 1 beside those of polyp, which a reader of today's detection literature looks for.
ALSO_AT = {"polyp": (0.1, 1.0)}
# chosen: where a reader of today's literature compares detectors in video; and the rate at which the paper's group
# gives the sensitivity of its own embolism detector of 2015.
HEADLINE_AT = {"polyp": 0.1, "embolism": 2.0}

# The last point of every table: accept every candidate, at whatever rate that is. It is the detector's own sensitivity.
EVERY_CANDIDATE = math.inf

COLUMNS = ("fps_per_image", "sensitivity", "ci95_low", "ci95_high", "threshold", "obtained_fps_per_image")


@dataclass(frozen=True)
class OperatingPoint:
    """The best a curve does with at most `fps_per_image` false positives per image.

    fps_per_image: the rate asked for; inf accepts every candidate. obtained_fps_per_image: the rate at `threshold`.
    ci95_low, ci95_high: 95 % interval of the sensitivity; None where fewer than two groups, or only groups without
    lesions, could be drawn. threshold: None where even the highest score gives more false positives than asked for;
    nothing is accepted then, and the sensitivity is 0.
    """

    fps_per_image: float
    sensitivity: float
    ci95_low: float | None
    ci95_high: float | None
    threshold: float | None
    obtained_fps_per_image: float

    def row(self) -> dict[str, Any]:
        """As a row of operating_points.csv; what is None stays empty."""
        return {column: getattr(self, column) for column in COLUMNS}


def rates_of(application: Application) -> tuple[float, ...]:
    """The rates of false positives at which a FROC curve is read, rising; the last accepts everything."""
    return *sorted({*application.compared_at, *ALSO_AT.get(application.name, ())}), EVERY_CANDIDATE


def operating_points(
    curve: FrocCurve,
    matches: Matches,
    group: np.ndarray,
    lesions_per_group: np.ndarray,
    images_per_group: np.ndarray,
    fps_per_image: Sequence[float],
    n_replicates: int = REPLICATES,
    seed: int = 0,
) -> list[OperatingPoint]:
    """One point per rate asked for, with the percentile interval of a bootstrap over groups.

    The arrays are those of `bootstrap.sensitivity_replicates`; `curve` is the curve of the same `matches`.
    """
    rates = list(fps_per_image)
    low = high = np.full(len(rates), np.nan)
    if len(images_per_group) > 1:
        low, high = percentile_interval(
            sensitivity_replicates(
                matches, group, lesions_per_group, images_per_group, rates, n_replicates=n_replicates, seed=seed
            )
        )
    points = []
    for rate, rate_low, rate_high in zip(rates, low.tolist(), high.tolist(), strict=True):
        index = curve.index_at(rate)
        points.append(
            OperatingPoint(
                fps_per_image=rate,
                sensitivity=sensitivity_at(curve, rate),
                ci95_low=None if math.isnan(rate_low) else rate_low,
                ci95_high=None if math.isnan(rate_high) else rate_high,
                threshold=None if index is None else float(curve.thresholds[index]),
                obtained_fps_per_image=0.0 if index is None else float(curve.fps_per_image[index]),
            )
        )
    return points
