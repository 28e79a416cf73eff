"""The solvers that divide by a running size of the gradient: AdaGrad, RMSProp, AdaDelta, Adam (src/caffe/solvers/).

g is the gradient of SGDSolver: accumulated, normalised, with decay. All lines are in float32 in Caffe's order.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from recaffe.blob import Blob
from recaffe.errors import SolverError
from recaffe.net_build import Learnable
from recaffe.solver import SolverParameter
from recaffe.solver_sgd import SGDSolver

F32 = np.float32


class _AdaptiveSolver(SGDSolver):
    """What the four have in common: with lr_mult 0 their histories go on, but the weights stand still."""

    moves_on_history_alone: ClassVar = False

    def _move(self, learnable: Learnable, local_rate: float, histories: list[Blob]) -> None:
        blob = learnable.blob
        is_idle = blob.diff_is_zero and not self._decay(learnable) and all(each.data_is_zero for each in histories)
        if is_idle and self.param.delta > 0:
            return  # 0 / (0 + delta): what follows would do nothing, and a frozen net has many such weights
        update = self._compute(self._gradient(learnable), local_rate, *(each.tensor() for each in histories))
        blob.tensor().sub_(update)

    def _compute(self, gradient: torch.Tensor, local_rate: float, *histories: torch.Tensor) -> torch.Tensor:
        """Make what is to be subtracted, in `gradient` itself, and bring the histories up to date."""
        raise NotImplementedError


class AdaGradSolver(_AdaptiveSolver):
    """H += g^2; W -= rate lr_mult g / (sqrt(H) + delta). Takes no momentum."""

    type: ClassVar = "AdaGrad"

    def __init__(self, solver: str | Path | SolverParameter) -> None:
        super().__init__(solver)
        _refuse_momentum(self)

    def _compute(self, gradient: torch.Tensor, local_rate: float, *histories: torch.Tensor) -> torch.Tensor:
        (history,) = histories
        history.add_(gradient.square())
        return gradient.div_(history.sqrt().add_(self.param.delta)).mul_(local_rate)


class RMSPropSolver(_AdaptiveSolver):
    """H = rms_decay H + (1 - rms_decay) g^2; W -= rate lr_mult g / (sqrt(H) + delta). Takes no momentum."""

    type: ClassVar = "RMSProp"

    def __init__(self, solver: str | Path | SolverParameter) -> None:
        super().__init__(solver)
        _refuse_momentum(self)
        if not 0 <= self.param.rms_decay < 1:
            raise SolverError(f"rms_decay is {self.param.rms_decay:g}, expected 0 or more and less than 1")

    def _compute(self, gradient: torch.Tensor, local_rate: float, *histories: torch.Tensor) -> torch.Tensor:
        (history,) = histories
        _average(history, gradient.square(), self.param.rms_decay)
        return gradient.div_(history.sqrt().add_(self.param.delta)).mul_(local_rate)


class AdaDeltaSolver(_AdaptiveSolver):
    """H = momentum H + (1 - momentum) g^2; u = g sqrt((U + delta) / (H + delta));
    U = momentum U + (1 - momentum) u^2; W -= rate lr_mult u."""

    type: ClassVar = "AdaDelta"
    histories_per_weight: ClassVar = 2

    def _compute(self, gradient: torch.Tensor, local_rate: float, *histories: torch.Tensor) -> torch.Tensor:
        of_gradients, of_updates = histories
        delta, momentum = self.param.delta, self.param.momentum
        _average(of_gradients, gradient.square(), momentum)
        gradient.mul_((of_updates + delta).div_(of_gradients + delta).sqrt_())
        _average(of_updates, gradient.square(), momentum)
        return gradient.mul_(local_rate)


class AdamSolver(_AdaptiveSolver):
    """M = momentum M + (1 - momentum) g; V = momentum2 V + (1 - momentum2) g^2;
    W -= rate lr_mult sqrt(1 - momentum2^t) / (1 - momentum^t) M / (sqrt(V) + delta), t counting iterations from 1."""

    type: ClassVar = "Adam"
    histories_per_weight: ClassVar = 2

    def __init__(self, solver: str | Path | SolverParameter) -> None:
        super().__init__(solver)
        for name in ("momentum", "momentum2"):
            if not 0 <= getattr(self.param, name) < 1:
                raise SolverError(f"{name} is {getattr(self.param, name):g}, expected 0 or more and less than 1")

    def _compute(self, gradient: torch.Tensor, local_rate: float, *histories: torch.Tensor) -> torch.Tensor:
        mean, square = histories
        first, second, count = self.param.momentum, self.param.momentum2, self.iter + 1
        correction = F32(math.sqrt(1 - second**count) / (1 - first**count))
        _average(square, gradient.square(), second)
        _average(mean, gradient, first)
        torch.div(mean, square.sqrt().add_(self.param.delta), out=gradient)
        return gradient.mul_(float(F32(local_rate) * correction))


def _average(history: torch.Tensor, values: torch.Tensor, decay: float) -> None:
    """history = decay history + (1 - decay) values."""
    history.mul_(decay).add_(values, alpha=float(F32(1) - F32(decay)))


def _refuse_momentum(solver: SGDSolver) -> None:
    if solver.param.momentum != 0:
        raise SolverError(f"{solver.type} takes no momentum; remove momentum: {solver.param.momentum:g}")
