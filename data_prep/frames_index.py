"""First stage: raw frames -> splits and what can be read, as files in <dataset>/frames/."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from data_prep.frames_patches import IndexedFrame
from data_prep.frames_readers import FrameRef
from data_prep.parallel import ordered_map
from data_prep.polyp_readers import read_image_rgb
from data_prep.splits import SPLITS, Group, split_by_group
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv, write_json

FOLDER, RECORD = "frames", "frames.json"
FRAME_COLUMNS = ("frame_id", "group_id", "split", "label", "kind", "path", "width_px", "height_px")
SKIPPED_COLUMNS = ("frame_id", "group_id", "path", "reason")
# chosen: a broken file among twenty is an accident that is listed; more of them mean that the copy is broken.
MAX_SKIPPED_FRACTION = 0.05
NO_GROUPS = "image"
LEAST_SIDE_PX = 64  # chosen: below any endoscope's; a crop of it would be made of interpolation alone


@dataclass(frozen=True)
class ExaminedFrame:
    """What is kept of a frame once its pixels are gone. problem: why it cannot be used, or ""."""

    ref: FrameRef
    width_px: int = 0
    height_px: int = 0
    content_sha256: str = ""
    problem: str = ""


def examine(ref: FrameRef) -> ExaminedFrame:
    """Decode one frame to see whether it can be."""
    if not ref.image_path.is_file():
        return ExaminedFrame(
            ref, problem=f"{ref.image_path}: there is no such file. Restore it, or take it off the list."
        )
    try:
        height, width = read_image_rgb(ref.image_path).shape[:2]
    except (DataError, cv2.error) as error:  # cv2.error: an image whose header claims more pixels than OpenCV allows
        return ExaminedFrame(ref, problem=str(error).strip())
    if min(width, height) < LEAST_SIDE_PX:
        return ExaminedFrame(ref, problem=f"{ref.image_path}: {width}x{height} pixels, no frame of a video.")
    return ExaminedFrame(ref, width, height, hashlib.sha256(ref.image_path.read_bytes()).hexdigest())


def labels_sha256(refs: Sequence[FrameRef]) -> str:
    """A mark of everything a reader says about the frames, but not of their pixels."""
    lines = (f"{ref.frame_id}\t{ref.group_id}\t{ref.informative}\t{ref.kind}\t{ref.native_split}\n" for ref in refs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def build_index(
    refs: Sequence[FrameRef],
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    facts: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Examine and split the frames; write frames.csv, skipped.csv and frames.json to `folder`; returns the last one's.

    Frames of unknown video are split one by one, and group_unit says so. facts: what the record holds besides. Image
    paths are written relative to the data set's folder (the parent of `folder`) where they lie below it.
    Raises DataError if more than MAX_SKIPPED_FRACTION cannot be read, or the groups do not suffice for the splits.
    """
    examined = list(ordered_map(examine, refs, workers, "frames"))
    skipped = [frame for frame in examined if frame.problem]
    usable = [frame for frame in examined if not frame.problem]
    if len(skipped) > MAX_SKIPPED_FRACTION * len(examined):
        raise DataError(
            f"{len(skipped)} of {len(examined)} frames cannot be read, more than {MAX_SKIPPED_FRACTION:.0%}. "
            f"The first: {skipped[0].problem}"
        )
    has_groups = all(frame.ref.group_id for frame in usable)
    groups = _groups(usable)
    split_of = split_by_group(groups, seed, test_fraction, val_fraction, positives="informative frames")
    record = {
        **facts,
        "content_sha256": hashlib.sha256("".join(frame.content_sha256 for frame in usable).encode()).hexdigest(),
        "group_unit": "video" if has_groups else NO_GROUPS,
        "skipped": len(skipped),
        "counts": {split: _counts(usable, split_of, split) for split in SPLITS},
    }
    with whole_folder(folder) as partial, disk_full_is_data_error(folder):
        write_csv(partial / "frames.csv", FRAME_COLUMNS, (_row(frame, split_of, folder.parent) for frame in usable))
        write_csv(
            partial / "skipped.csv",
            SKIPPED_COLUMNS,
            ({**_identity(frame, folder.parent), "reason": frame.problem} for frame in skipped),
        )
        write_json(partial / RECORD, record)
    return read_json(folder / RECORD)


def read_index(folder: Path) -> list[IndexedFrame]:
    """Every row of frames.csv."""
    return [
        IndexedFrame(
            row["frame_id"],
            row["group_id"],
            row["split"],
            int(row["label"]),
            int(row["width_px"]),
            int(row["height_px"]),
        )
        for row in read_csv(folder / "frames.csv")
    ]


def _group(frame: ExaminedFrame) -> str:
    return frame.ref.group_id or frame.ref.frame_id


def _groups(frames: Sequence[ExaminedFrame]) -> list[Group]:
    n_frames = Counter(_group(frame) for frame in frames)
    n_informative = Counter(_group(frame) for frame in frames if frame.ref.informative)
    native: dict[str, str] = {}
    for frame in frames:
        if native.setdefault(_group(frame), frame.ref.native_split) != frame.ref.native_split:
            raise DataError(
                f"{frame.ref.image_path}: video {_group(frame)} has frames of the split "
                f"{frame.ref.native_split or 'none'!r} and of {native[_group(frame)] or 'none'!r}; give it one."
            )
    return [Group(group, n_frames[group], n_informative[group], native[group]) for group in n_frames]


def _counts(frames: Sequence[ExaminedFrame], split_of: dict[str, str], split: str) -> dict[str, Any]:
    here = [frame for frame in frames if split_of[_group(frame)] == split]
    return {
        "groups": len({_group(frame) for frame in here}),
        "frames": len(here),
        "informative": sum(frame.ref.informative for frame in here),
        "kinds": dict(sorted(Counter(frame.ref.kind for frame in here).items())),
    }


def _identity(frame: ExaminedFrame, dataset: Path) -> dict[str, Any]:
    path = frame.ref.image_path
    shown = path.relative_to(dataset) if path.is_relative_to(dataset) else path.resolve()
    return {"frame_id": frame.ref.frame_id, "group_id": _group(frame), "path": shown.as_posix()}


def _row(frame: ExaminedFrame, split_of: dict[str, str], dataset: Path) -> dict[str, Any]:
    return {
        **_identity(frame, dataset),
        "split": split_of[_group(frame)],
        "label": int(frame.ref.informative),
        "kind": frame.ref.kind,
        "width_px": frame.width_px,
        "height_px": frame.height_px,
    }
