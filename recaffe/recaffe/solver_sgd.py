"""SGDSolver and NesterovSolver: Caffe's momentum (src/caffe/solvers/sgd_solver.cpp, nesterov_solver.cpp)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from recaffe.blob import Blob
from recaffe.errors import SolverError, WeightsError
from recaffe.net_build import Learnable
from recaffe.solver import Solver, SolverParameter
from recaffe.stored import StoredState

log = logging.getLogger("recaffe.solver")


class SGDSolver(Solver):
    """V = momentum V + rate lr_mult (g + weight_decay decay_mult W); W -= V.

    g is the diff accumulated over iter_size passes, divided by iter_size. The rate stands inside V (torch's SGD has it
    outside), so V outlives a change of rate. lr_mult 0 switches the decay off as well, but a V that is not zero, as
    after `restore` from a deeper scheme, still moves its weights. After an update a weight's diff is what was
    subtracted. All other solvers derive from this one, as in Caffe, and differ in `_move` and in their histories.
    """

    type: ClassVar = "SGD"
    histories_per_weight: ClassVar[int] = 1

    def __init__(self, solver: str | Path | SolverParameter) -> None:
        super().__init__(solver)
        if self.param.regularization_type not in ("L1", "L2"):
            raise SolverError(f"regularization_type is {self.param.regularization_type!r}, expected 'L1' or 'L2'")
        # As in a solverstate: the first history of every weight array in the net's order, then every second one.
        self._history = [
            Blob(learnable.blob.shape) for _ in range(self.histories_per_weight) for learnable in self.net.learnable
        ]

    def _update(self, rate: float) -> None:
        count = len(self.net.learnable)
        for index, learnable in enumerate(self.net.learnable):
            local_rate = float(np.float32(rate) * np.float32(learnable.lr_mult))
            self._move(learnable, local_rate, self._history[index::count])

    def _move(self, learnable: Learnable, local_rate: float, histories: list[Blob]) -> None:
        """Change one weight array, and make what was subtracted its diff."""
        history = histories[0]
        if local_rate == 0 and history.data_is_zero:
            learnable.blob.zero_diff()
            return
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
        decay = self._decay(learnable)
        if decay:
            diff.add_(weight if self.param.regularization_type == "L2" else weight.sign(), alpha=decay)
        return diff

    def _decay(self, learnable: Learnable) -> float:
        return float(np.float32(self.param.weight_decay) * np.float32(learnable.decay_mult))

    # ---- histories in snapshots ----

    def _history_values(self) -> list[torch.Tensor]:
        return [history.tensor() for history in self._history]

    def _checked_history(self, state: StoredState, path: str | Path) -> list[torch.Tensor]:
        if len(state.history) != len(self._history):
            raise WeightsError(
                f"{path}: holds {len(state.history)} history arrays, {self.type} has {len(self._history)} for this "
                "net; a solverstate fits only the net and the solver type it was written for"
            )
        for index, (stored, history) in enumerate(zip(state.history, self._history, strict=True)):
            if not stored.fits(history.shape):
                raise WeightsError(
                    f"{path}: {self._history_name(index)}: the history's shape is {stored.shape}, the net's "
                    f"{history.shape}; a solverstate fits only the net it was written for"
                )
        return [
            torch.from_numpy(stored.read().reshape(history.shape))
            for stored, history in zip(state.history, self._history, strict=True)
        ]

    def _take_up_history(self, values: list[torch.Tensor], path: str | Path) -> None:
        log.info("SGDSolver: restoring history")
        for index, (value, history) in enumerate(zip(values, self._history, strict=True)):
            history.set(value)
            learnable = self.net.learnable[index % len(self.net.learnable)]
            if self.moves_on_history_alone and learnable.lr_mult == 0 and bool(value.any()):
                log.warning(
                    "%s: history of %s is not zero, but lr_mult is 0: momentum will go on moving this frozen layer. "
                    "To start a shallower scheme, copy the weights only (copy_from or weights)",
                    path,
                    self._history_name(index),
                )

    moves_on_history_alone: ClassVar[bool] = True  # whether weights with lr_mult 0 move where the history is not zero

    def _history_name(self, index: int) -> str:
        learnable = self.net.learnable[index % len(self.net.learnable)]
        return f"layer {learnable.layer_name!r}, weight array {learnable.index}"


class NesterovSolver(SGDSolver):
    """V' = momentum V + rate lr_mult g; W -= (1 + momentum) V' - momentum V. Source: NesterovSolver."""

    type: ClassVar = "Nesterov"

    def _move(self, learnable: Learnable, local_rate: float, histories: list[Blob]) -> None:
        history, momentum = histories[0], np.float32(self.param.momentum)
        if local_rate == 0 and history.data_is_zero:
            learnable.blob.zero_diff()
            return
        velocity = history.tensor()
        update = velocity * float(-momentum)
        velocity.mul_(float(momentum)).add_(self._gradient(learnable), alpha=local_rate)
        update.add_(velocity, alpha=float(np.float32(1) + momentum))
        learnable.blob.tensor().sub_(update)
        learnable.blob.set_diff(update)
