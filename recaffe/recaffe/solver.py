"""The solver's loop, common to all update rules (src/caffe/solver.cpp)."""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import torch
from recaffe import net_debug, resume, snapshot
from recaffe.errors import CaffeError, SolverError
from recaffe.glog import number
from recaffe.learning_rate import check_policy, learning_rate, next_step
from recaffe.loss_guard import LossGuard
from recaffe.mode import set_random_seed
from recaffe.net import Net
from recaffe.proto import caffe_pb2, files
from recaffe.proto.debug_string import debug_string
from recaffe.solver_log import SolverLog, log_outputs
from recaffe.solver_nets import make_test_nets, make_train_net
from recaffe.stored import SolverState, StoredState

log = logging.getLogger("recaffe.solver")
SolverParameter: TypeAlias = Any  # the message, a class made when the schema is loaded


class SolverAction(enum.IntEnum):
    """What a function given to `set_action_function` may ask for. Source: SolverAction::Enum."""

    NONE = 0
    STOP = 1  # no further iteration
    SNAPSHOT = 2  # a snapshot, and go on


class Solver:
    """One training session: `net` learns, `test_nets` are evaluated with its weights, `iter` updates were made.

    solver: the path of a solver prototxt, or a SolverParameter; the paths in it are relative to the working directory,
    as in Caffe. `random_seed` seeds the global random stream before the train net is built. `param` is the
    SolverParameter: what is changed in it holds from the next iteration on.
    stop_at_clamped_loss: whether a loss of 87.3365 raises ClampedLossError; by default it is warned of.
    """

    type: ClassVar[str]

    def __init__(self, solver: str | Path | SolverParameter) -> None:
        self.param: SolverParameter = read_param(solver)
        self._check_param()
        if self.param.random_seed >= 0:
            set_random_seed(self.param.random_seed)
        self.net: Net = make_train_net(self.param)
        self.test_nets: list[Net] = make_test_nets(self.param)
        for net in self.test_nets:
            net.debug_info = self.param.debug_info
        log.info("Solver scaffolding done.")
        self.iter = 0
        self.stop_at_clamped_loss = False
        self._step = 0  # position of lr_policy
        self._callbacks: list[tuple[Callable[[], Any], Callable[[], Any]]] = []
        self._action_function: Callable[[], int] | None = None
        self._stop_requested = False
        self._guard = LossGuard(self.net)
        self._log = SolverLog()

    def _check_param(self) -> None:
        """Raise SolverError for what the solver file asks in vain."""
        if log.isEnabledFor(logging.INFO):
            log.info("Initializing solver from parameters: \n%s", debug_string(self.param))
        check_policy(self.param)
        if self.param.average_loss < 1 or self.param.iter_size < 1:
            raise SolverError("average_loss and iter_size must be at least 1")
        folder = Path(self.param.snapshot_prefix).parent
        if self.param.snapshot and not folder.is_dir():
            raise SolverError(f"snapshot_prefix is {self.param.snapshot_prefix!r}, but there is no folder {folder}")

    # ---- training ----

    @property
    def lr(self) -> float:
        """The rate of the next iteration."""
        return learning_rate(self.param, self.iter, next_step(self.param, self.iter, self._step))

    def step(self, count: int) -> None:
        """Make `count` iterations: test if due, forward and backward iter_size times, update, snapshot if due.

        Raises NonFiniteLossError at the first loss that is not a finite number, before the update.
        Source: Solver::Step.
        """
        stop = self.iter + count
        self._stop_requested = False
        self._log.start(self.iter, self.param.average_loss)
        while self.iter < stop:
            self.net.clear_param_diffs()
            if self._is_due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization):
                self._test_all()
                if self._stop_requested:
                    break
            for on_start, _ in self._callbacks:
                on_start()
            is_displayed = self._is_due(self.param.display)
            self.net.debug_info = is_displayed and self.param.debug_info
            losses = [self._forward_backward() for _ in range(self.param.iter_size)]
            self._log.add_loss(sum(losses) / len(losses), self.iter)
            if is_displayed:
                self._log.display(self.iter, self.param.display, self.net)
            for _, on_gradients_ready in self._callbacks:
                on_gradients_ready()
            self.apply_update()
            request = self._requested_action()
            if self._is_due(self.param.snapshot) or request == SolverAction.SNAPSHOT:
                self.snapshot()
            if request == SolverAction.STOP:
                self._stop_requested = True
                break

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train from `resume_file` (a solverstate), if given, up to max_iter. Source: Solver::Solve."""
        log.info("Solving %s", self.net.name)
        log.info("Learning Rate Policy: %s", self.param.lr_policy)
        if resume_file:
            log.info("Restoring previous solver status from %s", resume_file)
            self.restore(resume_file)
        self.step(self.param.max_iter - self.iter)
        if self.param.snapshot_after_train and not self._is_due(self.param.snapshot):
            self.snapshot()
        if self._stop_requested:
            log.info("Optimization stopped early.")
            return
        if self._is_due(self.param.display):
            self._log.add_loss(self.net._forward(0, len(self.net.engine_layers) - 1), self.iter)
            self._log.display_last(self.iter)
        if self._is_due(self.param.test_interval):
            self._test_all()
        log.info("Optimization Done.")

    def _is_due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _forward_backward(self) -> float:
        last = len(self.net.engine_layers) - 1
        loss = self.net._forward(0, last)
        self._guard.check(loss, self.iter, self.lr, self.stop_at_clamped_loss)
        self.net._backward(last, 0)
        if self.net.debug_info:
            net_debug.log_norms(self.net.learnable)
        return loss

    def apply_update(self) -> None:
        """Change the weights by their diffs and count the iteration. Source: SGDSolver::ApplyUpdate."""
        step, self._step = self._step, next_step(self.param, self.iter, self._step)
        if self.param.lr_policy == "multistep" and self._step > step:
            log.info("MultiStep Status: Iteration %d, step = %d", self.iter, self._step)
        rate = learning_rate(self.param, self.iter, self._step)
        if self._is_due(self.param.display):
            log.info("Iteration %d, lr = %s", self.iter, number(rate))
        self._clip_gradients()
        self._update(rate)
        self.iter += 1

    def _update(self, rate: float) -> None:
        raise NotImplementedError

    def _clip_gradients(self) -> None:
        """Scale all diffs, as accumulated, so that their common L2 norm is at most clip_gradients."""
        if self.param.clip_gradients < 0:
            return
        diffs = [learnable.blob.diff_tensor() for learnable in self.net.learnable if not learnable.blob.diff_is_zero]
        norm = math.sqrt(sum(float(diff.square().sum()) for diff in diffs))
        if norm > self.param.clip_gradients:
            scale = self.param.clip_gradients / norm
            log.info(
                "Gradient clipping: scaling down gradients (L2 norm %s > %s) by scale factor %s",
                number(norm),
                number(self.param.clip_gradients),
                number(scale),
            )
            for diff in diffs:
                diff.mul_(scale)

    # ---- what callers hook in ----

    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], Any] | None = None) -> None:
        """Call `on_start()` before each iteration's passes and `on_gradients_ready()` before its update; or give one
        object that has both, as an NCCL."""
        both = on_start
        pair = (
            (both.on_start, both.on_gradients_ready) if on_gradients_ready is None else (on_start, on_gradients_ready)
        )
        self._callbacks.append(pair)

    def set_action_function(self, function: Callable[[], int] | None) -> None:
        """Ask `function()` for a SolverAction after each update and before each test batch. None: ask nobody."""
        self._action_function = function

    def _requested_action(self) -> int:
        return SolverAction.NONE if self._action_function is None else self._action_function()

    def share_weights(self, net: Net) -> None:
        """Let `net` use the weights of the train net."""
        net.share_with(self.net)

    # ---- testing ----

    def _test_all(self) -> None:
        for index, net in enumerate(self.test_nets):
            if not self._stop_requested:
                self._test(index, net)

    def _test(self, index: int, net: Net) -> None:
        """Mean outputs of a test net over test_iter batches. Source: Solver::Test."""
        log.info("Iteration %d, Testing net (#%d)", self.iter, index)
        net.share_with(self.net)
        count, loss = self.param.test_iter[index], 0.0
        totals = [torch.zeros(0)] * len(net.outputs)
        for batch in range(count):
            while (request := self._requested_action()) != SolverAction.NONE:
                if request == SolverAction.SNAPSHOT:
                    self.snapshot()
                elif request == SolverAction.STOP:
                    self._stop_requested = True
            if self._stop_requested:
                log.info("Test interrupted.")
                return
            loss += net._forward(0, len(net.engine_layers) - 1)
            values = [net.blobs[name].tensor().flatten() for name in net.outputs]
            totals = (
                [value.clone() for value in values]
                if batch == 0
                else [total + value for total, value in zip(totals, values, strict=True)]
            )
        if self.param.test_compute_loss:
            log.info("Test loss: %s", number(loss / max(count, 1)))
        log_outputs("Test", net, [total / count for total in totals])

    # ---- snapshots ----

    def snapshot(self) -> None:
        """Write <snapshot_prefix>_iter_<iter>.caffemodel and .solverstate (with .h5 if snapshot_format is HDF5), each
        whole or not at all. Source: Solver::Snapshot."""
        form = snapshot.form(self.param.snapshot_format)
        stem = f"{self.param.snapshot_prefix}_iter_{self.iter}"
        weights, state = stem + form.WEIGHTS_ENDING, stem + form.STATE_ENDING
        log.info("Snapshotting to %s file %s", form.KIND, weights)
        form.save_weights(self.net, weights, self.param.snapshot_diff)
        log.info("Snapshotting solver state to %s file %s", form.KIND, state)
        stands = resume.capture([self.net, *self.test_nets])
        form.save_state(SolverState(self.iter, weights, self._step, stands, self._history_values()), state)

    def restore(self, path: str | Path, exact: bool = True) -> None:
        """Take up iteration, weights, history and position of lr_policy from a solverstate, ours or real Caffe's.

        Ours also say where the data and the random streams stood, so that on a CPU training goes on to the last bit as
        if it had not stopped. With exact=False, and after real Caffe's, these stay where they are now.
        Raises WeightsError for files that are missing, foreign, or of another net; nothing has changed then.
        """
        with snapshot.open_state(path) as state:
            history = self._checked_history(state, path)
        nets = [self.net, *self.test_nets]
        stands = resume.capture(nets)
        try:
            if exact and state.resume is not None:
                resume.apply(state.resume, nets, path)
            if state.learned_net is not None:
                self.net.copy_from(_find_beside(state.learned_net, path))
        except CaffeError:
            resume.apply(stands, nets, path)
            raise
        self._take_up_history(history, path)
        self.iter, self._step = state.iteration, state.current_step

    def _history_values(self) -> list[torch.Tensor]:
        raise NotImplementedError

    def _checked_history(self, state: StoredState, path: str | Path) -> list[torch.Tensor]:
        raise NotImplementedError

    def _take_up_history(self, values: list[torch.Tensor], path: str | Path) -> None:
        raise NotImplementedError


def read_param(solver: str | Path | SolverParameter) -> SolverParameter:
    """The SolverParameter in a prototxt, or a copy of the one that is given. Raises CaffeError, ValueError."""
    if not isinstance(solver, (str, Path)):
        param = caffe_pb2.SolverParameter()
        param.CopyFrom(solver)
        return param
    if not Path(solver).is_file():
        raise CaffeError(f"could not open file {solver}")
    return files.read_solver(solver)


def _find_beside(named: str, state_path: str | Path) -> Path:
    """The caffemodel that a solverstate names, or, where the folder was moved, the one of that name beside it."""
    weights = Path(named)
    beside = Path(state_path).parent / weights.name
    return beside if not weights.is_file() and beside.is_file() else weights
