"""The phantom on disk, in the layout of CAD-PE: whole or not at all."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813

from data_prep.embolism_phantom.grid import Array
from data_prep.embolism_phantom.patient import Plan, scan_patient
from data_prep.parallel import ordered_map
from data_prep.phantom_folder import RECORD, holds_phantom
from data_prep.whole_folder import whole_folder
from layerwise.errors import DataError, UsageError
from layerwise.files import read_json, write_json

VERSION = 2  # raised whenever the same seed gives other volumes
DIFFICULTY = 0.25
# Paper, section VI-B: 127 of 326 emboli were in the test patients.
TEST_FRACTION = 127 / 326


@dataclass(frozen=True)
class Scale:
    """n_patients, of which n_without have no embolus; emboli in all; voxels of a slice; size of the volume in mm."""

    n_patients: int
    n_without: int
    n_emboli: int
    columns: int
    rows: int
    width_mm: float
    height_mm: float
    slice_mm: tuple[float, ...]


SCALES = {
    "smoke": Scale(12, 1, 32, 160, 128, 285.0, 90.0, (2.0, 2.5)),
    # chosen: voxels of 1.2 mm and a chest of 12 cm height, so that a volume is made in a few seconds; some 55 emboli of
    # 19 patients are for testing, enough for intervals.
    "demo": Scale(48, 5, 144, 240, 192, 285.0, 120.0, (1.0, 1.25, 1.5)),
    # Paper, section VI-B: 121 volumes with 326 emboli. chosen: pixels as in the public sets.
    "paper": Scale(121, 12, 326, 400, 320, 290.0, 150.0, (0.75, 1.0, 1.25)),
}


def plan_patients(seed: int, scale: str, difficulty: float) -> tuple[list[Plan], list[str]]:
    """The patients of a data set in order, and the ids of those meant for testing.

    Patient p draws from the p-th child of the seed. The emboli's ease is spread evenly over the training and over the
    testing patients, so that both hold clots in thick and in thin arteries, whatever the seed.
    """
    if scale not in SCALES:
        raise UsageError(f"--scale {scale}: no such scale; known are {', '.join(SCALES)}")
    if not 0.0 <= difficulty <= 1.0:
        raise UsageError(f"--difficulty {difficulty:g}: expected a number from 0 (easy) to 1 (hard)")
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected a whole number from 0 on")
    chosen = SCALES[scale]
    *children, shuffle = np.random.SeedSequence(seed).spawn(chosen.n_patients + 1)
    rng = np.random.default_rng(shuffle)
    counts = _counts(rng, chosen)
    n_test = round(TEST_FRACTION * chosen.n_patients)
    # Every few patients in order of their number of emboli are for testing: both parts have the same mixture.
    by_count = np.argsort(-counts, kind="stable")
    picked = by_count[np.floor((np.arange(n_test) + 0.5) * chosen.n_patients / n_test).astype(int)]
    test = sorted(int(p) for p in picked)
    ease: dict[int, tuple[float, ...]] = {}
    for part in (test, [p for p in range(chosen.n_patients) if p not in test]):
        total = int(counts[part].sum())
        spread = rng.permutation((np.arange(total) + 0.5) / total).tolist()
        for p in part:
            ease[p], spread = tuple(spread[: counts[p]]), spread[counts[p] :]
    plans = [
        Plan(
            f"{p + 1:03d}",
            chosen.columns,
            chosen.rows,
            chosen.height_mm,
            chosen.width_mm,
            chosen.slice_mm,
            ease[p],
            difficulty,
            children[p],
        )
        for p in range(chosen.n_patients)
    ]
    return plans, [plans[p].patient_id for p in test]


def generate(
    root: Path | str, seed: int = 0, scale: str = "demo", difficulty: float = DIFFICULTY, workers: int = 2
) -> dict[str, Any]:
    """Make the phantom under `root` and return its record, the content of root/phantom.json.

    Writes root/images/<p>.nrrd (int16 HU) and root/rs/<p>RefStd.nrrd (uint8, a number for each embolus; <p> with three
    digits there and four here, as CAD-PE has it). All is written to a folder beside `root` that takes its name at the
    end. If `root` already holds this very phantom, nothing is done. The same arguments give the same bytes with the
    same versions of the phantom and its libraries, for any `workers`.
    Raises DataError if `root` holds anything else or cannot be written; UsageError for an unknown scale or difficulty.
    """
    root = Path(root)
    plans, test = plan_patients(seed, scale, difficulty)
    record: dict[str, Any] = {
        "kind": "phantom",
        "version": VERSION,
        "seed": seed,
        "scale": scale,
        "difficulty": difficulty,
        "test_volumes": test,
    }
    if holds_phantom(root, record):
        return read_json(root / RECORD)
    try:
        with whole_folder(root) as partial:
            job = functools.partial(write_patient, folder=partial)
            record["volumes"] = list(ordered_map(job, plans, workers, "phantom volumes"))
            write_json(partial / RECORD, record)
    except (OSError, RuntimeError) as error:  # SimpleITK reports a failed write as RuntimeError
        raise DataError(f"{root}: cannot be written ({error}). Nothing was left there") from error
    return record


def write_patient(plan: Plan, folder: Path) -> dict[str, Any]:
    """Make and write one patient's volume and truth; returns what phantom.json says of it."""
    scan = scan_patient(plan)
    _write(folder / "images" / f"{plan.patient_id}.nrrd", scan.hu, scan.spacing_mm)
    _write(folder / "rs" / f"0{plan.patient_id}RefStd.nrrd", scan.labels.astype(np.uint8), scan.spacing_mm)
    return {
        "id": plan.patient_id,
        "shape": list(scan.hu.shape),
        "spacing_mm": list(scan.spacing_mm),
        "emboli": list(scan.emboli),
    }


def _write(path: Path, values: Array, spacing_mm: tuple[float, float, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing_mm[::-1])
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)


def _counts(rng: np.random.Generator, scale: Scale) -> Array:
    """How many emboli each patient has: (n_patients,) int64, summing to n_emboli, n_without of them 0."""
    weights = rng.gamma(1.5, 1.0, scale.n_patients - scale.n_without)
    more = rng.multinomial(scale.n_emboli - len(weights), weights / weights.sum())
    return rng.permutation(np.concatenate([1 + more, np.zeros(scale.n_without, np.int64)]))
