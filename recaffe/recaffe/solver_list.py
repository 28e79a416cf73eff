"""The solvers by type name, as `type` in a solver prototxt says it."""

from __future__ import annotations

from pathlib import Path

from recaffe.errors import SolverError
from recaffe.proto.text import nearest_name
from recaffe.solver import Solver, SolverAction, SolverParameter, read_param
from recaffe.solver_adaptive import AdaDeltaSolver, AdaGradSolver, AdamSolver, RMSPropSolver
from recaffe.solver_sgd import NesterovSolver, SGDSolver

__all__ = [
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "Solver",
    "SolverAction",
    "get_solver",
]

_SOLVERS: dict[str, type[Solver]] = {
    solver.type: solver
    for solver in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(solver: str | Path | SolverParameter) -> Solver:
    """The solver of the `type` that the file (or SolverParameter) states, SGD by default.

    Raises CaffeError where the file is missing, SolverError for an unknown type.
    """
    param = read_param(solver)
    if param.type not in _SOLVERS:
        raise SolverError(f"unknown solver type {param.type!r}; {nearest_name(param.type, list(_SOLVERS))}")
    return _SOLVERS[param.type](param)
