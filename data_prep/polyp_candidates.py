"""First stage: raw frames -> splits, the frozen detector and its candidates, as files in <dataset>/candidates/."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.hit_criterion import HIT_CRITERION, hit_lesion
from data_prep.parallel import ordered_map
from data_prep.polyp_detector import Detector, Proposed, fit_detector, propose
from data_prep.polyp_readers import FrameRef, load_frame
from data_prep.splits import SPLITS, Group, check_no_leak, split_by_group
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.files import read_csv, read_json, write_csv, write_json
from layerwise.records import BoxXYXY, Candidate, Lesion

MIN_FIT = 0.3  # chosen: on the phantom, the boxes of the hits fit their lesions better, at equal sensitivity

FRAME_COLUMNS = ("frame_id", "group_id", "split", "n_lesions", "path", "width_px", "height_px")
BOX_COLUMNS = ("x0_px", "y0_px", "x1_px", "y1_px")
LESION_COLUMNS = ("lesion_id", "frame_id", "group_id", "split", *BOX_COLUMNS, "area_px")
CANDIDATE_COLUMNS = (
    *("candidate_id", "frame_id", "group_id", "split", *BOX_COLUMNS),
    *("detector_score", "label", "lesion_id"),
)


@dataclass(frozen=True)
class ExaminedFrame:
    """What the first stage keeps of a frame once its pixels are gone.

    hit_lesion_ids: per proposal the lesion it hits, or "". content_sha256: of the image's and the truth's bytes.
    """

    ref: FrameRef
    width_px: int
    height_px: int
    lesions: tuple[Lesion, ...]
    proposed: Proposed
    hit_lesion_ids: tuple[str, ...]
    content_sha256: str


def examine(ref: FrameRef) -> ExaminedFrame:
    """Decode one frame, propose everywhere, and note which proposals hit."""
    frame = load_frame(ref)
    proposed = propose(frame.image_rgb)
    hits = [hit_lesion(frame, as_box(box)) for box in proposed.boxes_xyxy_px]
    truth = ref.mask_path or ref.boxes_path
    assert truth is not None
    return ExaminedFrame(
        ref,
        width_px=frame.image_rgb.shape[1],
        height_px=frame.image_rgb.shape[0],
        lesions=frame.lesions,
        proposed=proposed,
        hit_lesion_ids=tuple(lesion.lesion_id if lesion else "" for lesion in hits),
        content_sha256=hashlib.sha256(ref.image_path.read_bytes() + truth.read_bytes()).hexdigest(),
    )


def as_box(values: Sequence[float] | np.ndarray) -> BoxXYXY:
    """Four numbers as the box that is written to candidates.csv: to a tenth of a pixel."""
    x0, y0, x1, y1 = (round(float(value), 1) for value in values)
    return x0, y0, x1, y1


def build_candidates(
    refs: Sequence[FrameRef],
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    facts: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Split the groups, fit the detector on the training groups, freeze it, apply it to all; write `folder`'s files.

    facts: what detector.json records besides (inputs, source). Returns the content of detector.json. Image paths are
    written relative to the data set's folder (the parent of `folder`) where they lie below it.
    """
    frames = list(ordered_map(examine, refs, workers, "frames"))
    split_of = split_by_group(_groups(frames), seed, test_fraction, val_fraction)
    training = [frame for frame in frames if split_of[frame.ref.group_id] == "train"]
    detector = fit_detector([frame.proposed for frame in training], [_fitting_hits(frame) for frame in training])
    candidates = [candidate for frame in frames for candidate in propose_candidates(frame, detector)]
    record = {
        **facts,
        "content_sha256": hashlib.sha256("".join(frame.content_sha256 for frame in frames).encode()).hexdigest(),
        "hit_criterion": HIT_CRITERION,
        "fitted_on": "train",
        "sha256": detector.sha256(),
        "performance": {split: _performance(frames, candidates, split_of, split) for split in SPLITS},
        "parameters": detector.parameters(),
    }
    with whole_folder(folder) as partial, disk_full_is_data_error(folder):
        write_csv(partial / "frames.csv", FRAME_COLUMNS, (_frame_row(f, split_of, folder.parent) for f in frames))
        lesions = [lesion for frame in frames for lesion in frame.lesions]
        write_csv(partial / "lesions.csv", LESION_COLUMNS, (_lesion_row(lesion, split_of) for lesion in lesions))
        write_csv(partial / "candidates.csv", CANDIDATE_COLUMNS, (_candidate_row(c, split_of) for c in candidates))
        write_json(partial / "detector.json", record)
    return read_json(folder / "detector.json")


def read_candidates(folder: Path) -> list[tuple[Candidate, str]]:
    """(Candidate, split) of every row of candidates.csv."""
    return [
        (
            Candidate(
                row["candidate_id"],
                row["frame_id"],
                row["group_id"],
                as_box([float(row[column]) for column in BOX_COLUMNS]),
                float(row["detector_score"]),
                int(row["label"]),
                row["lesion_id"],
            ),
            row["split"],
        )
        for row in read_csv(folder / "candidates.csv")
    ]


def _groups(frames: Sequence[ExaminedFrame]) -> list[Group]:
    check_no_leak((frame.ref.group_id, frame.ref.native_split) for frame in frames)
    n_frames = Counter(frame.ref.group_id for frame in frames)
    n_lesions = Counter(lesion.group_id for frame in frames for lesion in frame.lesions)
    native = {frame.ref.group_id: frame.ref.native_split for frame in frames}
    return [Group(group, n_frames[group], n_lesions[group], native[group]) for group in n_frames]


def propose_candidates(frame: ExaminedFrame, detector: Detector) -> list[Candidate]:
    """What the frozen detector keeps of a frame's proposals, best first, labelled by the hit criterion."""
    kept, scores = detector.select(frame.proposed)
    return [
        Candidate(
            f"{frame.ref.frame_id}-c{rank}",
            frame.ref.frame_id,
            frame.ref.group_id,
            as_box(frame.proposed.boxes_xyxy_px[index]),
            float(score),
            int(frame.hit_lesion_ids[index] != ""),
            frame.hit_lesion_ids[index],
        )
        for rank, (index, score) in enumerate(zip(kept, scores, strict=True), start=1)
    ]


def _fitting_hits(frame: ExaminedFrame) -> tuple[str, ...]:
    """Per proposal the lesion it shows as a whole, or "": what the detector's classifier is to look for.

    A hit whose box overlaps the lesion's by less than MIN_FIT (intersection over union) shows a fragment or the
    surroundings, unless no other hits the lesion better. For every other purpose a hit is a hit.
    """
    hits = np.array(frame.hit_lesion_ids, np.str_)
    low, high = frame.proposed.boxes_xyxy_px[:, :2], frame.proposed.boxes_xyxy_px[:, 2:]
    for lesion in frame.lesions:
        box = np.array(lesion.box_xyxy_px, np.float32)
        shared = np.prod(np.maximum(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0), axis=1)
        fit = shared / (np.prod(high - low, axis=1) + np.prod(box[2:] - box[:2]) - shared)
        own = hits == lesion.lesion_id
        hits[own & (fit < min(MIN_FIT, fit[own].max(initial=0)))] = ""
    return tuple(hits.tolist())


def _performance(
    frames: Sequence[ExaminedFrame], candidates: Sequence[Candidate], split_of: dict[str, str], split: str
) -> dict[str, Any]:
    """The detector's own operating point in one split: the end of every FROC curve made from its candidates."""
    here = [frame for frame in frames if split_of[frame.ref.group_id] == split]
    n_lesions = sum(len(frame.lesions) for frame in here)
    own = [candidate for candidate in candidates if split_of[candidate.group_id] == split]
    hit = {candidate.lesion_id for candidate in own if candidate.label}
    n_proposed = sum(len(set(frame.hit_lesion_ids) - {""}) for frame in here)
    n_false = sum(candidate.label == 0 for candidate in own)
    return {
        "groups": len({frame.ref.group_id for frame in here}),
        "frames": len(here),
        "frames_without_lesion": sum(not frame.lesions for frame in here),
        "lesions": n_lesions,
        "lesions_hit": len(hit),
        "candidates": len(own),
        "sensitivity": len(hit) / n_lesions if n_lesions else None,
        "fps_per_frame": n_false / len(here) if here else None,
        "sensitivity_before_classifier": n_proposed / n_lesions if n_lesions else None,
    }


def _frame_row(frame: ExaminedFrame, split_of: dict[str, str], dataset: Path) -> dict[str, Any]:
    path = frame.ref.image_path
    return {
        "frame_id": frame.ref.frame_id,
        "group_id": frame.ref.group_id,
        "split": split_of[frame.ref.group_id],
        "n_lesions": len(frame.lesions),
        "path": (path.relative_to(dataset) if path.is_relative_to(dataset) else path.resolve()).as_posix(),
        "width_px": frame.width_px,
        "height_px": frame.height_px,
    }


def _lesion_row(lesion: Lesion, split_of: dict[str, str]) -> dict[str, Any]:
    return {
        "lesion_id": lesion.lesion_id,
        "frame_id": lesion.frame_id,
        "group_id": lesion.group_id,
        "split": split_of[lesion.group_id],
        **dict(zip(BOX_COLUMNS, lesion.box_xyxy_px, strict=True)),
        "area_px": lesion.area_px,
    }


def _candidate_row(candidate: Candidate, split_of: dict[str, str]) -> dict[str, Any]:
    return {
        "candidate_id": candidate.candidate_id,
        "frame_id": candidate.frame_id,
        "group_id": candidate.group_id,
        "split": split_of[candidate.group_id],
        **dict(zip(BOX_COLUMNS, candidate.box_xyxy_px, strict=True)),
        "detector_score": candidate.detector_score,
        "label": candidate.label,
        "lesion_id": candidate.lesion_id,
    }
