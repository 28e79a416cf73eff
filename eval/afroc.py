"""Areas under the AFROC and the weighted AFROC curve, with the jackknife's variance.

The area is the chance that a lesion scores above the strongest false positive of an image without lesions; equal scores
count half. A lesion without candidate lies below every score, and so does an image without false positives: two such
are equal. AFROC: all lesions weigh the same. Weighted AFROC: all images with lesions weigh the same, and their lesions
share alike, so that one image with many lesions does not dominate. False positives on images with lesions do not enter.
Source: Chakraborty and Berbaum 2004, Chakraborty 2017; the definitions are those of RJafroc's AFROC and wAFROC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from eval.froc import Matches
from layerwise.errors import DataError


@dataclass(frozen=True)
class Area:
    """variance: None where leaving one unit out leaves nothing to compare, or there is only one unit."""

    area: float
    variance: float | None

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """The normal interval, cut to 0 .. 1."""
        if self.variance is None:
            return None
        reach = float(ndtri((1 + level) / 2)) * math.sqrt(self.variance)
        return max(0.0, self.area - reach), min(1.0, self.area + reach)


def afroc_areas(
    matches: Matches, image: np.ndarray, lesion_image: np.ndarray, n_images: int, unit: np.ndarray
) -> tuple[Area, Area]:
    """AFROC and weighted AFROC.

    matches: M candidates. image: (M,) int, the image 0 .. n_images - 1 of each. lesion_image: (L,) int, the image of
    each lesion. unit: (n_images,) int, what the jackknife leaves out at a time: the image itself as RJafroc does, or
    its group.
    Raises DataError without a lesion, or without an image that has none: nothing can be compared then.
    """
    lesions_on = np.bincount(lesion_image, minlength=n_images)
    normal = np.flatnonzero(lesions_on == 0)
    if not len(lesion_image) or not len(normal):
        raise DataError(
            f"AFROC: {len(lesion_image)} lesions and {len(normal)} images without lesion: it compares the two"
        )
    strongest = np.full(n_images, -np.inf)
    np.maximum.at(strongest, image[matches.false], matches.score[matches.false])
    best = np.full(len(lesion_image), -np.inf)
    np.maximum.at(best, matches.lesion[~matches.false], matches.score[~matches.false])
    equal = np.ones(len(lesion_image))
    shared = 1 / lesions_on[lesion_image]
    pair = _Pairs(strongest[normal], best, unit[normal], unit[lesion_image])
    return pair.area(equal), pair.area(shared)


class _Pairs:
    """Every lesion against every image without lesion, and the same with each unit left out."""

    def __init__(
        self, strongest: np.ndarray, best: np.ndarray, normal_unit: np.ndarray, lesion_unit: np.ndarray
    ) -> None:
        self.strongest, self.best = strongest, best
        units, place = np.unique(np.concatenate([normal_unit, lesion_unit]), return_inverse=True)
        self.n_units = len(units)
        self.normal_unit, self.lesion_unit = place[: len(normal_unit)], place[len(normal_unit) :]
        self.won = _beaten(np.sort(strongest), best)  # (L,) how many images each lesion beats

    def area(self, weight: np.ndarray) -> Area:
        total = float(self.won @ weight)
        normals = len(self.strongest)
        area = total / (normals * weight.sum())
        order = np.argsort(self.best, kind="stable")
        ranked, steps = self.best[order], np.concatenate([[0.0], np.cumsum(weight[order])])
        below, through = (np.searchsorted(ranked, self.strongest, side=side) for side in ("left", "right"))
        lost_to = weight.sum() - (steps[below] + steps[through]) / 2  # (N,) the weight of the lesions above each image

        def per_unit(unit: np.ndarray, values: np.ndarray) -> np.ndarray:
            return np.bincount(unit, weights=values, minlength=self.n_units)

        left = total - per_unit(self.lesion_unit, self.won * weight) - per_unit(self.normal_unit, lost_to)
        left += self._inside(weight)  # pairs of one unit were taken away twice
        pairs = (normals - per_unit(self.normal_unit, np.ones(normals))) * (
            weight.sum() - per_unit(self.lesion_unit, weight)
        )
        if self.n_units < 2 or np.any(pairs < 1e-9):
            return Area(area, None)
        replicates = left / pairs
        variance = (self.n_units - 1) / self.n_units * float(np.sum((replicates - replicates.mean()) ** 2))
        return Area(area, variance)

    def _inside(self, weight: np.ndarray) -> np.ndarray:
        """(units,) the won weight of the pairs whose lesion and image are of the same unit."""
        result = np.zeros(self.n_units)
        normal_order, lesion_order = np.argsort(self.normal_unit), np.argsort(self.lesion_unit)
        bounds = np.arange(self.n_units + 1)
        normal_at = np.searchsorted(self.normal_unit[normal_order], bounds)
        lesion_at = np.searchsorted(self.lesion_unit[lesion_order], bounds)
        for unit in np.flatnonzero((np.diff(normal_at) > 0) & (np.diff(lesion_at) > 0)):
            normals = normal_order[normal_at[unit] : normal_at[unit + 1]]
            lesions = lesion_order[lesion_at[unit] : lesion_at[unit + 1]]
            won = _beaten(np.sort(self.strongest[normals]), self.best[lesions])
            result[unit] = won @ weight[lesions]
        return result


def _beaten(ranked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ranked` (rising) lie below each value, equals counting half."""
    left, right = (np.searchsorted(ranked, values, side=side) for side in ("left", "right"))
    return (left + right) / 2
