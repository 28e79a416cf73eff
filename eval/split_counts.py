"""How much data each split has, for the report's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eval.candidates import CANDIDATE_COLUMNS, DATA_WRITER, FRAME_COLUMNS, LESION_COLUMNS
from eval.tables import Row, read_table

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitCounts:
    """One split. n_hits: candidates that hit a lesion; n_found: lesions that some candidate hits."""

    split: str
    n_groups: int
    n_images: int
    n_images_with_lesion: int
    n_lesions: int
    n_found: int
    n_candidates: int
    n_hits: int

    @property
    def detector_sensitivity(self) -> float | None:
        return self.n_found / self.n_lesions if self.n_lesions else None

    @property
    def detector_fps_per_image(self) -> float | None:
        return (self.n_candidates - self.n_hits) / self.n_images if self.n_images else None


def split_counts(dataset_dir: Path) -> list[SplitCounts]:
    """Counts of train, val and test from candidates/{frames,lesions,candidates}.csv."""
    folder = dataset_dir / "candidates"
    frames = read_table(folder / "frames.csv", FRAME_COLUMNS, DATA_WRITER)
    lesions = read_table(folder / "lesions.csv", LESION_COLUMNS, DATA_WRITER)
    candidates = read_table(folder / "candidates.csv", CANDIDATE_COLUMNS, DATA_WRITER)
    return [
        _count(split, *([row for row in rows if row["split"] == split] for rows in (frames, lesions, candidates)))
        for split in SPLITS
    ]


def _count(split: str, frames: list[Row], lesions: list[Row], candidates: list[Row]) -> SplitCounts:
    return SplitCounts(
        split=split,
        n_groups=len({row["group_id"] for row in frames}),
        n_images=len(frames),
        n_images_with_lesion=len({row["frame_id"] for row in lesions}),
        n_lesions=len(lesions),
        n_found=len({row["lesion_id"] for row in candidates} - {""}),
        n_candidates=len(candidates),
        n_hits=sum(row["label"] == "1" for row in candidates),
    )
