"""Losses that say that training has failed: not finite, or clamped at 87.3365."""

from __future__ import annotations

import logging
import math

from recaffe.errors import CaffeError, NonFiniteLossError
from recaffe.layers.softmax import SoftmaxWithLoss
from recaffe.net import Net
from recaffe.net_build import Node

log = logging.getLogger("recaffe.solver")
# chosen: just below -log(FLT_MIN) = 87.3365, the mean loss of SoftmaxWithLoss over a batch in which no label has a
# probability that float32 can hold.
CLAMPED = 87.33


class ClampedLossError(CaffeError):
    """The loss is 87.3365: in the whole batch the net gives the right class no probability at all."""


class LossGuard:
    """Looks at every loss of a train net; real Caffe trains on whatever it is.

    A loss that is not finite is always an error, before the weights become NaN. A clamped one is a warning, or an error
    on demand: it looks the same for a run that is lost and for one that recovers, so by default we go on as Caffe does.
    """

    def __init__(self, net: Net) -> None:
        self._net = net
        self._nodes = [(node, node.layer) for node in net._graph.nodes if isinstance(node.layer, SoftmaxWithLoss)]
        self._was_clamped = False

    def check(self, loss: float, iteration: int, rate: float, stop_at_clamped: bool) -> None:
        """Raise NonFiniteLossError or ClampedLossError, or warn at the first of several clamped losses."""
        if not math.isfinite(loss):
            where = self._net.first_non_finite() or "no single array: the sum of the losses overflows"
            raise NonFiniteLossError(
                f"the loss is {loss} at iteration {iteration}; the first value that is not finite stands in {where}. "
                f"The rate is {rate:g}: lower base_lr, set clip_gradients, or check the data and the mean"
            )
        clamped = [node for node, layer in self._nodes if float(layer.mean_loss) >= CLAMPED]
        if clamped and (stop_at_clamped or not self._was_clamped):
            problem = (
                f"at iteration {iteration} {self._described(clamped[0])}. The rate is {rate:g}: lower base_lr, set "
                "clip_gradients, or check the labels, and scale and mean of the data"
            )
            if stop_at_clamped:
                raise ClampedLossError(problem)
            log.warning("%s. To stop here, set solver.stop_at_clamped_loss = True", problem)
        self._was_clamped = bool(clamped)

    def _described(self, node: Node) -> str:
        """What the loss layer sees, and what comes into the net."""
        scores, labels = (blob.tensor() for blob in node.bottoms[:2])
        first = self._net._graph.nodes[0]
        return (
            f"the loss of layer {node.layer.name!r} is clamped at 87.3365, as no label of the batch has a probability "
            f"above 0: scores from {float(scores.min()):g} to {float(scores.max()):g}, labels from "
            f"{float(labels.min()):g} to {float(labels.max()):g}, mean of what layer {first.layer.name!r} brings in "
            f"{float(first.tops[0].tensor().mean()):g}"
        )
