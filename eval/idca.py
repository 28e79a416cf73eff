"""The paper's error bars: a FROC curve as candidates found first and then classified (IDCA), fitted by likelihood.

A lesion gets a candidate with probability nu; an image has Poisson(lambda) candidates that hit nothing; the scores of
both kinds follow a binormal ROC curve. Then f false positives per image go with the sensitivity
nu * Phi(a + b Phi^-1(f / lambda)), and from f = lambda on with nu. All detections are independent of each other: where
a patient's or video's are alike the bars are too narrow, and the bootstrap over groups is the one to believe.
Source: Edwards, Kupinski, Metz and Nishikawa 2002, Medical Physics 29(12) (the model); the interval is the delta
method on the log-odds of the sensitivity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from eval.binormal import Binormal, NoFit, fit_binormal
from eval.froc import Matches


@dataclass(frozen=True)
class IdcaFit:
    """nu = n_found / n_lesions is the detector's own sensitivity, lambda_ = n_false / n_images; roc: its candidates."""

    n_found: int
    n_lesions: int
    n_false: int
    n_images: int
    roc: Binormal

    @property
    def nu(self) -> float:
        return self.n_found / self.n_lesions

    @property
    def lambda_(self) -> float:
        return self.n_false / self.n_images

    def sensitivity_at(self, fps_per_image: float) -> float:
        """The fitted curve."""
        p = fps_per_image / self.lambda_
        return self.nu if p >= 1 else float(self.nu * ndtr(self.roc.a + self.roc.b * ndtri(p)))

    def interval_at(self, fps_per_image: float, level: float = 0.95) -> tuple[float, float]:
        """The `level` interval of the sensitivity.

        Where the curve has reached nu, or is 0 or 1 to the last digit, it is that of the proportion alone.
        """
        z = float(ndtri((1 + level) / 2))
        p = fps_per_image / self.lambda_
        sensitivity = self.sensitivity_at(fps_per_image)
        if p >= 1 or not 0 < sensitivity < 1:
            return wilson_interval(sensitivity, self.n_lesions, z)
        x = float(ndtri(p))
        u = self.roc.a + self.roc.b * x
        density = math.exp(-u * u / 2) / math.sqrt(2 * math.pi)
        in_ab = self.nu * density * np.array([1.0, x])
        # phi(u) / phi(x), without the two underflows
        in_lambda = -self.nu * self.roc.b * p / self.lambda_ * math.exp((x * x - u * u) / 2)
        # chosen: the variance of nu from half a lesion more found and half a lesion more missed, so that a detector
        # that found all lesions of a small set is not taken to find all there are.
        nu = (self.n_found + 0.5) / (self.n_lesions + 1)
        variance = (
            float(ndtr(u)) ** 2 * nu * (1 - nu) / self.n_lesions
            + in_lambda**2 * self.lambda_ / self.n_images
            + float(in_ab @ self.roc.covariance @ in_ab)
        )
        reach = z * math.sqrt(variance) / (sensitivity * (1 - sensitivity))
        middle = float(logit(sensitivity))
        return float(expit(middle - reach)), float(expit(middle + reach))


def fit_idca(matches: Matches, n_lesions: int, n_images: int) -> IdcaFit:
    """One score per lesion: that of its best candidate. Raises NoFit where the scores determine no curve."""
    found, false = matches.score[matches.first_hits], matches.score[matches.false]
    if not len(found) or not len(false):
        raise NoFit(f"{len(found)} lesions found and {len(false)} false positives: the model needs both")
    return IdcaFit(len(found), n_lesions, len(false), n_images, fit_binormal(false, found))


def wilson_interval(share: float, trials: int, z: float) -> tuple[float, float]:
    """Of a proportion, by inverting the score test; it does not collapse where all or none succeeded."""
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    reach = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
