"""The fitted part: which proposals are kept, so that about a stated number a volume are false."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from sklearn.linear_model import LogisticRegression

from data_prep.embolism_detector.propose import FEATURES, Proposed
from layerwise.errors import DataError

# Paper, section VI-B: 5,568 false candidates in 121 volumes.
WANTED_FPS_PER_VOLUME = 5568 / 121
# chosen: a clot of usual length is hit by two or so (the paper: 687 for 326), and no place counts many times as false.
APART_MM = 4.0


@dataclass(frozen=True)
class Detector:
    """A logistic rule on standardised features, their squares and products, with a threshold. All frozen."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: float
    threshold: float

    def scores(self, proposed: Proposed) -> np.ndarray:
        """(N,) in [0, 1], one for each proposal."""
        terms = _terms((proposed.features - self.mean) / self.spread)
        return 1 / (1 + np.exp(-np.clip(terms @ self.weights + self.bias, -40, 40)))

    def select(self, proposed: Proposed) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the kept proposals, best first, and their scores; none lies within APART_MM of a better one."""
        scores = self.scores(proposed)
        kept = [index for index in _spaced(proposed.points_mm, scores) if scores[index] >= self.threshold]
        return np.array(kept, np.int64), scores[kept]

    def parameters(self) -> dict[str, Any]:
        return {
            "features": FEATURES,
            "mean": self.mean.tolist(),
            "spread": self.spread.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
            "threshold": self.threshold,
            "wanted_fps_per_volume": WANTED_FPS_PER_VOLUME,
        }

    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.parameters()).encode()).hexdigest()


def fit_detector(proposed: Sequence[Proposed], hits: Sequence[Sequence[str]]) -> Detector:
    """Fit on the training volumes. hits: for each volume's proposals the embolus that each hits, or "".

    The threshold leaves WANTED_FPS_PER_VOLUME on the mean of the training volumes, or all where there are fewer.
    Every embolus counts equally, however many proposals hit it, and all together as much as all that hit none.
    DataError if no proposal, or every one, hits.
    """
    features = np.concatenate([one.features for one in proposed])
    hit = [lesion for volume in hits for lesion in volume]
    label = np.array([lesion != "" for lesion in hit], bool)
    if label.all() or not label.any():
        raise DataError(
            f"of {len(label)} dark spots in the training volumes' vessels {int(label.sum())} lie in an embolus; both "
            "kinds are needed. Check that the volumes are CT angiographies in HU and that the masks lie upon them."
        )
    times = Counter(hit)
    weight = np.array([1 / times[lesion] for lesion in hit])
    weight[label] /= weight[label].sum()
    weight[~label] /= weight[~label].sum()
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    model = LogisticRegression(C=0.05, max_iter=2000)
    model.fit(_terms((features - mean) / spread), label, weight * len(label) / 2)
    fitted = Detector(mean, spread, np.ravel(model.coef_), float(np.ravel(model.intercept_)[0]), 0.0)
    false: list[float] = []
    for one, lesions in zip(proposed, hits, strict=True):
        kept, scores = fitted.select(one)
        false += [float(score) for index, score in zip(kept, scores, strict=True) if not lesions[index]]
    false.sort(reverse=True)
    allowed = round(WANTED_FPS_PER_VOLUME * len(proposed))
    threshold = false[allowed] if len(false) > allowed else 0.0
    return Detector(mean, spread, fitted.weights, fitted.bias, threshold)


def _spaced(points_mm: np.ndarray, scores: np.ndarray) -> list[int]:
    """Indices, best score first, without those that lie within APART_MM of one taken before."""
    near = KDTree(points_mm).query_ball_point(points_mm, APART_MM) if len(points_mm) else []
    taken: list[int] = []
    free = np.ones(len(points_mm), bool)
    for index in np.argsort(-scores, kind="stable"):
        if free[index]:
            taken.append(int(index))
            free[near[index]] = False
    return taken


def _terms(z: np.ndarray) -> np.ndarray:
    """The features, (N, F), and all products of two of them, beyond three spreads bent flat."""
    z = np.clip(z, -3, 3)
    first, second = np.triu_indices(z.shape[1])
    return np.concatenate([z, z[:, first] * z[:, second] / 3], axis=1)
