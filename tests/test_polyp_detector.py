"""The candidate detector on drawn frames: what it finds, what it leaves, and that it is frozen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_prep.polyp_detector import Detector, EdgeClassifiers, Proposed, fit_detector, fit_edge_classifiers, sample
from data_prep.polyp_detector import propose as propose_with
from data_prep.polyp_detector.detector import CANDIDATES_PER_FRAME, MAX_CANDIDATES_PER_FRAME, suppress
from data_prep.polyp_detector.edge_classifier import TREES
from data_prep.polyp_detector.features import FEATURES
from layerwise.errors import DataError

SHAPE = (144, 192)
Disc = tuple[int, int, int]  # column, row, radius


def wall(rng: np.random.Generator, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Mucosa with some texture and a fold: a bright band across."""
    height, width = shape
    texture = cv2.GaussianBlur(rng.normal(0, 40, (height, width)).astype(np.float32), (0, 0), 3)
    fold = 25 * np.exp(-0.5 * ((np.arange(width) - rng.uniform(0.2, 0.8) * width) / 6) ** 2)
    light = 120 + texture + fold
    return np.dstack([1.3 * light, 0.8 * light, 0.6 * light]).clip(0, 255).astype(np.float32)


def cover(disc: Disc, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """How much of each pixel the disc covers, in [0, 1]."""
    column, row, radius = disc
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.clip(radius - np.hypot(columns - column, rows - row) + 0.5, 0, 1)


def with_disc(image: np.ndarray, disc: Disc) -> np.ndarray:
    return image * (1 + cover(disc)[..., None] * np.array([0.25, -0.05, -0.05], np.float32))


def as_frame(image: np.ndarray) -> np.ndarray:
    return image.clip(0, 255).astype(np.uint8)


def holds_centre(boxes: np.ndarray, disc: Disc) -> np.ndarray:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return np.hypot(x - disc[0], y - disc[1]) < disc[2]


def random_disc(rng: np.random.Generator) -> Disc:
    return int(rng.integers(30, 160)), int(rng.integers(30, 110)), int(rng.integers(9, 34))


@pytest.fixture(scope="module")
def classifiers() -> EdgeClassifiers:
    """A few trees, fitted on 24 frames of four videos, each with a disc."""
    rng = np.random.default_rng(7)
    samples = []
    for k in range(24):
        disc = random_disc(rng)
        # Of so few frames all edges could be taken; a share of them will do.
        samples.append(sample(as_frame(with_disc(wall(rng), disc)), cover(disc) > 0.5, f"video{k % 4}", n_frames=200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TREES, "max_iter", 12)
        return fit_edge_classifiers(samples)


def propose(image: np.ndarray, classifiers: EdgeClassifiers) -> Proposed:
    return propose_with(image, classifiers, "another video")


@pytest.mark.parametrize("disc", [(60, 50, 8), (130, 90, 18), (90, 70, 34)])
def test_a_redder_disc_is_proposed_whatever_its_size(disc: Disc, classifiers: EdgeClassifiers) -> None:
    proposed = propose(as_frame(with_disc(wall(np.random.default_rng(0)), disc)), classifiers)
    near = holds_centre(proposed.boxes_xyxy_px, disc)
    sides = (proposed.boxes_xyxy_px[near, 2:] - proposed.boxes_xyxy_px[near, :2]).max(1)
    assert near.any()
    assert np.min(np.abs(np.log(sides / (2 * disc[2])))) < np.log(1.5)


def test_boxes_are_in_frame_pixels_whatever_the_frame_size(classifiers: EdgeClassifiers) -> None:
    small = as_frame(with_disc(wall(np.random.default_rng(1)), (130, 90, 18)))
    large = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    boxes = propose(large, classifiers).boxes_xyxy_px
    assert holds_centre(boxes, (390, 270, 54)).any()
    assert boxes[:, 2].max() > 192
    assert ((boxes[:, 0] + boxes[:, 2]) / 2 <= 576).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_frame_gives_finite_features_or_none(value: int, classifiers: EdgeClassifiers) -> None:
    proposed = propose(np.full((96, 128, 3), value, np.uint8), classifiers)
    assert proposed.features.shape == (len(proposed.boxes_xyxy_px), len(FEATURES))
    assert np.isfinite(proposed.features).all()


def test_the_black_surround_and_text_in_it_are_not_proposed(classifiers: EdgeClassifiers) -> None:
    frame = np.zeros((144, 260, 3), np.uint8)
    frame[:, 68:] = as_frame(wall(np.random.default_rng(2)))
    cv2.putText(frame, "ID:42", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
    boxes = propose(frame, classifiers).boxes_xyxy_px
    assert ((boxes[:, 0] + boxes[:, 2]) / 2 > 66).all()


def drawn(n: int, seed: int, classifiers: EdgeClassifiers) -> tuple[list[Proposed], list[tuple[str, ...]]]:
    rng = np.random.default_rng(seed)
    frames, hits = [], []
    for k in range(n):
        disc = random_disc(rng)
        has_disc = k % 2 == 0
        image = wall(rng)
        frames.append(propose(as_frame(with_disc(image, disc) if has_disc else image), classifiers))
        inside = holds_centre(frames[-1].boxes_xyxy_px, disc) & has_disc
        hits.append(tuple(f"lesion{k}" if hit else "" for hit in inside))
    return frames, hits


@pytest.fixture(scope="module")
def training(classifiers: EdgeClassifiers) -> tuple[list[Proposed], list[tuple[str, ...]]]:
    return drawn(30, 0, classifiers)


@pytest.fixture(scope="module")
def fitted(training: tuple[list[Proposed], list[tuple[str, ...]]], classifiers: EdgeClassifiers) -> Detector:
    return fit_detector(*training, edges=classifiers.record)


def test_fitted_detector_finds_the_discs_of_other_frames(fitted: Detector, classifiers: EdgeClassifiers) -> None:
    frames, hits = drawn(14, 1, classifiers)
    found = sum(any(ids[k] for k in fitted.select(frame)[0]) for frame, ids in zip(frames, hits, strict=True))
    assert found >= 6  # of seven discs


def test_candidates_are_few_and_best_first(fitted: Detector, classifiers: EdgeClassifiers) -> None:
    selected = [fitted.select(frame) for frame in drawn(14, 2, classifiers)[0]]
    assert max(len(kept) for kept, _ in selected) <= MAX_CANDIDATES_PER_FRAME
    assert np.mean([len(kept) for kept, _ in selected]) <= CANDIDATES_PER_FRAME + 0.4
    for _, scores in selected:
        assert (np.diff(scores) <= 0).all()
        assert ((scores >= fitted.threshold) & (scores <= 1)).all()


def test_the_same_frames_give_the_same_detector(
    fitted: Detector, training: tuple[list[Proposed], list[tuple[str, ...]]], classifiers: EdgeClassifiers
) -> None:
    frames, hits = training
    for first, again in zip(frames, drawn(2, 0, classifiers)[0], strict=False):
        np.testing.assert_array_equal(first.features, again.features)
    detector = fit_detector(frames, hits, edges=classifiers.record)
    assert detector == fitted
    assert detector.sha256() == fitted.sha256()
    assert fit_detector(frames[4:], hits[4:], edges=classifiers.record).sha256() != fitted.sha256()
    assert fit_detector(frames, hits, edges={**classifiers.record, "folds": 0}).sha256() != fitted.sha256()


@pytest.mark.parametrize("lesion", ["", "a"])
def test_fitting_needs_hits_and_misses(lesion: str, classifiers: EdgeClassifiers) -> None:
    frames, hits = drawn(2, 0, classifiers)
    with pytest.raises(DataError, match="needs both kinds"):
        fit_detector(frames, [tuple(lesion for _ in ids) for ids in hits], edges={})


def test_suppression_drops_repeats_and_keeps_neighbours_and_small_boxes_in_large_ones() -> None:
    boxes = np.array([[0, 0, 40, 40], [5, 5, 15, 15], [10, 10, 36, 36], [6, 6, 16, 16], [30, 0, 70, 40]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert suppress(boxes, scores, 0.0).tolist() == [0, 1, 4]
    assert suppress(boxes, scores, 0.65).tolist() == [0, 1]
    assert suppress(boxes, scores, 0.95).tolist() == []
