"""The errors worth a look: lesions that were missed and false positives that scored highest, cut from their frames."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from eval.candidates import DetectionTruth
from eval.tables import Row

TILES = 6  # chosen: two rows of three on a desk, and a page that still loads from a mail
TILES_PER_GROUP = 2  # chosen: neighbouring frames of one video show the same error again
CONTEXT = 2.5  # chosen: the tile is this many times as wide as the box, so that the surroundings can be judged
MIN_TILE_PX, MAX_TILE_PX = 96, 240  # chosen: a small box is not blown up to mush, a large one does not swell the page


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
    """A square cut from a frame. image_uri: a PNG as data URI, "" if the frame's file is not at hand."""

    frame_id: str
    group_id: str
    score: float | None
    image_uri: str
    side_px: float
    boxes: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class WorstErrors:
    """Counts of all errors at one threshold, and tiles of the worst.

    rejected: the detector proposed a place on the lesion, the net scored all of them below the threshold (lowest best
    score first). never_proposed: no candidate hits the lesion (largest box first); no net can find it.
    false_positives: candidates at or above the threshold that hit nothing (highest score first).
    """

    n_rejected: int
    n_never_proposed: int
    n_false_positives: int
    rejected: list[Tile]
    never_proposed: list[Tile]
    false_positives: list[Tile]


def worst_errors(truth: DetectionTruth, score: np.ndarray, threshold: float, dataset_dir: Path) -> WorstErrors:
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
    never = sorted((-_side_px(row), lesion_id) for lesion_id, row in truth.lesions.items() if lesion_id not in best)
    false = sorted(
        (-score_of[candidate_id], candidate_id)
        for candidate_id, row in truth.candidates.items()
        if not row["lesion_id"] and score_of[candidate_id] >= threshold
    )
    cut = _Cutter(truth, dataset_dir)
    return WorstErrors(
        n_rejected=len(rejected),
        n_never_proposed=len(never),
        n_false_positives=len(false),
        rejected=[
            cut(truth.lesions[lesion_id], value, truth.candidates[best[lesion_id]])
            for value, lesion_id in _spread((item, truth.lesions[item[1]]) for item in rejected)
        ],
        never_proposed=[
            cut(truth.lesions[lesion_id], None, None)
            for _, lesion_id in _spread((item, truth.lesions[item[1]]) for item in never)
        ],
        false_positives=[
            cut(truth.candidates[candidate_id], -negated, truth.candidates[candidate_id])
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


class _Cutter:
    """Cuts a tile that holds a row's box and draws every lesion of that frame, and one candidate, into it."""

    def __init__(self, truth: DetectionTruth, dataset_dir: Path) -> None:
        self._frames = truth.frames
        self._dataset_dir = dataset_dir
        self._lesions: dict[str, list[Row]] = {}
        for row in truth.lesions.values():
            self._lesions.setdefault(row["frame_id"], []).append(row)

    def __call__(self, around: Row, score: float | None, candidate: Row | None) -> Tile:
        x0, y0, x1, y1 = _box(around)
        side = max(_side_px(around) * CONTEXT, MIN_TILE_PX)
        frame = self._frames[around["frame_id"]]
        left = _kept_inside((x0 + x1 - side) / 2, side, float(frame["width_px"]))
        top = _kept_inside((y0 + y1 - side) / 2, side, float(frame["height_px"]))
        drawn = [("lesion", row) for row in self._lesions.get(around["frame_id"], [])]
        drawn += [("candidate", candidate)] if candidate else []
        return Tile(
            frame_id=around["frame_id"],
            group_id=around["group_id"],
            score=score,
            image_uri=_cut_uri(self._dataset_dir / frame["path"], left, top, side),
            side_px=side,
            boxes=[
                Box(kind, bx0 - left, by0 - top, bx1 - bx0, by1 - by0)
                for kind, (bx0, by0, bx1, by1) in ((kind, _box(row)) for kind, row in drawn)
            ],
        )


def _box(row: Row) -> Sequence[float]:
    return [float(row[column]) for column in ("x0_px", "y0_px", "x1_px", "y1_px")]


def _side_px(row: Row) -> float:
    x0, y0, x1, y1 = _box(row)
    return max(x1 - x0, y1 - y0)


def _kept_inside(start: float, side: float, length: float) -> float:
    """Where a window of `side` begins that wants to begin at `start`, moved into 0 .. length, or centred if larger."""
    return (length - side) / 2 if side > length else min(max(start, 0), length - side)


def _cut_uri(path: Path, left: float, top: float, side: float) -> str:
    """The square as a PNG data URI, black where it leaves the frame; "" if the file cannot be read as an image.

    A report about scores that are at hand must not fail because frames have since been moved.
    """
    frame = _frame(path)
    if frame is None:
        return ""
    pixels = min(round(side), MAX_TILE_PX)
    shift = np.array([[pixels / side, 0, -left * pixels / side], [0, pixels / side, -top * pixels / side]])
    tile = cv2.warpAffine(frame, shift, (pixels, pixels), flags=cv2.INTER_AREA)
    return _uri(tile)


def thumbnail_uri(path: Path) -> str:
    """The whole frame, at most MAX_TILE_PX wide and high, as a PNG data URI; "" if it cannot be read as an image."""
    frame = _frame(path)
    if frame is None:
        return ""
    factor = min(1.0, MAX_TILE_PX / max(frame.shape[:2]))
    return _uri(cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _frame(path: Path) -> np.ndarray | None:
    # np.fromfile and imdecode instead of imread, which prints its own warning about a missing file.
    encoded = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if encoded.size else None


def _uri(image: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")
