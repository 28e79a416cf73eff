"""Answers the worker's events during training: AUC, early stopping, snapshots, the rows of train.csv."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.early_stopping import Decision, EarlyStopping
from eval.roc import auc
from layerwise.errors import EngineError
from layerwise.files import read_csv, read_json, write_json
from layerwise.run_folder import RunFolder
from tools.progress import TrainProgress

# chosen: SoftmaxWithLoss clamps a probability at FLT_MIN, so -ln(FLT_MIN) = 87.3365 is what a net that has blown up
# reads when every example of a batch is hopeless; no net that learns is near it.
CLAMPED_LOSS = 87.33


@dataclass
class TrainSession:
    """One training run as its driver sees it.

    labels: (N,) int64 of the validation patches, in the order in which the worker scores them; > 0 is positive.
    lr_of: the rate of an iteration, from the solver prototxt (pycaffe does not show it).
    first_counted: AUCs before this iteration are recorded, but neither stop the training nor make a snapshot best: with
    few validation groups an untrained net may rank them well by luck.
    keep_best_scores: is given the (N,) scores of the validation patches whenever a snapshot becomes the best.
    """

    folder: RunFolder
    labels: np.ndarray
    batch: int
    iterations_per_epoch: int
    max_iter: int
    lr_of: Callable[[int], float]
    stopping: EarlyStopping
    first_counted: int = 1
    keep_best_scores: Callable[[np.ndarray], None] = lambda scores: None
    rows: list[dict[str, Any]] = field(default_factory=list)
    engine_version: str = "unknown"
    stop_reason: str = ""
    training_seconds: float = 0.0
    validation_seconds: float = 0.0
    snapshots: dict[int, dict[str, str]] = field(default_factory=dict)  # iteration -> the two paths
    interrupted: bool = False
    progress: TrainProgress | None = None
    _validation_began: float = 0.0
    _scores: np.ndarray = field(default_factory=lambda: np.empty(0))  # of the last validation

    @property
    def iteration(self) -> int:
        return self.rows[-1]["iteration"] if self.rows else 0

    @property
    def best_iteration(self) -> int | None:
        return self.stopping.best_iteration

    def on_event(self, event: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, f"_on_{event['event']}")(event)

    def _on_ready(self, event: dict[str, Any]) -> dict[str, Any]:
        self.engine_version = event["version"]
        self.progress = TrainProgress(self.max_iter, event["iteration"])
        return {}

    def _on_step(self, event: dict[str, Any]) -> dict[str, Any]:
        iteration, loss = event["iteration"], event["loss"]
        if loss >= CLAMPED_LOSS:
            raise EngineError(
                f"the loss is {loss:.4f} at iteration {iteration}, Caffe's value for probabilities of zero: the net "
                "has diverged. Lower base_lr, and check the labels and the mean; the run's train.csv shows how it came."
            )
        images_per_s = self.batch / max(event["seconds"], 1e-9)
        self.training_seconds += event["seconds"]
        self.rows.append(
            {
                "iteration": iteration,
                "epoch": round(iteration / self.iterations_per_epoch, 4),
                "lr": self.lr_of(iteration - 1),  # Caffe's iter is 0 during the first update
                "loss": loss,
                "val_auc": "",
                "images_per_s": round(images_per_s, 1),
            }
        )
        if self.progress:
            self.progress.step(iteration, loss, images_per_s)
        self._validation_began = time.monotonic()
        if self.interrupted:
            self.stop_reason = "interrupted"
            return {"snapshot": True, "stop": True}
        return {}

    def _on_scores(self, event: dict[str, Any]) -> dict[str, Any]:
        self.validation_seconds += time.monotonic() - self._validation_began
        iteration = event["iteration"]
        self._scores = np.asarray(event["scores"])
        value = auc(self.labels > 0, self._scores)
        counts = iteration >= self.first_counted
        decision = self.stopping.update(iteration, value) if counts else Decision(improved=False, stop=False)
        self.rows[-1]["val_auc"] = value
        if self.progress:
            self.progress.validated(iteration, iteration / self.iterations_per_epoch, value, decision.improved)
        if decision.stop:
            self.stop_reason = f"no better validation AUC in {self.stopping.patience} validations"
        elif iteration >= self.max_iter:
            self.stop_reason = "all epochs done"
        elif self.interrupted:
            self.stop_reason = "interrupted"
        epoch_ends = iteration % self.iterations_per_epoch == 0
        stop = bool(self.stop_reason)
        self.folder.write_train_rows(self.rows)
        return {"snapshot": decision.improved or epoch_ends or stop, "stop": stop}

    def _on_snapshot(self, event: dict[str, Any]) -> dict[str, Any]:
        """Record a snapshot that is now whole on disk, and drop those that are neither best nor newest."""
        iteration = event["iteration"]
        self.snapshots[iteration] = {kind: event[kind] for kind in ("caffemodel", "solverstate")}
        if iteration == self.best_iteration:
            self.folder.keep_best(Path(event["caffemodel"]))
            self.keep_best_scores(self._scores)
        self.folder.write_train_rows(self.rows)
        kept = {iteration, self.best_iteration}
        superseded = [self.snapshots.pop(old) for old in list(self.snapshots) if old not in kept]
        write_json(
            self.folder.resume_json,
            {
                "iteration": iteration,
                "early_stopping": self.stopping.state(),
                "snapshots": {str(k): paths for k, paths in self.snapshots.items()},
                "training_seconds": self.training_seconds,
                "validation_seconds": self.validation_seconds,
            },
        )
        for paths in superseded:
            for path in paths.values():
                Path(path).unlink(missing_ok=True)
        return {}

    def _on_done(self, event: dict[str, Any]) -> dict[str, Any]:
        return {}

    def resume(self) -> Path:
        """Take up the state of an unfinished run; returns the solverstate to restore."""
        if not self.folder.resume_json.is_file():
            raise EngineError(
                f"nothing to resume in {self.folder.path}: no snapshot was written there yet. Run it without --resume."
            )
        state = read_json(self.folder.resume_json)
        self.stopping = EarlyStopping(**state["early_stopping"])
        self.snapshots = {int(k): paths for k, paths in state["snapshots"].items()}
        self.training_seconds, self.validation_seconds = state["training_seconds"], state["validation_seconds"]
        rows = [row for row in read_csv(self.folder.train_csv) if int(row["iteration"]) <= state["iteration"]]
        self.rows = [{**row, "iteration": int(row["iteration"])} for row in rows]
        return Path(self.snapshots[state["iteration"]]["solverstate"])

    @contextmanager
    def snapshot_on_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C asks for a snapshot after the current iteration; a second one stops at once."""

        def ask(_signal: int, _frame: object) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("\ninterrupted: writing a snapshot after this iteration (Ctrl-C again stops at once)", flush=True)

        before = signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            if self.progress:
                self.progress.close()
