"""What every report reads of a run, whatever its curve: run.json's keys, the training curve and the cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.figures import TrainCurve
from eval.tables import number, read_table
from layerwise.errors import DataError
from layerwise.run_folder import TRAIN_COLUMNS
from layerwise.schemes import HANDCRAFTED


@dataclass(frozen=True)
class Cost:
    """What the training took. None where train.csv or run.json does not have it."""

    training_seconds: float | None
    validation_seconds: float | None
    iterations: int
    epochs: float
    images_per_s: float | None


def is_rival(run: dict[str, Any]) -> bool:
    """Whether the run is of the handcrafted rival: no net, no plan, no training curve."""
    return run["scheme"] == HANDCRAFTED


def run_title(run: dict[str, Any]) -> str:
    """For a terminal."""
    return f"{run['application']} {run['scheme']} ({run['engine']['name']}, seed {run['seed']})"


def required(path: Path, record: dict[str, Any], *keys: str) -> Any:
    value: Any = record
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise DataError(
                f"{path}: key {'.'.join(keys)} is missing; train the run again with `python -m tools.train`"
            )
        value = value[key]
    return value


def read_train_curve(path: Path, best_iteration: int | None) -> TrainCurve:
    """train.csv as arrays. DataError if it has no row or no validation."""
    rows = read_table(path, TRAIN_COLUMNS, "python -m tools.train")
    iteration = [number(f"{path}, line {line}", row, "iteration") for line, row in enumerate(rows, start=2)]
    loss = [number(f"{path}, line {line}", row, "loss") for line, row in enumerate(rows, start=2)]
    validated = [index for index, row in enumerate(rows) if row["val_auc"]]
    if not validated:
        raise DataError(
            f"{path}: no row has a val_auc; the run was stopped before its first validation. Train it again."
        )
    val_auc = [number(f"{path}, line {index + 2}", rows[index], "val_auc", 0, 1) for index in validated]
    iterations = np.array(iteration, dtype=np.int64)
    return TrainCurve(iterations, np.array(loss), iterations[validated], np.array(val_auc), best_iteration)


def read_cost(path: Path, run: dict[str, Any]) -> Cost:
    """Times from run.json, speed and epochs from train.csv."""
    rows = read_table(path, TRAIN_COLUMNS, "python -m tools.train")
    speeds = [number(f"{path}, line {n}", row, "images_per_s", 0) for n, row in enumerate(rows, start=2)]
    times = run.get("times", {})
    return Cost(
        training_seconds=times.get("training_seconds"),
        validation_seconds=times.get("validation_seconds"),
        iterations=len(rows),
        epochs=number(f"{path}, last line", rows[-1], "epoch", 0),
        images_per_s=float(np.median(speeds)),
    )
