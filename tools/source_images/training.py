"""Train the source net with pycaffe's own calls, as the prototxt says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.files import atomic_path, write_csv
from tools.progress import TrainProgress
from tools.source_images.batch_norm import fold
from tools.source_images.scenes import PARTS

COLUMNS = ("iteration", "loss", *(f"val_accuracy_{part}" for part in PARTS), "images_per_s")


def train(
    caffe: Any, solver_path: Path, deploy_path: Path, weights_path: Path, history_path: Path, row_every: int
) -> dict[str, float]:
    """Run the solver to its max_iter, save its weights folded into those of `deploy_path`, return the last row.

    history: a CSV with a row each `row_every` iterations; its loss is the sum over the parts and the mean over these
    iterations, the accuracies are means over the solver's test_iter batches of its test net. At a loss that is not
    finite the solver raises, and no weights are saved.
    """
    caffe.set_mode_cpu()
    solver = caffe.get_solver(str(solver_path))
    batch = solver.net.blobs["data"].data.shape[0]
    progress, rows, losses = TrainProgress(solver.param.max_iter), [], []
    started = time.monotonic()
    while solver.iter < solver.param.max_iter:
        solver.step(1)
        losses.append(sum(float(solver.net.blobs[f"loss_{part}"].data) for part in PARTS))
        progress.step(solver.iter, losses[-1], batch * len(losses) / (time.monotonic() - started))
        if solver.iter % row_every == 0 or solver.iter == solver.param.max_iter:
            rate = batch * len(losses) / (time.monotonic() - started)
            values = (solver.iter, float(np.mean(losses)), *_validate(solver), rate)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
            write_csv(history_path, COLUMNS, rows)
            losses, started = [], time.monotonic()
    progress.close()
    plain = caffe.Net(str(deploy_path), caffe.TEST)
    fold(solver.net, plain)
    with atomic_path(weights_path) as partial:
        plain.save(str(partial))
    return rows[-1]


def _validate(solver: Any) -> list[float]:
    """Accuracy of each part: means over test_iter batches of the test net.

    A test net has weights of its own until it is told to share (solver.cpp, Solver::Test does so before each test).
    """
    solver.test_nets[0].share_with(solver.net)
    net, batches = solver.test_nets[0], solver.param.test_iter[0]
    totals = np.zeros(len(PARTS))
    for _ in range(batches):
        net.forward()
        totals += [float(net.blobs[f"accuracy_{part}"].data) for part in PARTS]
    return (totals / batches).tolist()
