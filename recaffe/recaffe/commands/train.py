"""usage: recaffe train --solver=SOLVER_PROTOTXT [--weights=A.caffemodel,B.caffemodel | --snapshot=X.solverstate]

Trains or finetunes a model. Ctrl-C stops it with a snapshot, a hang-up signal makes a snapshot; the flags
--sigint_effect and --sighup_effect change that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import recaffe
from recaffe.commands.caffe_flags import Flags, read_flags, use_device
from recaffe.commands.flags import UsageError
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2, files

__all__ = ["Flags", "main"]
log = logging.getLogger("recaffe.commands")
_EFFECTS = ("none", "stop", "snapshot")  # in the order of SolverAction


def main(argv: Sequence[str]) -> int:
    """Source: train() in tools/caffe.cpp."""
    flags = read_flags(argv)
    if not flags.solver:
        raise UsageError("Need a solver definition to train: --solver=FILE")
    if flags.snapshot and flags.weights:
        raise UsageError("Give a snapshot to resume training or weights to finetune but not both.")
    sigint, sighup = _effect("sigint", flags.sigint_effect), _effect("sighup", flags.sighup_effect)
    param = _solver_param(flags)
    _choose_device(flags, param)
    # After the usage is known to be right: torch takes seconds to load.
    from recaffe.commands.signals import signal_effects
    from recaffe.solver import SolverAction

    with signal_effects(SolverAction(sigint), SolverAction(sighup)) as requested:
        solver = recaffe.get_solver(param)
        solver.set_action_function(requested)
        if flags.snapshot:
            log.info("Resuming from %s", flags.snapshot)
            solver.restore(flags.snapshot)
        log.info("Starting Optimization")
        solver.solve()
    log.info("Optimization Done.")
    return 0


def _effect(name: str, asked: str) -> int:
    if asked not in _EFFECTS:
        raise UsageError(f"flag --{name}_effect is {asked!r}, expected snapshot, stop or none")
    return _EFFECTS.index(asked)


def _solver_param(flags: Flags) -> Any:
    """The SolverParameter of the solver file, with what the flags say of the net's state and the weights."""
    param = files.read_solver(flags.solver)
    param.train_state.level = flags.level
    param.train_state.stage.extend(flags.stages)
    if flags.snapshot or flags.weights:
        param.ClearField("weights")
    if flags.weights:
        param.weights.append(flags.weights)
    return param


def _choose_device(flags: Flags, param: Any) -> None:
    """The GPU of --gpu; without that flag, that of the solver file if it says solver_mode: GPU."""
    asked = flags.gpu
    if not asked and param.HasField("solver_mode") and param.solver_mode == caffe_pb2.SolverParameter.GPU:
        asked = str(param.device_id)
    try:
        device = use_device(asked)
    except CaffeError as error:
        hint = "" if flags.gpu else f"; {flags.solver} says solver_mode: GPU, for a CPU write CPU there"
        raise CaffeError(f"{error}{hint}") from None
    if device is None:
        log.info("Use CPU.")
        return
    import torch

    log.info("Using GPUs %d", device)
    log.info("GPU %d: %s", device, torch.cuda.get_device_name(device))
    param.device_id = device
