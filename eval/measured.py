"""How good a run is on the test split, in numbers and in redraws of its groups that all runs of one split share.

Everything is read from what `eval.report` wrote; nothing is trained or scored again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.bootstrap import REPLICATES, group_draws, sensitivity_replicates
from eval.boundary_errors import BOUNDARIES
from eval.candidates import image_unit
from eval.evaluation import BOOTSTRAP_SEED
from eval.froc import sensitivity_at
from eval.judged import judged_lines, judged_scores
from eval.operating_points import rates_of
from eval.run_results import RunResult
from layerwise.applications import Application


@dataclass(frozen=True)
class Yardstick:
    """What runs of an application are measured by: T columns, and their headline, the mean of `averaged` of them.

    chosen: the headline is the mean sensitivity at all points of the table, the paper's among them. Each of them is
    read from few false positives (on a demonstration's 560 frames 0.001 per frame is none at all); their mean moves
    less. Of boundaries it is the mean error of LI and MA, which the paper prints; the thickness is left out, as two
    errors of one sign cancel in it.
    """

    columns: tuple[str, ...]
    headline: str
    averaged: tuple[int, ...]
    larger_is_better: bool = True
    digits: int = 3
    unit: str = ""


@dataclass(frozen=True)
class Sample:
    """A run measured: values (T + 1,), the headline last, and replicates (R, T + 1) in the redraws that all runs share.

    ids: what was judged, in order; runs with other ids do not pair. With a single group there is no replicate.
    """

    ids: tuple[str, ...]
    n_groups: int
    values: np.ndarray
    replicates: np.ndarray

    @property
    def headline(self) -> float:
        return float(self.values[-1])


def compared_rates(application: Application) -> tuple[float, ...]:
    """The rates of false positives of the yardstick's columns; of boundaries none."""
    return rates_of(application)[:-1] if application.curve == "froc" else application.compared_at


def yardstick_of(application: Application) -> Yardstick:
    if application.curve == "boundary":
        return Yardstick(BOUNDARIES, "mean error of LI and MA", (0, 1), larger_is_better=False, digits=1, unit=" µm")
    rates = compared_rates(application)
    unit = f"FP per {image_unit(application).name}" if application.curve == "froc" else "FPR"
    return Yardstick(tuple(f"at {rate:g} {unit}" for rate in rates), "mean sensitivity", tuple(range(len(rates))))


def measure(run: RunResult, application: Application) -> Sample:
    """DataError if the run's files do not fit its data set or are not there."""
    of_curve = {"froc": _of_scores, "roc": _of_scores, "boundary": _of_lines}
    ids, n_groups, values, replicates = of_curve[application.curve](run, application)
    averaged = list(yardstick_of(application).averaged)
    return Sample(
        ids,
        n_groups,
        np.append(values, values[averaged].mean()),
        np.column_stack([replicates, replicates[:, averaged].mean(axis=1)]),
    )


Measured = tuple[tuple[str, ...], int, np.ndarray, np.ndarray]


def _of_scores(run: RunResult, application: Application) -> Measured:
    judged, rates = judged_scores(run, application), compared_rates(application)
    values = np.array([sensitivity_at(judged.curve, rate) for rate in rates])
    counts = judged.lesions_per_group, judged.images_per_group
    replicates = sensitivity_replicates(judged.matches, judged.group, *counts, rates, seed=BOOTSTRAP_SEED)
    n_groups = len(judged.images_per_group)
    return judged.ids, n_groups, values, _several(replicates, n_groups)


def _of_lines(run: RunResult, application: Application) -> Measured:
    judged = judged_lines(run)
    n_groups = int(judged.group.max()) + 1
    sums = np.array([judged.errors_um[judged.group == index].sum(axis=0) for index in range(n_groups)])
    counts = np.bincount(judged.group)
    draws = np.concatenate(list(group_draws(n_groups, REPLICATES, BOOTSTRAP_SEED)))
    replicates = (draws @ sums) / (draws @ counts)[:, None]
    return judged.ids, n_groups, judged.errors_um.mean(axis=0), _several(replicates, n_groups)


def _several(replicates: np.ndarray, n_groups: int) -> np.ndarray:
    """One group is redrawn as itself: that is no replicate."""
    return replicates if n_groups > 1 else replicates[:0]
