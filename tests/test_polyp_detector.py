"""The candidate detector on drawn frames: what it finds, what it leaves, and that it is frozen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_prep.polyp_detector import Detector, Proposed, fit_detector, propose
from data_prep.polyp_detector.detector import CANDIDATES_PER_FRAME, MAX_CANDIDATES_PER_FRAME, suppress
from data_prep.polyp_detector.features import FEATURES
from layerwise.errors import DataError

Disc = tuple[int, int, int]  # column, row, radius


def wall(rng: np.random.Generator, shape: tuple[int, int] = (144, 192)) -> np.ndarray:
    """Mucosa with some texture and a fold: a bright band across."""
    height, width = shape
    texture = cv2.GaussianBlur(rng.normal(0, 40, (height, width)).astype(np.float32), (0, 0), 3)
    fold = 25 * np.exp(-0.5 * ((np.arange(width) - rng.uniform(0.2, 0.8) * width) / 6) ** 2)
    light = 120 + texture + fold
    return np.dstack([1.3 * light, 0.8 * light, 0.6 * light]).clip(0, 255).astype(np.float32)


def with_disc(image: np.ndarray, disc: Disc) -> np.ndarray:
    column, row, radius = disc
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    inside = np.clip(radius - np.hypot(columns - column, rows - row) + 0.5, 0, 1)[..., None]
    return image * (1 + inside * np.array([0.25, -0.05, -0.05], np.float32))


def as_frame(image: np.ndarray) -> np.ndarray:
    return image.clip(0, 255).astype(np.uint8)


def holds_centre(boxes: np.ndarray, disc: Disc) -> np.ndarray:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return np.hypot(x - disc[0], y - disc[1]) < disc[2]


@pytest.mark.parametrize("disc", [(60, 50, 8), (130, 90, 18), (90, 70, 34)])
def test_a_redder_disc_is_proposed_whatever_its_size(disc: Disc) -> None:
    proposed = propose(as_frame(with_disc(wall(np.random.default_rng(0)), disc)))
    near = holds_centre(proposed.boxes_xyxy_px, disc)
    sides = (proposed.boxes_xyxy_px[near, 2:] - proposed.boxes_xyxy_px[near, :2]).max(1)
    assert near.any()
    assert np.min(np.abs(np.log(sides / (2 * disc[2])))) < np.log(1.5)


def test_boxes_are_in_frame_pixels_whatever_the_frame_size() -> None:
    small = as_frame(with_disc(wall(np.random.default_rng(1)), (130, 90, 18)))
    large = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    boxes = propose(large).boxes_xyxy_px
    assert holds_centre(boxes, (390, 270, 54)).any()
    assert boxes[:, 2].max() > 192
    assert ((boxes[:, 0] + boxes[:, 2]) / 2 <= 576).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_frame_gives_finite_features_or_none(value: int) -> None:
    proposed = propose(np.full((96, 128, 3), value, np.uint8))
    assert proposed.features.shape == (len(proposed.boxes_xyxy_px), len(FEATURES))
    assert np.isfinite(proposed.features).all()


def test_the_black_surround_and_text_in_it_are_not_proposed() -> None:
    frame = np.zeros((144, 260, 3), np.uint8)
    frame[:, 68:] = as_frame(wall(np.random.default_rng(2)))
    cv2.putText(frame, "ID:42", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
    boxes = propose(frame).boxes_xyxy_px
    assert ((boxes[:, 0] + boxes[:, 2]) / 2 > 66).all()


def drawn(n: int, seed: int) -> tuple[list[Proposed], list[tuple[str, ...]]]:
    rng = np.random.default_rng(seed)
    frames, hits = [], []
    for k in range(n):
        disc = (int(rng.integers(30, 160)), int(rng.integers(30, 110)), int(rng.integers(9, 24)))
        has_disc = k % 2 == 0
        image = wall(rng)
        frames.append(propose(as_frame(with_disc(image, disc) if has_disc else image)))
        inside = holds_centre(frames[-1].boxes_xyxy_px, disc) & has_disc
        hits.append(tuple(f"lesion{k}" if hit else "" for hit in inside))
    return frames, hits


@pytest.fixture(scope="module")
def fitted() -> Detector:
    return fit_detector(*drawn(30, seed=0))


def test_fitted_detector_finds_the_discs_of_other_frames(fitted: Detector) -> None:
    frames, hits = drawn(20, seed=1)
    found = sum(any(ids[k] for k in fitted.select(frame)[0]) for frame, ids in zip(frames, hits, strict=True))
    assert found >= 9  # of ten discs


def test_candidates_are_few_and_best_first(fitted: Detector) -> None:
    selected = [fitted.select(frame) for frame in drawn(20, seed=2)[0]]
    assert max(len(kept) for kept, _ in selected) <= MAX_CANDIDATES_PER_FRAME
    assert np.mean([len(kept) for kept, _ in selected]) <= CANDIDATES_PER_FRAME + 0.4
    for _, scores in selected:
        assert (np.diff(scores) <= 0).all()
        assert ((scores >= fitted.threshold) & (scores <= 1)).all()


def test_the_same_frames_give_the_same_detector(fitted: Detector) -> None:
    again = fit_detector(*drawn(30, seed=0))
    assert again == fitted
    assert again.sha256() == fitted.sha256()
    assert fit_detector(*drawn(30, seed=3)).sha256() != fitted.sha256()


@pytest.mark.parametrize("lesion", ["", "a"])
def test_fitting_needs_hits_and_misses(lesion: str) -> None:
    frames, hits = drawn(2, seed=0)
    with pytest.raises(DataError, match="needs both kinds"):
        fit_detector(frames, [tuple(lesion for _ in ids) for ids in hits])


def test_suppression_drops_repeats_and_keeps_neighbours_and_small_boxes_in_large_ones() -> None:
    boxes = np.array([[0, 0, 40, 40], [5, 5, 15, 15], [10, 10, 36, 36], [6, 6, 16, 16], [30, 0, 70, 40]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert suppress(boxes, scores, 0.0).tolist() == [0, 1, 4]
    assert suppress(boxes, scores, 0.65).tolist() == [0, 1]
    assert suppress(boxes, scores, 0.95).tolist() == []
