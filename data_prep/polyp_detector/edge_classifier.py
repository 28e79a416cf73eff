"""Which edges are a polyp's: boosted trees on the edges' descriptors, fitted on the training videos.

The proposals of a training video are made with trees that never saw that video. So they are as good, and as bad, as
those of a new video, and the classifier of proposals that learns from them does not trust the edges too much.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from data_prep.parallel import ordered_map
from data_prep.polyp_detector import edges
from layerwise.errors import DataError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# chosen: of each kind, polyp's and other, over all training frames; a fit takes a few seconds.
MAX_SAMPLED = 16_000
N_FOLDS = 3
TREES: dict[str, Any] = {
    "max_iter": 80,
    "max_leaf_nodes": 31,
    "learning_rate": 0.1,
    "l2_regularization": 1.0,
    "early_stopping": False,
}


@dataclass(frozen=True)
class EdgeSample:
    """Some edges of one training frame: descriptors (N, D) float32, is_polyp (N,) bool."""

    group_id: str
    descriptors: np.ndarray
    is_polyp: np.ndarray


def sample_edges(found: edges.Edges, is_polyp: np.ndarray, group_id: str, n_frames: int) -> EdgeSample:
    """A fixed random choice of a frame's edges, of each kind as many as n_frames frames may have."""
    most = -(-MAX_SAMPLED // n_frames)
    mixed = np.random.default_rng(0).permutation(len(is_polyp))
    chosen = np.sort(np.concatenate([mixed[is_polyp[mixed] == kind][:most] for kind in (True, False)]))
    return EdgeSample(group_id, found.descriptors[chosen], is_polyp[chosen])


@dataclass(frozen=True)
class Trees:
    """fitted: scikit-learn's. others: how many other edges it saw for one of a polyp."""

    fitted: HistGradientBoostingClassifier
    others: float

    def probability(self, descriptors: np.ndarray) -> np.ndarray:
        """(N, D) -> (N,) float32: of being a polyp's, if both kinds were equally frequent."""
        if len(descriptors) == 0:
            return np.zeros(0, np.float32)
        with _threads().limit(limits=1):
            probability = self.fitted.predict_proba(descriptors)[:, 1]
        # Weights in the fit would do the same, but make scikit-learn's binning a hundred times slower.
        return (probability * self.others / (probability * self.others + 1 - probability)).astype(np.float32)


@dataclass(frozen=True)
class EdgeClassifiers:
    """everywhere: fitted on all training groups. held_out: of a training group the trees that did not see it.

    record: what is kept of them, as plain values. The trees themselves are not stored; the same frames give them again.
    """

    everywhere: Trees
    held_out: Mapping[str, Trees]
    record: Mapping[str, Any]

    def probability(self, found: edges.Edges, group_id: str) -> np.ndarray:
        """(N,) float32 in [0, 1], of a frame of that group: how much each edge looks like a polyp's from that side."""
        return self.held_out.get(group_id, self.everywhere).probability(found.descriptors)


def fit_edge_classifiers(samples: Sequence[EdgeSample], workers: int = 1) -> EdgeClassifiers:
    """Fit on the frames of the training groups; DataError if no edge is a polyp's, or all are."""
    descriptors = np.concatenate([sample.descriptors for sample in samples])
    is_polyp = np.concatenate([sample.is_polyp for sample in samples])
    groups = np.repeat([sample.group_id for sample in samples], [len(sample.is_polyp) for sample in samples])
    if not 0 < is_polyp.sum() < len(is_polyp):
        raise DataError(
            f"of {len(is_polyp)} edges in {len(samples)} training frames {int(is_polyp.sum())} are a lesion's; the "
            "detector needs both kinds to learn from. Check the masks, or give more training groups."
        )
    folds = _folds(is_polyp, groups)
    left_out = [np.zeros(0, np.int64), *folds]
    jobs = [(TREES, np.delete(descriptors, out, axis=0), np.delete(is_polyp, out)) for out in left_out]
    everywhere, *others = ordered_map(_fit, jobs, min(workers, len(jobs)), "edge classifiers")
    paired = list(zip(others, folds, strict=True))
    record = {
        **{"max_edges": edges.MAX_EDGES, "canny": (edges.CANNY_LOW, edges.CANNY_HIGH)},
        **{"patch_side": edges.PATCH_SIDE, "patch_steps_px": edges.PATCH_STEPS_PX},
        **{"descriptors": edges.N_DESCRIPTORS, "trees": dict(TREES), "folds": len(folds)},
        "edges_fitted_on": {"polyp": int(is_polyp.sum()), "other": int((~is_polyp).sum())},
        "auc_on_held_out_groups": _auc(
            [is_polyp[fold] for fold in folds], [trees.probability(descriptors[fold]) for trees, fold in paired]
        ),
        "sha256_of_answers": _digest([trees.probability(descriptors) for trees in (everywhere, *others)]),
    }
    held_out = {str(group): trees for trees, fold in paired for group in np.unique(groups[fold])}
    return EdgeClassifiers(everywhere, held_out, record)


def _folds(is_polyp: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    """The edges of some groups each, disjoint, without which both kinds are left to learn from; perhaps none."""
    from sklearn.model_selection import GroupKFold  # heavy, and only the fitting process needs it

    n_groups = len(np.unique(groups))
    if n_groups < 2:
        return []
    folds = [fold for _, fold in GroupKFold(min(N_FOLDS, n_groups)).split(is_polyp, groups=groups)]
    return [fold for fold in folds if len(np.unique(np.delete(is_polyp, fold))) == 2]


def _auc(is_polyp: list[np.ndarray], answers: list[np.ndarray]) -> float | None:
    """None where no fold, or no edge of one kind, was held out."""
    from sklearn.metrics import roc_auc_score

    if not is_polyp or len(np.unique(np.concatenate(is_polyp))) < 2:
        return None
    return round(float(roc_auc_score(np.concatenate(is_polyp), np.concatenate(answers))), 4)


def _fit(job: tuple[dict[str, Any], np.ndarray, np.ndarray]) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    parameters, descriptors, is_polyp = job
    fitted = HistGradientBoostingClassifier(**parameters, random_state=0)
    with _threads().limit(limits=1):
        fitted.fit(descriptors, is_polyp)
    return Trees(fitted, float(np.sum(~is_polyp) / np.sum(is_polyp)))


@cache
def _threads() -> Any:
    """The thread pools of this process: the workers already fill the cores."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _digest(answers: Sequence[np.ndarray]) -> str:
    """Of what the trees say about the edges that they were fitted on, in thousandths."""
    return hashlib.sha256(np.concatenate([np.round(a * 1000).astype(np.int16) for a in answers]).tobytes()).hexdigest()
