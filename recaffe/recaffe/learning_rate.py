"""The rate of an iteration, by lr_policy (src/caffe/solvers/sgd_solver.cpp, SGDSolver::GetLearningRate).

Caffe computes the factor of step, exp and multistep in double precision, those of inv, poly and sigmoid in single; so
do we, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from recaffe.errors import SolverError
from recaffe.proto.text import nearest_name

F32 = np.float32


def _power(base: float, exponent: float) -> float:
    """base to the exponent as C's pow gives it: infinity or NaN where Python raises."""
    return float(np.float64(base) ** np.float64(exponent))


def _fixed(param: Any, iteration: int, step: int) -> float:
    return 1.0


def _power_of_step(param: Any, iteration: int, step: int) -> float:
    return _power(param.gamma, step)


def _exp(param: Any, iteration: int, step: int) -> float:
    return _power(param.gamma, iteration)


def _inv(param: Any, iteration: int, step: int) -> np.float32:
    return F32(_power(float(F32(1) + F32(param.gamma) * F32(iteration)), -param.power))


def _poly(param: Any, iteration: int, step: int) -> np.float32:
    return F32(_power(float(F32(1) - F32(iteration) / F32(param.max_iter)), param.power))


def _sigmoid(param: Any, iteration: int, step: int) -> np.float32:
    exponent = F32(-param.gamma) * (F32(iteration) - F32(param.stepsize))
    return F32(1) / (F32(1) + F32(np.exp(np.float64(exponent))))


_POLICIES: dict[str, Callable[[Any, int, int], float | np.float32]] = {
    "fixed": _fixed,
    "step": _power_of_step,
    "exp": _exp,
    "inv": _inv,
    "multistep": _power_of_step,
    "poly": _poly,
    "sigmoid": _sigmoid,
}
_NEEDS_GAMMA = ("step", "exp", "inv", "multistep", "sigmoid")
_NEEDS_STEPSIZE = ("step", "sigmoid")
_IN_FLOAT32 = ("inv", "poly", "sigmoid")


def check_policy(param: Any) -> None:
    """Raise SolverError where a SolverParameter's lr_policy is unknown or lacks what it is computed from."""
    policy = param.lr_policy
    if policy not in _POLICIES:
        raise SolverError(f"lr_policy is {policy!r}, which is unknown; {nearest_name(policy, list(_POLICIES))}")
    if policy in _NEEDS_GAMMA and (not param.HasField("gamma") or param.gamma < 0):
        raise SolverError(f"lr_policy {policy!r} needs gamma, 0 or more")
    if policy in _NEEDS_STEPSIZE and param.stepsize < 1:
        raise SolverError(f"lr_policy {policy!r} needs stepsize, 1 or more")
    if policy == "poly" and param.max_iter < 1:
        raise SolverError("lr_policy 'poly' needs max_iter, 1 or more")


def next_step(param: Any, iteration: int, step: int) -> int:
    """The position among the steps at `iteration`, given the one before; other policies leave it alone.

    `multistep` goes on by at most one step an iteration, and its position is part of the solver's state.
    """
    if param.lr_policy == "step":
        return iteration // param.stepsize
    if param.lr_policy == "multistep" and step < len(param.stepvalue) and iteration >= param.stepvalue[step]:
        return step + 1
    return step


def learning_rate(param: Any, iteration: int, step: int) -> float:
    """base_lr times the policy's factor, rounded to float32 as Caffe holds it; `step` from `next_step`.

    Raises SolverError where that is no finite number, as with 'poly' after max_iter; real Caffe trains on with it.
    """
    with np.errstate(all="ignore"):
        factor = _POLICIES[param.lr_policy](param, iteration, step)
        rate = float(F32(param.base_lr) * factor if param.lr_policy in _IN_FLOAT32 else F32(param.base_lr * factor))
    if not math.isfinite(rate):
        raise SolverError(
            f"lr_policy {param.lr_policy!r} gives the rate {rate} at iteration {iteration}"
            + ("; it ends at max_iter" if param.lr_policy == "poly" else "; check gamma and power")
        )
    return rate
