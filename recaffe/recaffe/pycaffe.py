"""`from caffe.pycaffe import Net, SGDSolver, ...`: nets and solvers under the module where pycaffe has them."""

from __future__ import annotations

from recaffe.net import Net
from recaffe.parallel import NCCL
from recaffe.solver_list import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
)
from recaffe.timer import Timer

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "NesterovSolver",
    "Net",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
]
