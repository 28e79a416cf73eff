"""First stage: raw frames -> splits, the frozen detector and its candidates, as files in <dataset>/candidates/."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.hit_criterion import HIT_CRITERION
from data_prep.parallel import ordered_map
from data_prep.polyp_detector import fit_detector, fit_edge_classifiers
from data_prep.polyp_proposals import (
    ExaminedFrame,
    FrameProposals,
    as_box,
    examine,
    fitting_hits,
    propose,
    sample,
    select_candidates,
)
from data_prep.polyp_readers import FrameRef
from data_prep.splits import SPLITS, Group, check_no_leak, split_by_group
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.files import read_csv, read_json, write_csv, write_json
from layerwise.records import Candidate, Lesion

FRAME_COLUMNS = ("frame_id", "group_id", "split", "n_lesions", "path", "width_px", "height_px")
BOX_COLUMNS = ("x0_px", "y0_px", "x1_px", "y1_px")
LESION_COLUMNS = ("lesion_id", "frame_id", "group_id", "split", *BOX_COLUMNS, "area_px")
CANDIDATE_COLUMNS = (
    *("candidate_id", "frame_id", "group_id", "split", *BOX_COLUMNS),
    *("detector_score", "label", "lesion_id"),
)


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
    training = [frame.ref for frame in frames if split_of[frame.ref.group_id] == "train"]
    sampled = ordered_map(functools.partial(sample, n_frames=len(training)), training, workers, "edges")
    classifiers = fit_edge_classifiers(list(sampled), workers)
    proposals = list(ordered_map(functools.partial(propose, classifiers=classifiers), frames, workers, "proposals"))
    to_fit = [of_frame for of_frame in proposals if split_of[of_frame.frame.ref.group_id] == "train"]
    detector = fit_detector(
        [of_frame.proposed for of_frame in to_fit], [fitting_hits(of_frame) for of_frame in to_fit], classifiers.record
    )
    candidates = [candidate for of_frame in proposals for candidate in select_candidates(of_frame, detector)]
    record = {
        **facts,
        "content_sha256": hashlib.sha256("".join(frame.content_sha256 for frame in frames).encode()).hexdigest(),
        "hit_criterion": HIT_CRITERION,
        "fitted_on": "train",
        "sha256": detector.sha256(),
        "performance": {split: _performance(proposals, candidates, split_of, split) for split in SPLITS},
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


def _performance(
    proposals: Sequence[FrameProposals], candidates: Sequence[Candidate], split_of: dict[str, str], split: str
) -> dict[str, Any]:
    """The detector's own operating point in one split: the end of every FROC curve made from its candidates."""
    proposed = [of_frame for of_frame in proposals if split_of[of_frame.frame.ref.group_id] == split]
    here = [of_frame.frame for of_frame in proposed]
    n_lesions = sum(len(frame.lesions) for frame in here)
    own = [candidate for candidate in candidates if split_of[candidate.group_id] == split]
    hit = {candidate.lesion_id for candidate in own if candidate.label}
    n_proposed = sum(len(set(of_frame.hit_lesion_ids) - {""}) for of_frame in proposed)
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
