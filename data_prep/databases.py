"""Last stage of every application: planned patches -> three LMDBs, patches.csv and manifest.json, in patches-<size>/.

An application says which patches it wants (PlannedPatch) and how those of one source (frame, volume, ROI) are cut;
reading order, parallel work, key order and what is left on an error are settled here.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from data_prep.lmdb_builder import datum_key, datum_of_pixels, datum_pixels, write_lmdb
from data_prep.manifest import MANIFEST
from data_prep.parallel import ordered_map
from data_prep.splits import SPLITS
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.files import file_digest, read_json, write_csv, write_json

_LONGEST_NAME = 400  # LMDB's keys have at most 511 bytes
FIRST_COLUMNS = ("key", "label", "group_id", "split")

# Cuts all patches of one source, in the order of the specs: (size, size, 3) uint8 RGB each. It opens the source once,
# runs in a worker process, and so must be a module's function. DataError for a source that cannot be read.
Cut = Callable[[Any, Sequence[Any], int], Iterable[np.ndarray]]


@dataclass(frozen=True)
class PlannedPatch:
    """One record of a database before its pixels are cut.

    key: of the database, rising within a split (`patch_key`). label: a class of the application. group_id: the unit of
    splitting. source_id: what is opened for it. columns: the application's own columns of patches.csv, the same names
    in the same order for every patch. spec: how it is cut; anything that pickles.
    """

    key: str
    label: int
    group_id: str
    source_id: str
    columns: Mapping[str, Any]
    spec: Any


@dataclass(frozen=True)
class SourceJob:
    """All patches of one source: the slot of each in the spool, and how each is cut."""

    source: Any
    slots: tuple[int, ...]
    specs: tuple[Any, ...]

    def __str__(self) -> str:
        return str(self.source)


def patch_key(position: int, name: str) -> str:
    """The key of the `position`-th record of a split: it sorts as the positions do, and tells what the patch is of."""
    return datum_key(position, re.sub(r"[^A-Za-z0-9._/-]", "-", name)[-_LONGEST_NAME:])


def build_databases(
    planned: Mapping[str, Sequence[PlannedPatch]],
    sources: Mapping[str, Any],
    cut: Cut,
    folder: Path,
    *,
    size: int,
    facts: Mapping[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Cut the planned patches; write the databases, patches.csv and manifest.json to `folder`, whole or not at all.

    planned: split -> patches in the order of their keys. sources: source_id -> what `cut` opens (a path, say). facts:
    what the manifest records besides. Returns the manifest. Every source is opened once; pixels pass through a spool
    file as large as the databases, so memory stays small and keys rise. A record is written as soon as it and those
    before it are cut, while the workers go on. The same plan gives the same databases for any number of workers.
    Raises DataError if the disk is full.
    """
    everything = [(split, patch) for split in SPLITS for patch in planned[split]]
    with whole_folder(folder) as partial_folder, disk_full_is_data_error(folder):
        spool = partial_folder / "spool"
        with spool.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, len(everything) * size * size * 3)
        jobs = _jobs([patch for _, patch in everything], sources)
        done = ordered_map(partial(cut_patches, cut=cut, spool=spool, size=size), jobs, workers, "patches")
        databases = {}
        with closing(done), spool.open("rb") as handle:
            pixels = _filled_slots(handle, jobs, done, size)
            for split in SPLITS:
                records = _records(planned[split], pixels, size)
                summary = write_lmdb(partial_folder / f"{split}_lmdb", records)
                databases[split] = {"path": f"{split}_lmdb", "count": summary.count, "sha256": summary.sha256}
        spool.unlink()
        columns = (*FIRST_COLUMNS, *everything[0][1].columns)
        write_csv(partial_folder / "patches.csv", columns, (_patch_row(*item) for item in everything))
        manifest = {
            **facts,
            "counts": {split: _counts(planned[split]) for split in SPLITS},
            "groups": {split: sorted({patch.group_id for patch in planned[split]}) for split in SPLITS},
            "databases": databases,
            "patches_csv_sha256": file_digest(partial_folder / "patches.csv"),
        }
        write_json(partial_folder / MANIFEST, manifest)
    return read_json(folder / MANIFEST)


def cut_patches(job: SourceJob, cut: Cut, spool: Path, size: int) -> None:
    """Open one source and write its patches to their slots of the spool file."""
    with spool.open("r+b", buffering=0) as handle:
        for slot, patch in zip(job.slots, cut(job.source, job.specs, size), strict=True):
            if patch.shape != (size, size, 3) or patch.dtype != np.uint8:
                raise ValueError(f"a patch is {patch.dtype} {patch.shape}, expected uint8 ({size}, {size}, 3)")
            os.pwrite(handle.fileno(), datum_pixels(patch), slot * patch.nbytes)


def _jobs(patches: Sequence[PlannedPatch], sources: Mapping[str, Any]) -> list[SourceJob]:
    slots_of: dict[str, list[int]] = defaultdict(list)
    for slot, patch in enumerate(patches):
        slots_of[patch.source_id].append(slot)
    return [
        SourceJob(sources[source_id], tuple(slots), tuple(patches[slot].spec for slot in slots))
        for source_id, slots in slots_of.items()
    ]


def _filled_slots(spool: BinaryIO, jobs: Sequence[SourceJob], done: Iterator[None], size: int) -> Iterator[bytes]:
    """The pixels in every slot of the spool, in order; waits for the job that fills a slot."""
    filled_by = {slot: number for number, job in enumerate(jobs) for slot in job.slots}
    n_done, length = 0, size * size * 3
    for slot in range(len(filled_by)):
        while n_done <= filled_by[slot]:
            next(done)
            n_done += 1
        yield os.pread(spool.fileno(), length, slot * length)


def _records(planned: Sequence[PlannedPatch], pixels: Iterator[bytes], size: int) -> Iterator[tuple[str, bytes]]:
    """The records of one split; takes from `pixels` no more than these."""
    for patch in planned:
        yield patch.key, datum_of_pixels(next(pixels), size, size, patch.label)


def _patch_row(split: str, patch: PlannedPatch) -> dict[str, Any]:
    return {"key": patch.key, "label": patch.label, "group_id": patch.group_id, "split": split, **patch.columns}


def _counts(planned: Sequence[PlannedPatch]) -> dict[str, int]:
    """Patches of both kinds, groups, and for every column x_id of patches.csv how many x there are."""
    n_positive = sum(patch.label > 0 for patch in planned)
    ids = [name for name in planned[0].columns if name.endswith("_id")] if planned else []
    return {
        "patches": len(planned),
        "positive": n_positive,
        "negative": len(planned) - n_positive,
        **{f"{name.removesuffix('_id')}s": len({patch.columns[name] for patch in planned}) for name in ids},
        "groups": len({patch.group_id for patch in planned}),
    }
