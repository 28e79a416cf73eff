"""First stage: CT volumes -> splits, the frozen detector and its candidates, as files in <dataset>/candidates/."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.embolism_detector import Detector, Proposed, fit_detector, propose
from data_prep.embolism_hits import HIT_CRITERION, Embolus, find_emboli, hit_emboli
from data_prep.embolism_readers import VolumeRef, load_volume
from data_prep.parallel import ordered_map
from data_prep.splits import SPLITS, Group, check_no_leak, split_by_group
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv, write_json

# chosen: one volume among many may be damaged, and is left out and listed; if more than this share cannot be read, the
# folder is not what it seems.
MOST_UNREADABLE = 0.2

POINT_COLUMNS = ("z_voxel", "y_voxel", "x_voxel")
AXIS_COLUMNS = ("axis_z", "axis_y", "axis_x")
VOLUME_COLUMNS = (
    *("volume_id", "group_id", "split", "n_lesions", "path", "slices", "rows", "columns"),
    *("slice_mm", "row_mm", "column_mm"),
)
LESION_COLUMNS = ("lesion_id", "volume_id", "group_id", "split", *POINT_COLUMNS, "volume_mm3")
CANDIDATE_COLUMNS = (
    *("candidate_id", "volume_id", "group_id", "split", *POINT_COLUMNS, *AXIS_COLUMNS),
    *("detector_score", "label", "lesion_id"),
)


@dataclass(frozen=True)
class Candidate:
    """A place in a volume. point: voxel (z, y, x). axis: unit vector (z, y, x) in mm, along the vessel there."""

    candidate_id: str
    volume_id: str
    group_id: str
    point: tuple[float, float, float]
    axis: tuple[float, float, float]
    detector_score: float
    label: int
    lesion_id: str = ""


@dataclass(frozen=True)
class ExaminedVolume:
    """What the first stage keeps of a volume once its voxels are gone.

    hit_lesion_ids: per proposal the embolus it hits, or "". content_sha256: of HU, spacing and truth.
    """

    ref: VolumeRef
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    emboli: tuple[Embolus, ...]
    proposed: Proposed
    hit_lesion_ids: tuple[str, ...]
    content_sha256: str


@dataclass(frozen=True)
class Unreadable:
    """A volume that is left out, and why."""

    ref: VolumeRef
    reason: str


def examine(ref: VolumeRef) -> ExaminedVolume | Unreadable:
    """Decode one volume, propose everywhere, and note which proposals hit."""
    try:
        volume = load_volume(ref)
    except DataError as error:
        return Unreadable(ref, str(error))
    proposed = propose(volume.hu, volume.spacing_mm)
    digest = hashlib.sha256(repr((volume.hu.shape, volume.spacing_mm)).encode())
    digest.update(volume.hu.tobytes())
    digest.update(volume.mask.tobytes())
    z, y, x = volume.hu.shape
    return ExaminedVolume(
        ref,
        shape=(z, y, x),
        spacing_mm=volume.spacing_mm,
        emboli=find_emboli(volume),
        proposed=proposed,
        hit_lesion_ids=hit_emboli(volume, proposed.points),
        content_sha256=digest.hexdigest(),
    )


def build_candidates(
    refs: Sequence[VolumeRef],
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    facts: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Split the patients, fit the detector on those for training, freeze it, apply it to all; write `folder`'s files.

    facts: what detector.json records besides (inputs, source). Returns the content of detector.json. Paths are written
    relative to the data set's folder (the parent of `folder`) where they lie below it. Volumes that cannot be read are
    left out and listed. DataError if these are too many, or no mask shows an embolus.
    """
    examined = list(ordered_map(examine, refs, workers, "volumes"))
    skipped = [item for item in examined if isinstance(item, Unreadable)]
    volumes = [item for item in examined if isinstance(item, ExaminedVolume)]
    _refuse_what_cannot_be(volumes, skipped)
    split_of = split_by_group(_groups(volumes), seed, test_fraction, val_fraction)
    training = [volume for volume in volumes if split_of[volume.ref.group_id] == "train"]
    detector = fit_detector([v.proposed for v in training], [v.hit_lesion_ids for v in training])
    candidates = [candidate for volume in volumes for candidate in select_candidates(volume, detector)]
    record = {
        **facts,
        "content_sha256": hashlib.sha256("".join(v.content_sha256 for v in volumes).encode()).hexdigest(),
        "hit_criterion": HIT_CRITERION,
        "fitted_on": "train",
        "sha256": detector.sha256(),
        "skipped": [{"volume_id": one.ref.volume_id, "reason": one.reason} for one in skipped],
        "performance": {split: _performance(volumes, candidates, split_of, split) for split in SPLITS},
        "parameters": detector.parameters(),
    }
    with whole_folder(folder) as partial, disk_full_is_data_error(folder):
        write_csv(partial / "volumes.csv", VOLUME_COLUMNS, (_volume_row(v, split_of, folder.parent) for v in volumes))
        write_csv(partial / "lesions.csv", LESION_COLUMNS, _lesion_rows(volumes, split_of))
        write_csv(partial / "candidates.csv", CANDIDATE_COLUMNS, (_candidate_row(c, split_of) for c in candidates))
        write_json(partial / "detector.json", record)
    return read_json(folder / "detector.json")


def read_candidates(folder: Path) -> list[tuple[Candidate, str]]:
    """(Candidate, split) of every row of candidates.csv."""
    return [
        (
            Candidate(
                row["candidate_id"],
                row["volume_id"],
                row["group_id"],
                _triple(row, POINT_COLUMNS),
                _triple(row, AXIS_COLUMNS),
                float(row["detector_score"]),
                int(row["label"]),
                row["lesion_id"],
            ),
            row["split"],
        )
        for row in read_csv(folder / "candidates.csv")
    ]


def select_candidates(volume: ExaminedVolume, detector: Detector) -> list[Candidate]:
    """What the frozen detector keeps of a volume's proposals, best first, labelled by the hit criterion."""
    kept, scores = detector.select(volume.proposed)
    found = []
    for rank, (index, score) in enumerate(zip(kept, scores, strict=True), start=1):
        z, y, x = volume.proposed.points[index].tolist()
        az, ay, ax = (round(part, 6) for part in volume.proposed.axes[index].tolist())
        lesion = volume.hit_lesion_ids[index]
        found.append(
            Candidate(
                f"{volume.ref.volume_id}-c{rank}",
                volume.ref.volume_id,
                volume.ref.group_id,
                (z, y, x),
                (az, ay, ax),
                float(score),
                int(lesion != ""),
                lesion,
            )
        )
    return found


def _refuse_what_cannot_be(volumes: Sequence[ExaminedVolume], skipped: Sequence[Unreadable]) -> None:
    n = len(volumes) + len(skipped)
    if len(skipped) > MOST_UNREADABLE * n:
        raise DataError(f"{len(skipped)} of {n} volumes cannot be read, the first because: {skipped[0].reason}")
    if not any(volume.emboli for volume in volumes):
        raise DataError(
            f"none of the {len(volumes)} masks shows an embolus. Check that the masks are those of the volumes, and "
            "that they were not emptied on export."
        )


def _groups(volumes: Sequence[ExaminedVolume]) -> list[Group]:
    check_no_leak((volume.ref.group_id, volume.ref.native_split) for volume in volumes)
    n_volumes = Counter(volume.ref.group_id for volume in volumes)
    n_emboli = Counter(volume.ref.group_id for volume in volumes for _ in volume.emboli)
    native = {volume.ref.group_id: volume.ref.native_split for volume in volumes}
    return [Group(group, n_volumes[group], n_emboli[group], native[group]) for group in n_volumes]


def _performance(
    volumes: Sequence[ExaminedVolume], candidates: Sequence[Candidate], split_of: dict[str, str], split: str
) -> dict[str, Any]:
    """The detector's own operating point in one split: the end of every FROC curve made from its candidates."""
    here = [volume for volume in volumes if split_of[volume.ref.group_id] == split]
    n_emboli = sum(len(volume.emboli) for volume in here)
    own = [candidate for candidate in candidates if split_of[candidate.group_id] == split]
    hit = {candidate.lesion_id for candidate in own if candidate.label}
    n_proposed = sum(len(set(volume.hit_lesion_ids) - {""}) for volume in here)
    n_false = sum(candidate.label == 0 for candidate in own)
    return {
        "groups": len({volume.ref.group_id for volume in here}),
        "volumes": len(here),
        "volumes_without_lesion": sum(not volume.emboli for volume in here),
        "lesions": n_emboli,
        "lesions_hit": len(hit),
        "candidates": len(own),
        "sensitivity": len(hit) / n_emboli if n_emboli else None,
        "fps_per_volume": n_false / len(here) if here else None,
        "sensitivity_before_classifier": n_proposed / n_emboli if n_emboli else None,
    }


def _volume_row(volume: ExaminedVolume, split_of: dict[str, str], dataset: Path) -> dict[str, Any]:
    path = volume.ref.image_path
    return {
        "volume_id": volume.ref.volume_id,
        "group_id": volume.ref.group_id,
        "split": split_of[volume.ref.group_id],
        "n_lesions": len(volume.emboli),
        "path": (path.relative_to(dataset) if path.is_relative_to(dataset) else path.resolve()).as_posix(),
        **dict(zip(("slices", "rows", "columns"), volume.shape, strict=True)),
        **dict(zip(("slice_mm", "row_mm", "column_mm"), volume.spacing_mm, strict=True)),
    }


def _lesion_rows(volumes: Sequence[ExaminedVolume], split_of: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "lesion_id": embolus.lesion_id,
            "volume_id": volume.ref.volume_id,
            "group_id": volume.ref.group_id,
            "split": split_of[volume.ref.group_id],
            **dict(zip(POINT_COLUMNS, embolus.middle, strict=True)),
            "volume_mm3": round(embolus.volume_mm3, 1),
        }
        for volume in volumes
        for embolus in volume.emboli
    ]


def _candidate_row(candidate: Candidate, split_of: dict[str, str]) -> dict[str, Any]:
    return {
        "candidate_id": candidate.candidate_id,
        "volume_id": candidate.volume_id,
        "group_id": candidate.group_id,
        "split": split_of[candidate.group_id],
        **dict(zip(POINT_COLUMNS, candidate.point, strict=True)),
        **dict(zip(AXIS_COLUMNS, candidate.axis, strict=True)),
        "detector_score": candidate.detector_score,
        "label": candidate.label,
        "lesion_id": candidate.lesion_id,
    }


def _triple(row: dict[str, str], columns: Sequence[str]) -> tuple[float, float, float]:
    z, y, x = (float(row[column]) for column in columns)
    return z, y, x
