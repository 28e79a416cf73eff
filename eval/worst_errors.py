"""The errors worth a look: lesions that were missed and false positives that scored highest, with their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from eval.candidates import DetectionTruth
from eval.tables import Row

TILES = 6  # chosen: two rows of three on a desk, and a page that still loads from a mail
TILES_PER_GROUP = 2  # chosen: neighbouring frames of one video show the same error again


@dataclass(frozen=True)
class Box:
    """A box drawn over a tile, in pixels of the tile's view. kind: `lesion` (the truth) or `candidate`."""

    kind: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True)
class Tile:
    """A picture of one place. image_uri: a PNG as data URI, "" if there is none; `missing` then says why.

    place: where in the image, as text, where no box shows it.
    """

    image_id: str
    group_id: str
    score: float | None
    image_uri: str
    width_px: float
    height_px: float
    missing: str
    place: str = ""
    boxes: list[Box] = field(default_factory=list)


class Pictures(Protocol):
    """Makes the tiles of one kind of image."""

    def size(self, lesion: Row) -> float:
        """By which lesions are ordered."""
        ...

    def tile(self, around: Row, score: float | None, candidate: Row | None) -> Tile:
        """The picture of a lesion or candidate, with `candidate` marked in it."""
        ...


@dataclass(frozen=True)
class WorstErrors:
    """Counts of all errors at one threshold, and tiles of the worst.

    rejected: the detector proposed a place on the lesion, the net scored all of them below the threshold (lowest best
    score first). never_proposed: no candidate hits the lesion (largest first); no net can find it.
    false_positives: candidates at or above the threshold that hit nothing (highest score first).
    """

    n_rejected: int
    n_never_proposed: int
    n_false_positives: int
    rejected: list[Tile]
    never_proposed: list[Tile]
    false_positives: list[Tile]


def worst_errors(truth: DetectionTruth, score: np.ndarray, threshold: float, pictures: Pictures) -> WorstErrors:
    """The errors of candidates `score`d (M,) in the order of `truth.candidates`, accepted from `threshold` on."""
    score_of = dict(zip(truth.candidates, score.tolist(), strict=True))
    best: dict[str, str] = {}
    for candidate_id, row in truth.candidates.items():
        lesion_id = row["lesion_id"]
        if lesion_id and (lesion_id not in best or score_of[candidate_id] > score_of[best[lesion_id]]):
            best[lesion_id] = candidate_id
    rejected = sorted(
        (score_of[candidate_id], lesion_id)
        for lesion_id, candidate_id in best.items()
        if score_of[candidate_id] < threshold
    )
    never = sorted((-pictures.size(row), key) for key, row in truth.lesions.items() if key not in best)
    false = sorted(
        (-score_of[candidate_id], candidate_id)
        for candidate_id, row in truth.candidates.items()
        if not row["lesion_id"] and score_of[candidate_id] >= threshold
    )
    return WorstErrors(
        n_rejected=len(rejected),
        n_never_proposed=len(never),
        n_false_positives=len(false),
        rejected=[
            pictures.tile(truth.lesions[lesion_id], value, truth.candidates[best[lesion_id]])
            for value, lesion_id in _spread((item, truth.lesions[item[1]]) for item in rejected)
        ],
        never_proposed=[
            pictures.tile(truth.lesions[lesion_id], None, None)
            for _, lesion_id in _spread((item, truth.lesions[item[1]]) for item in never)
        ],
        false_positives=[
            pictures.tile(truth.candidates[candidate_id], -negated, truth.candidates[candidate_id])
            for negated, candidate_id in _spread((item, truth.candidates[item[1]]) for item in false)
        ],
    )


def _spread(items: Iterable[tuple[tuple[float, str], Row]]) -> list[tuple[float, str]]:
    """The first TILES items, of each group at most TILES_PER_GROUP."""
    taken: Counter[str] = Counter()
    kept = []
    for item, row in items:
        if taken[row["group_id"]] < TILES_PER_GROUP and len(kept) < TILES:
            taken[row["group_id"]] += 1
            kept.append(item)
    return kept
