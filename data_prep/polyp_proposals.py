"""What the first stage does to single frames: decode, give edges to learn from, propose, keep the candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep import polyp_detector
from data_prep.hit_criterion import hit_lesion
from data_prep.polyp_detector import Detector, EdgeClassifiers, EdgeSample, Proposed
from data_prep.polyp_readers import FrameRef, load_frame
from layerwise.records import BoxXYXY, Candidate, Lesion

MIN_FIT = 0.3  # chosen: on the phantom, the boxes of the hits fit their lesions better, at equal sensitivity


@dataclass(frozen=True)
class ExaminedFrame:
    """What the first stage keeps of a frame once its pixels are gone.

    content_sha256: of the image's and the truth's bytes.
    """

    ref: FrameRef
    width_px: int
    height_px: int
    lesions: tuple[Lesion, ...]
    content_sha256: str


@dataclass(frozen=True)
class FrameProposals:
    """hit_lesion_ids: per proposal the lesion it hits, or ""."""

    frame: ExaminedFrame
    proposed: Proposed
    hit_lesion_ids: tuple[str, ...]


def examine(ref: FrameRef) -> ExaminedFrame:
    """Decode one frame and note its lesions."""
    frame = load_frame(ref)
    truth = ref.mask_path or ref.boxes_path
    assert truth is not None
    return ExaminedFrame(
        ref,
        width_px=frame.image_rgb.shape[1],
        height_px=frame.image_rgb.shape[0],
        lesions=frame.lesions,
        content_sha256=hashlib.sha256(ref.image_path.read_bytes() + truth.read_bytes()).hexdigest(),
    )


def sample(ref: FrameRef, n_frames: int) -> EdgeSample:
    """What a training frame, one of n_frames, gives the edges' classifiers to learn from."""
    frame = load_frame(ref)
    return polyp_detector.sample(frame.image_rgb, frame.mask, ref.group_id, n_frames)


def propose(examined: ExaminedFrame, classifiers: EdgeClassifiers) -> FrameProposals:
    """Propose everywhere in one frame, and note which proposals hit."""
    frame = load_frame(examined.ref)
    proposed = polyp_detector.propose(frame.image_rgb, classifiers, examined.ref.group_id)
    hits = [hit_lesion(frame, as_box(box)) for box in proposed.boxes_xyxy_px]
    return FrameProposals(examined, proposed, tuple(lesion.lesion_id if lesion else "" for lesion in hits))


def as_box(values: Sequence[float] | np.ndarray) -> BoxXYXY:
    """Four numbers as the box that is written to candidates.csv: to a tenth of a pixel."""
    x0, y0, x1, y1 = (round(float(value), 1) for value in values)
    return x0, y0, x1, y1


def select_candidates(proposals: FrameProposals, detector: Detector) -> list[Candidate]:
    """What the frozen detector keeps of a frame's proposals, best first, labelled by the hit criterion."""
    kept, scores = detector.select(proposals.proposed)
    ref = proposals.frame.ref
    return [
        Candidate(
            f"{ref.frame_id}-c{rank}",
            ref.frame_id,
            ref.group_id,
            as_box(proposals.proposed.boxes_xyxy_px[index]),
            float(score),
            int(proposals.hit_lesion_ids[index] != ""),
            proposals.hit_lesion_ids[index],
        )
        for rank, (index, score) in enumerate(zip(kept, scores, strict=True), start=1)
    ]


def fitting_hits(proposals: FrameProposals) -> tuple[str, ...]:
    """Per proposal the lesion it shows as a whole, or "": what the detector's classifier is to look for.

    A hit whose box overlaps the lesion's by less than MIN_FIT (intersection over union) shows a fragment or the
    surroundings, unless no other hits the lesion better. For every other purpose a hit is a hit.
    """
    hits = np.array(proposals.hit_lesion_ids, np.str_)
    low, high = proposals.proposed.boxes_xyxy_px[:, :2], proposals.proposed.boxes_xyxy_px[:, 2:]
    for lesion in proposals.frame.lesions:
        box = np.array(lesion.box_xyxy_px, np.float32)
        shared = np.prod(np.maximum(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0), axis=1)
        fit = shared / (np.prod(high - low, axis=1) + np.prod(box[2:] - box[:2]) - shared)
        own = hits == lesion.lesion_id
        hits[own & (fit < min(MIN_FIT, fit[own].max(initial=0)))] = ""
    return tuple(hits.tolist())
