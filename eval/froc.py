"""The free-response ROC curve: sensitivity per lesion against false positives per image.

As a command, `python -m eval.froc candidates.csv lesions.csv --images N`, it is eval/froc_command.py.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from eval.thresholds import counts_at_levels, falling_levels


@dataclass(frozen=True)
class Matches:
    """What every candidate scored and what it hits, by the hit criterion.

    score: (M,) float64, finite. lesion: (M,) int64, the index of the lesion, -1 where the candidate hits nothing.
    """

    score: np.ndarray
    lesion: np.ndarray

    def __post_init__(self) -> None:
        if self.score.ndim != 1 or self.score.shape != self.lesion.shape:
            raise ValueError(f"score {self.score.shape} and lesion {self.lesion.shape} must have one entry each")
        if not np.isfinite(self.score).all():
            raise ValueError(f"{np.count_nonzero(~np.isfinite(self.score))} of {self.score.size} scores are not finite")

    @property
    def false(self) -> np.ndarray:
        """(M,) bool: the candidate hits nothing."""
        return self.lesion < 0

    @property
    def first_hits(self) -> np.ndarray:
        """(M,) bool: the candidate is the first, as the threshold falls, to hit its lesion. One per lesion hit."""
        first = np.zeros(self.score.size, dtype=bool)
        order = np.argsort(-self.score, kind="stable")
        lesion, at = np.unique(self.lesion[order], return_index=True)
        first[order[at[lesion >= 0]]] = True
        return first


@dataclass(frozen=True)
class FrocCurve:
    """(K,) arrays, one point per distinct score, thresholds strictly falling, the two others never falling.

    The last point accepts every candidate: it is the candidate detector's own sensitivity and rate, which no
    classifier of its candidates can pass. Without candidates the arrays are empty.
    """

    thresholds: np.ndarray
    fps_per_image: np.ndarray
    sensitivity: np.ndarray

    def index_at(self, fps_per_image: float) -> int | None:
        """The last point with at most `fps_per_image` false positives per image; None where there is none."""
        n_allowed = int(np.searchsorted(self.fps_per_image, fps_per_image, side="right"))
        return n_allowed - 1 if n_allowed else None


def froc_curve(matches: Matches, n_lesions: int, n_images: int) -> FrocCurve:
    """Sensitivity against false positives per image, one point per distinct score.

    n_lesions: all lesions, found or not. A miss is counted here and never given a score.
    n_images: all images, with and without lesions.
    Thresholds fall; equal scores form one point; a second hit on a lesion counts neither way; the last point, where
    every candidate is accepted, is kept. No lesion found: sensitivity is 0 everywhere. No candidates: no points.
    Raises ValueError if n_lesions or n_images is 0, or `matches` names a lesion outside 0 .. n_lesions - 1.
    Source: Tajbakhsh et al. 2016, section VI-A.
    """
    if n_lesions < 1:
        raise ValueError(f"n_lesions is {n_lesions}: without a lesion there is no sensitivity")
    if n_images < 1:
        raise ValueError(f"n_images is {n_images}: without an image there is no rate of false positives")
    if matches.lesion.size and not -1 <= matches.lesion.min() <= matches.lesion.max() < n_lesions:
        raise ValueError(
            f"lesions {matches.lesion.min()} .. {matches.lesion.max()} found, expected -1 (none) .. {n_lesions - 1}"
        )
    thresholds, level = falling_levels(matches.score)
    return FrocCurve(
        thresholds=thresholds,
        fps_per_image=counts_at_levels(level, matches.false, len(thresholds)) / n_images,
        sensitivity=counts_at_levels(level, matches.first_hits, len(thresholds)) / n_lesions,
    )


def sensitivity_at(curve: FrocCurve, fps_per_image: float) -> float:
    """The largest sensitivity with at most `fps_per_image` false positives per image; 0 if no point has so few."""
    index = curve.index_at(fps_per_image)
    return 0.0 if index is None else float(curve.sensitivity[index])


if __name__ == "__main__":
    from eval.froc_command import main

    sys.exit(main())
