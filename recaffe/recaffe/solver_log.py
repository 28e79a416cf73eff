"""What a solver says while it trains, in the lines of Caffe's log (src/caffe/solver.cpp)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import torch
from recaffe.glog import number
from recaffe.net import Net

log = logging.getLogger("recaffe.solver")


class SolverLog:
    """The displayed loss, a mean over the latest ones, and the speed."""

    def start(self, iteration: int, average_loss: int) -> None:
        """A call of `step` begins; average_loss: how many losses the displayed one is the mean of."""
        self._start, self._window = iteration, average_loss
        self._losses: list[float] = []
        self._displayed_at = iteration, time.monotonic()

    def add_loss(self, loss: float, iteration: int) -> None:
        """Source: Solver::UpdateSmoothedLoss."""
        if len(self._losses) < self._window:
            self._losses.append(loss)
        else:
            self._losses[(iteration - self._start) % self._window] = loss

    def display(self, iteration: int, interval: int, net: Net) -> None:
        """The loss, the speed since the last display, and the net's outputs."""
        before, moment = self._displayed_at
        seconds = time.monotonic() - moment
        log.info(
            "Iteration %d (%s iter/s, %ss/%d iters), loss = %s",
            iteration,
            number((iteration - before) / (seconds or 1.0)),
            number(seconds),
            interval,
            self._mean_loss(),
        )
        self._displayed_at = iteration, time.monotonic()
        log_outputs("Train", net, [net.blobs[name].tensor().flatten() for name in net.outputs])

    def display_last(self, iteration: int) -> None:
        """The loss after the last update."""
        log.info("Iteration %d, loss = %s", iteration, self._mean_loss())

    def _mean_loss(self) -> str:
        return number(sum(self._losses) / len(self._losses))


def log_outputs(kind: str, net: Net, outputs: Sequence[torch.Tensor]) -> None:
    """A line for each value of a net's outputs; kind: Train or Test."""
    index = 0
    for name, values in zip(net.outputs, outputs, strict=True):
        weight = net.blob_loss_weights[name]
        for value in values.tolist():
            share = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
            log.info("    %s net output #%d: %s = %s%s", kind, index, name, number(value), share)
            index += 1
