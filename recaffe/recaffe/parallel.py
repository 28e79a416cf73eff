"""Caffe's settings for training with several processes, of which recaffe has the case of one.

Scripts made for several GPUs, as Caffe's python/train.py, run with one. Source: python/caffe/_caffe.cpp and
src/caffe/common.cpp.
"""

from __future__ import annotations

from typing import Any

from recaffe.errors import CaffeError

_solver_count = 1
_solver_rank = 0
_is_multiprocess = False


def solver_count() -> int:
    """How many solvers train together, 1 at start."""
    return _solver_count


def set_solver_count(count: int) -> None:
    """State how many solvers train together. More than one cannot work together here: see `NCCL`."""
    global _solver_count
    _solver_count = count


def solver_rank() -> int:
    """The place of this process's solver among them, 0 at start."""
    return _solver_rank


def set_solver_rank(rank: int) -> None:
    """State the place of this process's solver among those that train together."""
    global _solver_rank
    _solver_rank = rank


def multiprocess() -> bool:
    """Whether each solver has a process of its own, as set by `set_multiprocess`."""
    return _is_multiprocess


def set_multiprocess(is_multiprocess: bool) -> None:
    """State whether each solver has a process of its own."""
    global _is_multiprocess
    _is_multiprocess = is_multiprocess


def has_nccl() -> bool:
    """Whether several GPUs can train together: no."""
    return False


class NCCL:
    """The link between a solver and those of other processes. With a single one there is nothing to exchange: it may
    be given to `solver.add_callback` and `net.after_backward`, and does nothing there.

    NCCL(solver, uid). Raises CaffeError where `set_solver_count` announced more than one solver.
    """

    def __init__(self, solver: Any, uid: str | bytes) -> None:
        if _solver_count > 1:
            raise CaffeError(
                f"NCCL: {_solver_count} solvers were announced by set_solver_count, but recaffe trains with one "
                "process and one GPU; start the script with one GPU"
            )

    @staticmethod
    def new_uid() -> str:
        """The name that the processes of one training session share."""
        return "single process"

    def bcast(self) -> None:
        """Send the first solver's weights to all others, of which there are none."""

    def on_start(self) -> None:
        """As a solver's callback, before an iteration."""

    def on_gradients_ready(self) -> None:
        """As a solver's callback, before an update."""

    def __call__(self, layer: int) -> None:
        """As a net's callback, after the backward pass of layer number `layer`."""
