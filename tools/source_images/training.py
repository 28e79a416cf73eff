"""Train the source net with pycaffe's own calls, as the prototxt says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.files import atomic_path, write_csv
from tools.progress import TrainProgress

COLUMNS = ("iteration", "loss", "val_loss", "val_accuracy", "images_per_s")


def train(caffe: Any, solver_path: Path, weights_path: Path, history_path: Path, row_every: int) -> dict[str, float]:
    """Run the solver to its max_iter, save the weights, and return the last row of the history.

    history: a CSV with a row each `row_every` iterations; its loss is the mean over them, val_loss and val_accuracy are
    means over the solver's test_iter batches of its test net. At a loss that is not finite the solver raises, and no
    weights are saved.
    """
    caffe.set_mode_cpu()
    solver = caffe.get_solver(str(solver_path))
    batch = solver.net.blobs["data"].data.shape[0]
    progress, rows, losses = TrainProgress(solver.param.max_iter), [], []
    started = time.monotonic()
    while solver.iter < solver.param.max_iter:
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        progress.step(solver.iter, losses[-1], batch * len(losses) / (time.monotonic() - started))
        if solver.iter % row_every == 0 or solver.iter == solver.param.max_iter:
            rate = batch * len(losses) / (time.monotonic() - started)
            val_loss, val_accuracy = _validate(solver)
            values = (solver.iter, float(np.mean(losses)), val_loss, val_accuracy, rate)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
            write_csv(history_path, COLUMNS, rows)
            losses, started = [], time.monotonic()
    progress.close()
    with atomic_path(weights_path) as partial:
        solver.net.save(str(partial))
    return rows[-1]


def _validate(solver: Any) -> tuple[float, float]:
    """(loss, accuracy): means over test_iter batches of the test net, which has the weights of the train net."""
    answers = [solver.test_nets[0].forward() for _ in range(solver.param.test_iter[0])]
    loss, accuracy = (float(np.mean([answer[name] for answer in answers])) for name in ("loss", "accuracy"))
    return loss, accuracy
