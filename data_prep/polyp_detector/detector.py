"""The candidate detector: classified edges, proposals by their vote, pruned by a small classifier.

All that is fitted is fitted once, on training videos: first the edges' classifiers, then the proposals' one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from data_prep.polyp_detector import voting
from data_prep.polyp_detector.edge_classifier import EdgeClassifiers, EdgeSample, sample_edges
from data_prep.polyp_detector.edges import find_edges, is_polyp_edge
from data_prep.polyp_detector.features import FEATURES, describe
from data_prep.polyp_detector.working_image import WORKING_SIDE_PX, prepare
from layerwise.errors import DataError

# chosen: the paper's detector is described as sensitive rather than specific; several candidates per frame leave the
# CNN something to decide. The mean is met by the threshold on the training frames, the most is a hard limit.
CANDIDATES_PER_FRAME = 7.5
MAX_CANDIDATES_PER_FRAME = 8
# chosen: an eighth of the frame, in working pixels; smaller boxes grow to it, for the CNN to see where they lie.
MIN_BOX_PX = WORKING_SIDE_PX / 8
# chosen: of two boxes that share this much of the smaller one, and whose areas differ less than by this factor, the
# better stays: part of a polyp is no second find, but a small polyp may lie within the box of a fold.
MAX_SHARED, SIMILAR_AREA = 0.5, 10.0
_C = 0.01  # chosen: a strong penalty, as there are few videos and hundreds of products of features
_MAX_MISSES = 20_000  # chosen: proposals without a lesion to learn from; more cost time and change nothing
_DIGITS = 4  # kept of what is fitted: the minimum is found far more closely, so rounding hides the order of sums


@dataclass(frozen=True)
class Proposed:
    """Everything proposed in one frame: boxes_xyxy_px (N, 4) in frame pixels, features (N, F); float32."""

    boxes_xyxy_px: np.ndarray
    features: np.ndarray


def sample(image_rgb: np.ndarray, mask: np.ndarray, group_id: str, n_frames: int) -> EdgeSample:
    """What a training frame, one of n_frames, gives the edges' classifiers. mask: (H, W), above 0 on lesions."""
    image = prepare(image_rgb)
    edges = find_edges(image)
    return sample_edges(edges, is_polyp_edge(edges, mask, image.usable.shape), group_id, n_frames)


def propose(image_rgb: np.ndarray, classifiers: EdgeClassifiers, group_id: str) -> Proposed:
    """Proposals of a (H, W, 3) uint8 frame, before their classifier: many, and nearly every polyp among them."""
    image = prepare(image_rgb)
    edges = find_edges(image)
    probability = classifiers.probability(edges, group_id)
    field = voting.edge_field(image.usable.shape, edges, probability)
    boxes, features = describe(image, field, voting.propose(image, edges, probability))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = np.maximum(boxes[:, 2:] - boxes[:, :2], MIN_BOX_PX) / 2
    return Proposed(np.hstack([centres - halves, centres + halves]) / np.float32(image.scale), features)


@dataclass(frozen=True)
class Detector:
    """The proposals' classifier and its cut. All that decides which proposals become Candidates is in these fields.

    edges: the record of the edges' classifiers, by which the proposals were made. centre, spread: (F,) of the features;
    weights: (F + F (F + 1) / 2,) on the standardised features and their products; intercept; threshold: on the score
    in [0, 1].
    """

    edges: Mapping[str, Any]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    threshold: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """(N, F) -> (N,) float64 in [0, 1]."""
        logit = _expand(features, self.centre, self.spread) @ np.asarray(self.weights) + self.intercept
        return np.round(1 / (1 + np.exp(-logit)), 6)

    def select(self, proposed: Proposed) -> tuple[np.ndarray, np.ndarray]:
        """Indices (K,) of the kept proposals, best first, and their scores (K,)."""
        scores = self.score(proposed.features)
        kept = suppress(proposed.boxes_xyxy_px, scores, self.threshold)
        return kept, scores[kept]

    def parameters(self) -> dict[str, Any]:
        """Every number the detector depends on, fitted or chosen, as plain values."""
        return {
            "features": FEATURES,
            "working_side_px": WORKING_SIDE_PX,
            "radii_px": voting.RADII_PX,
            "n_sectors": voting.N_SECTORS,
            "max_candidates_per_frame": MAX_CANDIDATES_PER_FRAME,
            "min_box_px": MIN_BOX_PX,
            "max_shared": MAX_SHARED,
            "similar_area": SIMILAR_AREA,
            **asdict(self),
        }

    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.parameters(), sort_keys=True).encode()).hexdigest()


def suppress(boxes_xyxy_px: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Indices (K,) int64, best first, of boxes that score at least threshold and repeat no better one."""
    low, high = boxes_xyxy_px[:, :2], boxes_xyxy_px[:, 2:]
    areas = np.prod(high - low, axis=1)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < threshold or len(kept) == MAX_CANDIDATES_PER_FRAME:
            break
        overlap = np.minimum(high[kept], high[index]) - np.maximum(low[kept], low[index])
        shared = np.prod(np.maximum(overlap, 0), axis=1)
        small, large = np.minimum(areas[kept], areas[index]), np.maximum(areas[kept], areas[index])
        if not np.any((shared > MAX_SHARED * small) & (large < SIMILAR_AREA * small)):
            kept.append(int(index))
    return np.array(kept, np.int64)


def fit_detector(frames: list[Proposed], hit_lesion_ids: list[tuple[str, ...]], edges: Mapping[str, Any]) -> Detector:
    """Fit the proposals' classifier on training frames, and its threshold to CANDIDATES_PER_FRAME on them.

    hit_lesion_ids: per frame and proposal the lesion it shows, or "". Every lesion weighs the same, however many of the
    proposals hit it, and all lesions together as much as the rest. edges: the record of the edges' classifiers.
    DataError if no proposal hits or all do.
    """
    from sklearn.linear_model import LogisticRegression  # heavy, and only the fitting process needs it

    features = np.concatenate([frame.features for frame in frames])
    lesions = np.concatenate([np.array(ids, np.str_) for ids in hit_lesion_ids])
    labels = (lesions != "").astype(np.int64)
    if not 0 < labels.sum() < len(labels):
        raise DataError(
            f"of {len(labels)} proposals in {len(frames)} training frames {int(labels.sum())} hit a lesion; the "
            "detector needs both kinds to learn from. Check the masks, or give more training groups."
        )
    misses = np.flatnonzero(labels == 0)
    used = np.ones(len(labels), bool)
    used[np.random.default_rng(0).permutation(misses)[_MAX_MISSES:]] = False
    features, lesions, labels = features[used], lesions[used], labels[used]
    _, which, counts = np.unique(lesions, return_inverse=True, return_counts=True)
    n_lesions = len(counts) - 1
    weights = np.where(labels == 1, np.sum(labels == 0) / n_lesions / counts[which], 1.0)
    centre = _rounded(features.mean(0))
    spread = _rounded(features.std(0) + 1e-3)
    model = LogisticRegression(C=_C, solver="newton-cholesky", tol=1e-8)
    model.fit(_expand(features, centre, spread), labels, sample_weight=weights)
    every = Detector(edges, centre, spread, _rounded(model.coef_[0]), _rounded(np.atleast_1d(model.intercept_))[0], 0.0)
    scores = np.sort(np.concatenate([every.select(frame)[1] for frame in frames]))[::-1]
    wanted = min(int(CANDIDATES_PER_FRAME * len(frames)), len(scores))
    return replace(every, threshold=float(scores[wanted - 1]))


def _expand(features: np.ndarray, centre: tuple[float, ...], spread: tuple[float, ...]) -> np.ndarray:
    """Standardised features, clipped to four spreads, and all their products of two: (N, F + F (F + 1) / 2) float64."""
    z = np.clip((features.astype(np.float64) - centre) / spread, -4, 4)
    first, second = np.triu_indices(z.shape[1])
    return np.concatenate([z, z[:, first] * z[:, second]], axis=1)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
