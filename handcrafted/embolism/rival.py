"""Rate the candidates of the test volumes with a multiple-instance classifier on handcrafted features.

In the spirit of Liang and Bi 2007 (IPMI), which the paper compares its nets with (section VI-B): the same candidates,
vessel, Haralick and wavelet features, a multiple-instance classifier over the candidates of an embolus.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from data_prep.embolism_candidates import Candidate, read_candidates
from data_prep.embolism_readers import VolumeRef, find_reader, read_image
from data_prep.parallel import ordered_map
from handcrafted.embolism.features import describe
from handcrafted.embolism.multiple_instance import BagClassifier, best_of_bags, fit_bags
from handcrafted.rival import SCORES, Rated, RivalInputs
from layerwise.errors import DataError
from layerwise.files import read_csv

# chosen: powers of ten about scikit-learn's own values.
PENALTIES, WIDTHS = (0.1, 1.0, 10.0), (0.1, 0.3, 1.0)
COLUMNS = ("key", "group_id", "label", "score", "candidate_id", "volume_id")
FITTED_SPLITS = ("train", "val")


@dataclass(frozen=True)
class VolumeJob:
    """One volume and those of its candidates that are described."""

    ref: VolumeRef
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Described:
    """Candidates with their features, (N, F), and bags: the number of the embolus that each hits, -1 for none."""

    candidates: tuple[Candidate, ...]
    features: np.ndarray

    @property
    def bags(self) -> np.ndarray:
        number: dict[str, int] = {"": -1}
        for candidate in self.candidates:
            number.setdefault(candidate.lesion_id, len(number) - 1)
        return np.array([number[candidate.lesion_id] for candidate in self.candidates], np.int64)

    @property
    def groups(self) -> np.ndarray:
        return np.array([candidate.group_id for candidate in self.candidates])


def rate(inputs: RivalInputs) -> Rated:
    """Fit on the training candidates of the database, choose on its validation candidates, rate all of test.

    DataError if a volume has gone, or no longer can be read.
    """
    wanted = wanted_candidates(inputs.dataset_dir, inputs.database)
    described = describe_splits(wanted, inputs.source, inputs.workers)
    train, val, test = (described[split] for split in (*FITTED_SPLITS, "test"))
    mean, spread = train.features.mean(axis=0), np.maximum(train.features.std(axis=0), 1e-6)
    z = {split: np.clip((one.features - mean) / spread, -5, 5) for split, one in described.items()}

    def judged(penalty: float, width: float) -> tuple[float, BagClassifier]:
        model = fit_bags(z["train"], train.bags, train.groups, penalty, width, inputs.seed)
        return float(roc_auc_score(*best_of_bags(model.scores(z["val"]), val.bags))), model

    tried = {(penalty, width): judged(penalty, width) for penalty, width in itertools.product(PENALTIES, WIDTHS)}
    (penalty, width), (val_auc, model) = max(tried.items(), key=lambda item: item[1][0])
    rows = [
        {
            "key": candidate.candidate_id,
            "group_id": candidate.group_id,
            "label": candidate.label,
            "score": f"{score:.9g}",
            "candidate_id": candidate.candidate_id,
            "volume_id": candidate.volume_id,
        }
        for candidate, score in zip(test.candidates, model.scores(z["test"]), strict=True)
    ]
    facts = {
        "description": "vessel, Haralick and wavelet features of each candidate, multiple-instance support vector "
        "machine over the candidates of an embolus",
        "fitted_on": {split: _counts(described[split]) for split in FITTED_SPLITS},
        "n_features": int(train.features.shape[1]),
        "penalty": penalty,
        "width": width,
        "rounds": model.rounds,
        "witnesses": model.n_witnesses,
        "val_auc": val_auc,
    }
    return Rated(SCORES, COLUMNS, rows, facts)


def wanted_candidates(dataset_dir: Path, database: Path) -> dict[str, list[Candidate]]:
    """Split -> candidates: of train and val those that have a patch in the database, of test all."""
    folder = dataset_dir / "candidates"
    known = {candidate.candidate_id: (candidate, split) for candidate, split in read_candidates(folder)}
    used = {split: set() for split in FITTED_SPLITS}
    for row in read_csv(database / "patches.csv"):
        if row["split"] in used:
            used[row["split"]].add(row["candidate_id"])
    if gone := sorted(set.union(*used.values()) - set(known)):
        raise DataError(f"{database}: candidate {gone[0]} is not in {folder}; prepare the data again.")
    wanted = {split: [known[name][0] for name in known if name in ids] for split, ids in used.items()}
    return {**wanted, "test": [candidate for candidate, split in known.values() if split == "test"]}


def describe_splits(wanted: dict[str, list[Candidate]], source: Path, workers: int) -> dict[str, Described]:
    """Every volume is opened once, several at a time."""
    refs = {ref.volume_id: ref for ref in find_reader(source).index(source)}
    of_volume: dict[str, dict[str, Candidate]] = defaultdict(dict)
    for candidate in itertools.chain(*wanted.values()):
        of_volume[candidate.volume_id][candidate.candidate_id] = candidate
    if gone := sorted(set(of_volume) - set(refs)):
        raise DataError(f"{source}: volume {gone[0]} is no longer there. Restore it, or prepare the data again.")
    jobs = [VolumeJob(refs[volume], tuple(candidates.values())) for volume, candidates in of_volume.items()]
    features: dict[str, np.ndarray] = {}
    for job, rows in zip(jobs, ordered_map(describe_volume, jobs, workers, "features"), strict=True):
        features.update(zip((c.candidate_id for c in job.candidates), rows, strict=True))
    return {
        split: Described(tuple(chosen), np.array([features[c.candidate_id] for c in chosen]))
        for split, chosen in wanted.items()
    }


def describe_volume(job: VolumeJob) -> np.ndarray:
    """(N, F): the features of its candidates."""
    hu, spacing_mm = read_image(job.ref.image_path)
    points = np.array([candidate.point for candidate in job.candidates])
    axes = np.array([candidate.axis for candidate in job.candidates])
    return describe(hu, spacing_mm, points, axes)


def _counts(described: Described) -> dict[str, int]:
    bags: Sequence[int] = described.bags.tolist()
    return {
        "candidates": len(bags),
        "positive": sum(bag >= 0 for bag in bags),
        "emboli": len({bag for bag in bags if bag >= 0}),
        "patients": len({candidate.group_id for candidate in described.candidates}),
    }
