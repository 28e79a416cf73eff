"""Scores of patches with what patches.csv knows of them: scores.csv of the test split, val_scores.csv of validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from layerwise.errors import DataError
from layerwise.files import read_csv, write_csv
from layerwise.run_folder import SCORE_COLUMNS


@dataclass(frozen=True)
class ScoreTable:
    """The patches of one split in the order of its database; columns: SCORE_COLUMNS, then the ids of patches.csv."""

    columns: tuple[str, ...]
    patches: list[dict[str, str]]

    def write(self, path: Path, scores: np.ndarray) -> None:
        """scores: (N,) P(not background) of each patch."""
        rows = zip(self.patches, scores.tolist(), strict=True)
        write_csv(path, self.columns, ({**patch, "score": f"{score:.9g}"} for patch, score in rows))


def score_table(database: Path, split: str, keys: Sequence[str], labels: np.ndarray) -> ScoreTable:
    """keys, labels: (N,), of the database of `split`. DataError if patches.csv does not know one, or another label."""
    known = {row["key"]: row for row in read_csv(database / "patches.csv") if row["split"] == split}
    ids = [column for column in next(iter(known.values()), {}) if column.endswith("_id") and column != "group_id"]
    patches = []
    for key, label in zip(keys, labels.tolist(), strict=True):
        patch = known.get(key)
        if patch is None or int(patch["label"]) != label:
            raise DataError(
                f"{database}: key {key} with label {label} is not in patches.csv; build the databases again"
            )
        patches.append({column: patch[column] for column in ("key", "group_id", "label", *ids)})
    return ScoreTable((*SCORE_COLUMNS, *ids), patches)
