"""The solvers by type name, as `type` in a solver prototxt says it."""

from __future__ import annotations

from pathlib import Path

from recaffe.errors import CaffeError, SolverError
from recaffe.proto import files
from recaffe.proto.text import nearest_name
from recaffe.solver import Solver, SolverAction
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


def get_solver(solver_file: str | Path) -> Solver:
    """The solver of the `type` that the file states, SGD by default. Raises SolverError for an unknown one."""
    if not Path(solver_file).is_file():
        raise CaffeError(f"could not open file {solver_file}")
    kind = files.read_solver(solver_file).type
    if kind not in _SOLVERS:
        raise SolverError(f"{solver_file}: unknown solver type {kind!r}; {nearest_name(kind, list(_SOLVERS))}")
    return _SOLVERS[kind](solver_file)
