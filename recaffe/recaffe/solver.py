"""The solver's loop, common to all update rules (src/caffe/solver.cpp)."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from recaffe import snapshot
from recaffe.errors import CaffeError, NonFiniteLossError, SolverError
from recaffe.glog import number
from recaffe.learning_rate import check_policy, learning_rate, next_step
from recaffe.mode import set_random_seed
from recaffe.net import Net
from recaffe.proto import caffe_pb2, files

log = logging.getLogger("recaffe.solver")
_TRAIN_NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")


class Solver:
    """One training session: `net` learns, `test_nets` are evaluated with its weights, `iter` updates were made.

    solver_file: a solver prototxt; the paths in it are relative to the working directory, as in Caffe. `random_seed`
    seeds the global random stream before the train net is built.
    """

    type: ClassVar[str]

    def __init__(self, solver_file: str | Path) -> None:
        if not Path(solver_file).is_file():
            raise CaffeError(f"could not open file {solver_file}")
        self.param: Any = files.read_solver(solver_file)
        check_policy(self.param)
        if self.param.average_loss < 1 or self.param.iter_size < 1:
            raise SolverError(f"{solver_file}: average_loss and iter_size must be at least 1")
        self._check_snapshot_folder()
        if self.param.random_seed >= 0:
            set_random_seed(self.param.random_seed)
        self.net = self._make_train_net()
        self.test_nets: list[Net] = self._make_test_nets()
        self.iter = 0
        self._step = 0  # position of lr_policy
        self._losses: list[float] = []  # the latest average_loss ones
        self._smoothed_loss = 0.0
        self._displayed_at = 0, time.monotonic()

    # ---- nets ----

    def _make_train_net(self) -> Net:
        """Source: Solver::InitTrainNet."""
        given = [name for name in _TRAIN_NET_FIELDS if self.param.HasField(name)]
        if len(given) != 1:
            raise SolverError(f"a solver needs exactly one of {', '.join(_TRAIN_NET_FIELDS)}, found {given or 'none'}")
        net_param = self._read_net(getattr(self.param, given[0]))
        return self._make_net(net_param, caffe_pb2.TRAIN, self.param.train_state)

    def _make_test_nets(self) -> list[Net]:
        """Source: Solver::InitTestNets. A `net` or `net_param` makes as many as test_iter has entries left."""
        sources = [*self.param.test_net_param, *self.param.test_net]
        generic = [getattr(self.param, name) for name in ("net", "net_param") if self.param.HasField(name)]
        sources += generic * (len(self.param.test_iter) - len(sources))
        if len(sources) != len(self.param.test_iter):
            raise SolverError(
                f"test_iter is given {len(self.param.test_iter)} times for {len(sources)} test nets; give it for each"
            )
        if sources and self.param.test_interval < 1:
            raise SolverError("test_interval must be at least 1 where there are test nets")
        states = list(self.param.test_state) or [caffe_pb2.NetState()] * len(sources)
        if len(states) != len(sources):
            raise SolverError(f"test_state is given {len(states)} times for {len(sources)} test nets; give it for each")
        return [
            self._make_net(self._read_net(source), caffe_pb2.TEST, state)
            for source, state in zip(sources, states, strict=True)
        ]

    def _read_net(self, source: Any) -> Any:
        """A NetParameter, from itself or from the path of a prototxt."""
        if not isinstance(source, str):
            net_param = caffe_pb2.NetParameter()
            net_param.CopyFrom(source)
            return net_param
        if not Path(source).is_file():
            raise CaffeError(
                f"could not open net file {source}, named in the solver file; it is looked up from {Path.cwd()}"
            )
        return files.read_net(source)

    def _make_net(self, net_param: Any, phase: int, stated: Any) -> Net:
        """The net in its state: `phase`, under what the net says itself, under what the solver states for it."""
        state = caffe_pb2.NetState(phase=phase)
        state.MergeFrom(net_param.state)
        state.MergeFrom(stated)
        net_param.state.CopyFrom(state)
        net = Net.from_param(net_param)
        for paths in self.param.weights:
            for path in paths.split(","):
                net.copy_from(path.strip())
        return net

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
        start, stop = self.iter, self.iter + count
        self._losses, self._smoothed_loss = [], 0.0
        self._displayed_at = self.iter, time.monotonic()
        while self.iter < stop:
            self.net.clear_param_diffs()
            if self._is_due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization):
                self._test_all()
            loss = 0.0
            for _ in range(self.param.iter_size):
                loss += self._forward_backward()
            self._smooth(loss / self.param.iter_size, start)
            if self._is_due(self.param.display):
                self._display()
            self.apply_update()
            if self._is_due(self.param.snapshot):
                self.snapshot()

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train from `resume_file` (a solverstate), if given, up to max_iter. Source: Solver::Solve."""
        log.info("Solving %s", self.net.name)
        log.info("Learning Rate Policy: %s", self.param.lr_policy)
        if resume_file:
            self.restore(resume_file)
        start = self.iter
        self.step(self.param.max_iter - self.iter)
        if self.param.snapshot_after_train and not self._is_due(self.param.snapshot):
            self.snapshot()
        if self._is_due(self.param.display):
            self._smooth(self.net._forward(0, len(self.net.layers) - 1), start)
            log.info("Iteration %d, loss = %s", self.iter, number(self._smoothed_loss))
        if self._is_due(self.param.test_interval):
            self._test_all()
        log.info("Optimization Done.")

    def _is_due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _forward_backward(self) -> float:
        last = len(self.net.layers) - 1
        loss = self.net._forward(0, last)
        if not math.isfinite(loss):
            where = self.net.first_non_finite() or "no single array: the sum of the losses overflows"
            raise NonFiniteLossError(
                f"the loss is {loss} at iteration {self.iter}; the first value that is not finite stands in {where}. "
                f"The rate is {self.lr:g}: lower base_lr, set clip_gradients, or check the data and the mean"
            )
        self.net._backward(last, 0)
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

    # ---- what is reported ----

    def _smooth(self, loss: float, start: int) -> None:
        """Mean of the latest average_loss losses of this call. Source: Solver::UpdateSmoothedLoss."""
        if len(self._losses) < self.param.average_loss:
            self._losses.append(loss)
        else:
            self._losses[(self.iter - start) % self.param.average_loss] = loss
        self._smoothed_loss = sum(self._losses) / len(self._losses)

    def _display(self) -> None:
        iteration, moment = self._displayed_at
        seconds = time.monotonic() - moment
        log.info(
            "Iteration %d (%s iter/s, %ss/%d iters), loss = %s",
            self.iter,
            number((self.iter - iteration) / (seconds or 1.0)),
            number(seconds),
            self.param.display,
            number(self._smoothed_loss),
        )
        self._displayed_at = self.iter, time.monotonic()
        self._log_outputs("Train", self.net, [self.net.blobs[name].tensor().flatten() for name in self.net.outputs])

    def _test_all(self) -> None:
        for index, net in enumerate(self.test_nets):
            self._test(index, net)

    def _test(self, index: int, net: Net) -> None:
        """Mean outputs of a test net over test_iter batches. Source: Solver::Test."""
        log.info("Iteration %d, Testing net (#%d)", self.iter, index)
        net.share_with(self.net)
        count, loss = self.param.test_iter[index], 0.0
        totals = [torch.zeros(0)] * len(net.outputs)
        for batch in range(count):
            loss += net._forward(0, len(net.layers) - 1)
            values = [net.blobs[name].tensor().flatten() for name in net.outputs]
            totals = (
                [value.clone() for value in values]
                if batch == 0
                else [total + value for total, value in zip(totals, values, strict=True)]
            )
        if self.param.test_compute_loss:
            log.info("Test loss: %s", number(loss / count))
        self._log_outputs("Test", net, [total / count for total in totals])

    def _log_outputs(self, kind: str, net: Net, outputs: list[torch.Tensor]) -> None:
        index = 0
        for name, values in zip(net.outputs, outputs, strict=True):
            weight = net.blob_loss_weights[name]
            for value in values.tolist():
                share = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
                log.info("    %s net output #%d: %s = %s%s", kind, index, name, number(value), share)
                index += 1

    # ---- snapshots ----

    def snapshot(self) -> None:
        """Write <snapshot_prefix>_iter_<iter>.caffemodel and .solverstate, each whole or not at all."""
        if self.param.snapshot_format != caffe_pb2.SolverParameter.BINARYPROTO:
            raise SolverError("snapshot_format HDF5 is not known yet; use BINARYPROTO")
        stem = f"{self.param.snapshot_prefix}_iter_{self.iter}"
        log.info("Snapshotting to binary proto file %s.caffemodel", stem)
        self.net.save(f"{stem}.caffemodel")
        log.info("Snapshotting solver state to binary proto file %s.solverstate", stem)
        state = caffe_pb2.SolverState(iter=self.iter, learned_net=f"{stem}.caffemodel", current_step=self._step)
        self._write_history(state)
        snapshot.write_solver_state(f"{stem}.solverstate", state)

    def restore(self, path: str | Path) -> None:
        """Take up iteration, weights, history and position of lr_policy from a .solverstate, ours or real Caffe's.

        Data position and random state are not in the file: the databases are read from their start.
        Raises WeightsError for files that are missing, foreign, or of another net.
        """
        state = snapshot.read_solver_state(path)
        self._check_history(state, path)
        if state.HasField("learned_net"):
            self.net.copy_from(_find_beside(state.learned_net, path))
        self._read_history(state, path)
        self.iter, self._step = state.iter, state.current_step

    def _check_history(self, state: Any, path: str | Path) -> None:
        raise NotImplementedError

    def _read_history(self, state: Any, path: str | Path) -> None:
        raise NotImplementedError

    def _write_history(self, state: Any) -> None:
        raise NotImplementedError

    def _check_snapshot_folder(self) -> None:
        folder = Path(self.param.snapshot_prefix).parent
        if self.param.snapshot and not folder.is_dir():
            raise SolverError(f"snapshot_prefix is {self.param.snapshot_prefix!r}, but there is no folder {folder}")


def _find_beside(named: str, state_path: str | Path) -> Path:
    """The caffemodel that a solverstate names, or, where the folder was moved, the one of that name beside it."""
    beside = Path(state_path).with_name(Path(named).name)
    return beside if not Path(named).is_file() and beside.is_file() else Path(named)
