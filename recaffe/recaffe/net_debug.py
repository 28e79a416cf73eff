"""What `debug_info: true` writes into the log: mean absolute values (src/caffe/net.cpp, *DebugInfo)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import torch
from recaffe.glog import number
from recaffe.net_build import Learnable, Node

log = logging.getLogger("recaffe.net")


def log_forward(node: Node, top_names: Sequence[str]) -> None:
    """A layer's outputs and weights after its forward pass."""
    for name, blob in zip(top_names, node.tops, strict=True):
        log.info("    [Forward] Layer %s, top blob %s data: %s", node.layer.name, name, _mean(blob.tensor()))
    specs = node.layer.param.param
    for index, blob in enumerate(node.layer.blobs):
        name = (specs[index].name if index < len(specs) else "") or index
        log.info("    [Forward] Layer %s, param blob %s data: %s", node.layer.name, name, _mean(blob.tensor()))


def log_backward(node: Node, bottom_names: Sequence[str]) -> None:
    """The gradients that a layer's backward pass made."""
    for name, blob, wanted in zip(bottom_names, node.bottoms, node.propagate_down, strict=True):
        if wanted:
            log.info(
                "    [Backward] Layer %s, bottom blob %s diff: %s", node.layer.name, name, _mean(blob.diff_tensor())
            )
    for index, blob in enumerate(node.layer.blobs):
        if node.layer.learns(index):
            log.info(
                "    [Backward] Layer %s, param blob %d diff: %s", node.layer.name, index, _mean(blob.diff_tensor())
            )


def log_norms(learnable: Iterable[Learnable]) -> None:
    """The norms of all weights and their gradients, which a solver logs after its backward pass."""
    blobs = [weights.blob for weights in learnable]
    pairs = [(blob.tensor(), blob.diff_tensor()) for blob in blobs]
    l1 = [sum(float(pair[side].abs().sum()) for pair in pairs) for side in (0, 1)]
    l2 = [sum(float(pair[side].square().sum()) for pair in pairs) ** 0.5 for side in (0, 1)]
    log.error(
        "    [Backward] All net params (data, diff): L1 norm = (%s, %s); L2 norm = (%s, %s)", *map(number, [*l1, *l2])
    )


def _mean(values: torch.Tensor) -> str:
    return number(float(values.abs().sum()) / max(values.numel(), 1))
