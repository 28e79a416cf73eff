"""How much data each split has, for the report's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eval.candidates import ImageUnit, Tables, read_tables

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


def split_counts(dataset_dir: Path, unit: ImageUnit) -> list[SplitCounts]:
    """Counts of train, val and test from candidates/{frames or volumes,lesions,candidates}.csv."""
    tables = read_tables(dataset_dir, unit)
    return [_count(split, tables.of_split(split), unit) for split in SPLITS]


def _count(split: str, tables: Tables, unit: ImageUnit) -> SplitCounts:
    return SplitCounts(
        split=split,
        n_groups=len({row["group_id"] for row in tables.images}),
        n_images=len(tables.images),
        n_images_with_lesion=len({row[unit.id_column] for row in tables.lesions}),
        n_lesions=len(tables.lesions),
        n_found=len({row["lesion_id"] for row in tables.candidates} - {""}),
        n_candidates=len(tables.candidates),
        n_hits=sum(row["label"] == "1" for row in tables.candidates),
    )
