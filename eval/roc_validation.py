"""Scores of the validation split of a run, per frame: where its thresholds may be chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eval.tables import number, read_table

COLUMNS = ("key", "label", "score", "frame_id")
WRITER = "the training (python -m tools.train)"


def validation_frames(val_scores_csv: Path) -> tuple[np.ndarray, np.ndarray]:
    """Label, 0 or 1, and mean score over its crops of each validation frame, (V,) each.

    Every class but the first is positive. DataError for a missing column, or a score that is no number in 0 .. 1.
    """
    rows = read_table(val_scores_csv, COLUMNS, WRITER)
    place = {frame_id: index for index, frame_id in enumerate(dict.fromkeys(row["frame_id"] for row in rows))}
    frame = np.array([place[row["frame_id"]] for row in rows], dtype=np.int64)
    score = [number(f"{val_scores_csv}, line {line}", row, "score", 0, 1) for line, row in enumerate(rows, start=2)]
    label = np.zeros(len(place), dtype=np.int64)
    label[frame] = [row["label"] != "0" for row in rows]
    return label, np.bincount(frame, weights=score) / np.bincount(frame)
