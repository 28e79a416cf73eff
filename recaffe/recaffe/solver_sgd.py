"""SGDSolver: Caffe's momentum (src/caffe/solvers/sgd_solver.cpp)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from recaffe import snapshot
from recaffe.blob import Blob
from recaffe.errors import SolverError, WeightsError
from recaffe.net_build import Learnable
from recaffe.solver import Solver

log = logging.getLogger("recaffe.solver")


class SGDSolver(Solver):
    """V = momentum V + rate lr_mult (g + weight_decay decay_mult W); W -= V.

    g is the diff accumulated over iter_size passes, divided by iter_size. The rate stands inside V (torch's SGD has it
    outside), so V outlives a change of rate. lr_mult 0 switches the decay off as well, but a V that is not zero, as
    after `restore` from a deeper scheme, still moves its weights. After an update a weight's diff is its V.
    """

    type: ClassVar = "SGD"

    def __init__(self, solver_file: str | Path) -> None:
        super().__init__(solver_file)
        if self.param.regularization_type not in ("L1", "L2"):
            raise SolverError(f"regularization_type is {self.param.regularization_type!r}, expected 'L1' or 'L2'")
        self._history = [Blob(learnable.blob.shape) for learnable in self.net.learnable]

    def _update(self, rate: float) -> None:
        for learnable, history in zip(self.net.learnable, self._history, strict=True):
            local_rate = float(np.float32(rate) * np.float32(learnable.lr_mult))
            if local_rate == 0 and history.data_is_zero:
                learnable.blob.zero_diff()
                continue
            velocity = history.tensor().mul_(self.param.momentum)
            if local_rate:
                velocity.add_(self._gradient(learnable), alpha=local_rate)
            learnable.blob.tensor().sub_(velocity)
            learnable.blob.lend_diff(velocity)

    def _gradient(self, learnable: Learnable) -> torch.Tensor:
        """The diff, normalised and with decay. Source: SGDSolver::Normalize, SGDSolver::Regularize."""
        weight, diff = learnable.blob.tensor(), learnable.blob.diff_tensor()
        if self.param.iter_size > 1:
            diff.mul_(1.0 / self.param.iter_size)
        decay = float(np.float32(self.param.weight_decay) * np.float32(learnable.decay_mult))
        if decay:
            diff.add_(weight if self.param.regularization_type == "L2" else weight.sign(), alpha=decay)
        return diff

    def _write_history(self, state: Any) -> None:
        for history in self._history:
            snapshot.fill_proto(state.history.add(), history.tensor())

    def _check_history(self, state: Any, path: str | Path) -> None:
        if len(state.history) != len(self._history):
            raise WeightsError(
                f"{path}: holds the history of {len(state.history)} weight arrays, this net has {len(self._history)}; "
                "a solverstate fits only the net it was written for"
            )
        for proto, learnable in zip(state.history, self.net.learnable, strict=True):
            if not snapshot.fits(proto, learnable.blob.shape):
                raise WeightsError(
                    f"{path}: layer {learnable.layer_name!r}, weight array {learnable.index}: the history's shape is "
                    f"{snapshot.proto_shape(proto)}, the net's {learnable.blob.shape}; a solverstate fits only the net "
                    "it was written for"
                )

    def _read_history(self, state: Any, path: str | Path) -> None:
        for proto, learnable, history in zip(state.history, self.net.learnable, self._history, strict=True):
            where = f"{path}: history of layer {learnable.layer_name!r}, weight array {learnable.index}"
            values = snapshot.values_of(proto, where)
            history.set(torch.from_numpy(values.reshape(history.shape)))
            if learnable.lr_mult == 0 and values.any():
                log.warning(
                    "%s is not zero, but lr_mult is 0: momentum will go on moving this frozen layer. "
                    "To start a shallower scheme, copy the weights only (copy_from or weights)",
                    where,
                )
