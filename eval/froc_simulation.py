"""Detectors made up from the IDCA model, whose truth is known, and with groups that are alike, as real videos are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from eval.froc import Matches


@dataclass(frozen=True)
class DetectorModel:
    """nu: P(a lesion has a candidate). lambda_: mean false positives per image. a, b: the binormal curve of the scores.

    group_spread: 0 draws everything independently. Else each group is easy or hard as a whole: a normal number times
    this is added to the scores of its false positives (up) and of its lesions (down), and to the probit of finding a
    lesion (down); its rate of false positives is drawn too, with this as its coefficient of variation.
    """

    nu: float
    lambda_: float
    a: float
    b: float
    group_spread: float = 0.0

    def sensitivity_at(self, fps_per_image: float) -> float:
        """The truth where everything is independent."""
        p = min(fps_per_image / self.lambda_, 1.0)
        return float(self.nu * ndtr(self.a + self.b * ndtri(p)))

    def draw(
        self, random: np.random.Generator, n_groups: int, images_per_group: int, lesions_per_group: int
    ) -> tuple[Matches, np.ndarray]:
        """Candidates, and the group of each. Lesion l is of group l // lesions_per_group."""
        hard = self.group_spread * random.normal(size=n_groups)
        rate = np.full(n_groups, self.lambda_)
        if self.group_spread:
            shape = self.group_spread**-2
            rate = self.lambda_ * random.gamma(shape, 1 / shape, n_groups)
        lesion_group = np.repeat(np.arange(n_groups), lesions_per_group)
        # The wider normal keeps nu as the mean over groups.
        reach = ndtri(self.nu) * np.sqrt(1 + self.group_spread**2)
        found = np.flatnonzero(random.random(len(lesion_group)) < ndtr(reach - hard[lesion_group]))
        n_false = random.poisson(rate * images_per_group)
        false_group = np.repeat(np.arange(n_groups), n_false)
        score = np.concatenate(
            [
                random.normal(self.a / self.b, 1 / self.b, len(found)) - hard[lesion_group[found]],
                random.normal(size=len(false_group)) + hard[false_group],
            ]
        )
        lesion = np.concatenate([found, np.full(len(false_group), -1)])
        return Matches(score, lesion), np.concatenate([lesion_group[found], false_group])
