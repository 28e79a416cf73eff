"""How fast a net learns: validation AUC against mini-batches and seconds, and when it has nearly got there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.figures import TrainCurve
from eval.run_inputs import read_train_curve, required
from eval.run_results import RunResult
from eval.study import ApplicationStudy
from eval.tables import number, read_table
from layerwise.run_folder import TRAIN_COLUMNS

# The paper's Figure 10: tuning all layers, and the three ways to fill them.
SHOWN = ("finetune-conv1", "scratch-gaussian", "scratch-xavier", "scratch-msra")
NEARLY = 0.95
CONVERGENCE_COLUMNS = ("scheme", "seed", "iteration", "training_seconds", "val_auc")


@dataclass(frozen=True)
class Convergence:
    """One run. seconds: (V,) of training until each validation, the validations themselves left out.

    kept_auc: of the snapshot that was kept, the largest. iterations_nearly, seconds_nearly: at the first validation
    with at least 95 % of it.
    """

    scheme: str
    seed: int
    curve: TrainCurve
    seconds: np.ndarray
    kept_auc: float
    iterations_nearly: int
    seconds_nearly: float

    def rows(self) -> list[dict[str, object]]:
        """As rows of CONVERGENCE_COLUMNS."""
        values = zip(self.curve.validated.tolist(), self.seconds.tolist(), self.curve.val_auc.tolist(), strict=True)
        return [dict(zip(CONVERGENCE_COLUMNS, (self.scheme, self.seed, *value), strict=True)) for value in values]


def convergence(run: RunResult) -> Convergence:
    """From train.csv and run.json of a net. DataError where they lack something."""
    path = run.folder / "train.csv"
    curve = read_train_curve(path, run.best_iteration)
    rows = read_table(path, TRAIN_COLUMNS, "python -m tools.train")
    batch = required(run.folder / "run.json", run.record, "batch")
    speed = [number(f"{path}, line {line}", row, "images_per_s", 0) for line, row in enumerate(rows, start=2)]
    elapsed = np.cumsum(batch / np.maximum(speed, 1e-9))
    seconds = elapsed[np.searchsorted(curve.iteration, curve.validated)]
    kept = float(curve.val_auc.max())
    nearly = int(np.argmax(curve.val_auc >= NEARLY * kept))
    return Convergence(run.scheme, run.seed, curve, seconds, kept, int(curve.validated[nearly]), float(seconds[nearly]))


def convergences(study: ApplicationStudy) -> list[Convergence]:
    """Of every net on the whole training set, by depth; of a scheme its first seed."""
    schemes = [*study.samples("finetune"), *study.samples("scratch")]
    return [convergence(study.cells[scheme, 1.0].runs[0]) for scheme in schemes]
