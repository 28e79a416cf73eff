"""pycaffe's compiled module, by name: classes and functions that scripts import from `caffe._caffe`.

Its vectors (of ints, layers, nets, ...) are plain lists here.
"""

from __future__ import annotations

from recaffe.blob import Blob, BlobVec
from recaffe.glog import init_log, log
from recaffe.layer import Layer
from recaffe.layers.catalogue import layer_type_list
from recaffe.mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from recaffe.net import Net
from recaffe.parallel import (
    NCCL,
    has_nccl,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from recaffe.proto.caffe_pb2 import LayerParameter, SolverParameter
from recaffe.solver import Solver
from recaffe.solver_list import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from recaffe.timer import Timer

BoolVec = DtypeVec = IntVec = LayerVec = NetVec = RawBlobVec = StringVec = list
__version__ = "1.0.0"  # of the Caffe whose interface and numbers these are

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "BoolVec",
    "DtypeVec",
    "IntVec",
    "Layer",
    "LayerParameter",
    "LayerVec",
    "NesterovSolver",
    "Net",
    "NetVec",
    "RMSPropSolver",
    "RawBlobVec",
    "SGDSolver",
    "Solver",
    "SolverParameter",
    "StringVec",
    "Timer",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]
