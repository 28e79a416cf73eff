"""The paper's error bars of a run at the compared rates, FROC or ROC, by the model that it names (Edwards et al. 2002).

A ROC curve is the model's special case in which every positive is found and the number of negatives is no chance: what
remains is the binormal curve and the covariance of its two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from eval.binormal import Binormal, NoFit, fit_binormal
from eval.idca import fit_idca
from eval.judged import JudgedScores

Z95 = float(ndtri(0.975))
Bar = tuple[float, float]


def paper_bars(judged: JudgedScores, rates: Sequence[float], is_froc: bool) -> tuple[list[Bar | None], str]:
    """The 95 % bar at each rate, and "" or why there is none: the scores determine no curve."""
    try:
        interval_at = _interval(judged, is_froc)
    except NoFit as reason:
        return [None] * len(rates), str(reason)
    return [interval_at(rate) for rate in rates], ""


def verdict_by_bars(first: Bar | None, second: Bar | None) -> str | None:
    """The paper's rule: two curves differ where their bars do not overlap. ahead, behind, level; None without a bar."""
    if first is None or second is None:
        return None
    return "ahead" if first[0] > second[1] else "behind" if first[1] < second[0] else "level"


def binormal_interval(fit: Binormal, rate: float) -> Bar:
    """95 % interval of Phi(a + b Phi^-1(rate)), 0 < rate < 1, by the delta method on the log-odds."""
    x = float(ndtri(rate))
    u = fit.a + fit.b * x
    share = float(ndtr(u))
    if not 0 < share < 1:
        return share, share
    in_ab = math.exp(-u * u / 2) / math.sqrt(2 * math.pi) * np.array([1.0, x])
    reach = Z95 * math.sqrt(float(in_ab @ fit.covariance @ in_ab)) / (share * (1 - share))
    return float(expit(logit(share) - reach)), float(expit(logit(share) + reach))


def _interval(judged: JudgedScores, is_froc: bool) -> Callable[[float], Bar]:
    if is_froc:
        return fit_idca(judged.matches, judged.n_lesions, judged.n_images).interval_at
    false = judged.matches.false
    fit = fit_binormal(judged.matches.score[false], judged.matches.score[~false])
    return lambda rate: binormal_interval(fit, rate)
