"""The solver of the paper in Caffe's words.

Source: Tajbakhsh et al. 2016, equations 1 and 2 and Table II. Their update is Caffe's SGD, with momentum outside the
rate; their rate, base_lr gamma^floor(t N / |X|), is Caffe's policy `step` with |X| / N iterations a step, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recaffe.proto import caffe_pb2

from layerwise.errors import DataError
from layerwise.schemes import BASE_LR, GAMMA, MOMENTUM, WEIGHT_DECAY, Scheme

DISPLAY = 20  # chosen: bvlc_alexnet's


@dataclass(frozen=True)
class Schedule:
    """iterations_per_epoch: the step of the rate. max_iter: the whole training, at least one iteration."""

    iterations_per_epoch: int
    max_iter: int


def schedule(n_train: int, batch: int, epochs: float) -> Schedule:
    """Epochs as iterations, for `n_train` patches (|X|) in mini-batches of `batch` (N).

    Raises DataError if one of the numbers is not positive.
    """
    if n_train < 1 or batch < 1 or not epochs > 0:
        raise DataError(
            f"nothing to train: {n_train} training patches, batch {batch}, {epochs:g} epochs; all must be positive"
        )
    per_epoch = max(1, round(n_train / batch))
    return Schedule(per_epoch, max(1, round(epochs * per_epoch)))


def solver(
    scheme: Scheme, train_val: str | Path, snapshot_prefix: str | Path, plan: Schedule, seed: int, mode: str
) -> Any:
    """SolverParameter without validation and snapshots, which are the caller's; mode: `CPU` or `GPU`."""
    return caffe_pb2.SolverParameter(
        net=str(train_val),
        type="SGD",
        base_lr=BASE_LR,
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
        lr_policy="step",
        gamma=GAMMA,
        stepsize=plan.iterations_per_epoch,
        max_iter=plan.max_iter,
        display=DISPLAY,
        snapshot_prefix=str(snapshot_prefix),
        random_seed=seed,
        solver_mode=mode,
        clip_gradients=scheme.clip_gradients,
    )


def add_validation(param: Any, n_val: int, val_batch: int, validations_per_epoch: int) -> None:
    """Let Caffe validate by itself and keep one snapshot an epoch, for the plain `caffe train`."""
    param.test_iter.append(-(-n_val // val_batch))
    param.test_interval = max(1, param.stepsize // validations_per_epoch)
    param.snapshot = param.stepsize
