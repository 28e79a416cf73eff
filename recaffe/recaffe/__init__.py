"""pycaffe without Caffe: `import recaffe as caffe`.

Nets and solvers load torch when they are first used, so that `recaffe.proto`, `recaffe.io` and `recaffe.net_spec` stay
quick and work where torch is missing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recaffe import classifier, coord_map, detector, draw, io, layers, net_spec, proto, pycaffe
    from recaffe.blob import Blob
    from recaffe.classifier import Classifier
    from recaffe.detector import Detector
    from recaffe.errors import CaffeError, LabelError, NetError, NonFiniteLossError, SolverError, WeightsError
    from recaffe.glog import init_log, log
    from recaffe.layer import Layer
    from recaffe.layers.catalogue import layer_type_list
    from recaffe.loss_guard import ClampedLossError
    from recaffe.mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
    from recaffe.net import Net
    from recaffe.net_spec import NetSpec, params, to_proto
    from recaffe.parallel import (
        NCCL,
        has_nccl,
        set_multiprocess,
        set_solver_count,
        set_solver_rank,
        solver_count,
        solver_rank,
    )
    from recaffe.permissions import allow_python_layers
    from recaffe.solver_list import (
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        NesterovSolver,
        RMSPropSolver,
        SGDSolver,
        Solver,
        SolverAction,
        get_solver,
    )
    from recaffe.timer import Timer

__version__ = "0.1.0"
TRAIN, TEST = 0, 1  # the values of the enum Phase in Caffe's schema

_HOMES = {
    "AdaDeltaSolver": "recaffe.solver_list",
    "AdaGradSolver": "recaffe.solver_list",
    "AdamSolver": "recaffe.solver_list",
    "Blob": "recaffe.blob",
    "CaffeError": "recaffe.errors",
    "ClampedLossError": "recaffe.loss_guard",
    "Classifier": "recaffe.classifier",
    "Detector": "recaffe.detector",
    "LabelError": "recaffe.errors",
    "Layer": "recaffe.layer",
    "NCCL": "recaffe.parallel",
    "NesterovSolver": "recaffe.solver_list",
    "Net": "recaffe.net",
    "NetError": "recaffe.errors",
    "NetSpec": "recaffe.net_spec",
    "NonFiniteLossError": "recaffe.errors",
    "RMSPropSolver": "recaffe.solver_list",
    "SGDSolver": "recaffe.solver_list",
    "Solver": "recaffe.solver_list",
    "SolverAction": "recaffe.solver_list",
    "SolverError": "recaffe.errors",
    "Timer": "recaffe.timer",
    "WeightsError": "recaffe.errors",
    "allow_python_layers": "recaffe.permissions",
    "get_solver": "recaffe.solver_list",
    "has_nccl": "recaffe.parallel",
    "init_log": "recaffe.glog",
    "layer_type_list": "recaffe.layers.catalogue",
    "log": "recaffe.glog",
    "params": "recaffe.net_spec",
    "set_device": "recaffe.mode",
    "set_mode_cpu": "recaffe.mode",
    "set_mode_gpu": "recaffe.mode",
    "set_multiprocess": "recaffe.parallel",
    "set_random_seed": "recaffe.mode",
    "set_solver_count": "recaffe.parallel",
    "set_solver_rank": "recaffe.parallel",
    "solver_count": "recaffe.parallel",
    "solver_rank": "recaffe.parallel",
    "to_proto": "recaffe.net_spec",
}
_MODULES = (
    "_caffe",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "io",
    "layers",
    "net_spec",
    "proto",
    "pycaffe",
)

__all__ = [  # noqa: RUF022 - what pycaffe has, then what is ours
    "Net",
    "Solver",
    "SGDSolver",
    "NesterovSolver",
    "AdaGradSolver",
    "RMSPropSolver",
    "AdaDeltaSolver",
    "AdamSolver",
    "get_solver",
    "Layer",
    "layer_type_list",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_device",
    "set_random_seed",
    "init_log",
    "log",
    "Timer",
    "NCCL",
    "has_nccl",
    "solver_count",
    "set_solver_count",
    "solver_rank",
    "set_solver_rank",
    "set_multiprocess",
    "Classifier",
    "Detector",
    "TRAIN",
    "TEST",
    "layers",
    "params",
    "NetSpec",
    "to_proto",
    "io",
    "net_spec",
    "proto",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "pycaffe",
    "Blob",
    "CaffeError",
    "ClampedLossError",
    "LabelError",
    "NetError",
    "NonFiniteLossError",
    "SolverAction",
    "SolverError",
    "WeightsError",
    "allow_python_layers",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"recaffe.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'recaffe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
