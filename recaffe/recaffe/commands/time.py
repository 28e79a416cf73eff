"""usage: recaffe time --model=NET_PROTOTXT [--phase=TRAIN] [--iterations=50] [--gpu=0]

Runs a net forward and backward and logs how long each layer takes on average, in ms.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import recaffe
from recaffe.commands.caffe_flags import PHASES, Flags, read_flags, use_device
from recaffe.commands.flags import UsageError
from recaffe.glog import number
from recaffe.net_build import Node
from recaffe.timer import Timer

__all__ = ["Flags", "main"]
log = logging.getLogger("recaffe.commands")


def main(argv: Sequence[str]) -> int:
    flags = read_flags(argv)
    if not flags.model:
        raise UsageError("Need a model definition to time: --model=FILE")
    device = use_device(flags.gpu)
    log.info("Use CPU." if device is None else f"Use GPU with device ID {device}")
    net = recaffe.Net(flags.model, PHASES[flags.phase], flags.level, flags.stages)
    nodes = net._graph.nodes
    for node in nodes:
        node.layer.needs_backward = True  # keep in forward what backward takes: Caffe times both for every layer
    log.info("Performing Forward")
    log.info("Initial loss: %s", number(net._forward(0, len(nodes) - 1)))
    log.info("Performing Backward")
    for node in reversed(nodes):
        _backward(node)
    _benchmark(nodes, flags.iterations)
    return 0


def _benchmark(nodes: Sequence[Node], iterations: int) -> None:
    """Source: time() in tools/caffe.cpp."""
    log.info("*** Benchmark begins ***")
    log.info("Testing for %d iterations.", iterations)
    forward_ms = [0.0] * len(nodes)
    backward_ms = [0.0] * len(nodes)
    total = Timer()
    total.start()
    for iteration in range(1, iterations + 1):
        before = sum(forward_ms) + sum(backward_ms)
        for index, node in enumerate(nodes):
            forward_ms[index] += _ms(_forward, node)
        for index, node in reversed(list(enumerate(nodes))):
            backward_ms[index] += _ms(_backward, node)
        taken = sum(forward_ms) + sum(backward_ms) - before
        log.info("Iteration: %d forward-backward time: %s ms.", iteration, number(taken))
    total.stop()
    log.info("Average time per layer: ")
    for node, forward, backward in zip(nodes, forward_ms, backward_ms, strict=True):
        log.info("%10s\tforward: %s ms.", node.layer.name, number(forward / iterations))
        log.info("%10s\tbackward: %s ms.", node.layer.name, number(backward / iterations))
    log.info("Average Forward pass: %s ms.", number(sum(forward_ms) / iterations))
    log.info("Average Backward pass: %s ms.", number(sum(backward_ms) / iterations))
    log.info("Average Forward-Backward: %s ms.", number(total.ms / iterations))
    log.info("Total Time: %s ms.", number(total.ms))
    log.info("*** Benchmark ends ***")


def _ms(run: Callable[[Node], None], node: Node) -> float:
    timer = Timer()
    timer.start()
    run(node)
    return timer.ms


def _forward(node: Node) -> None:
    node.layer.reshape(node.bottoms, node.tops)
    node.layer.forward(node.bottoms, node.tops)


def _backward(node: Node) -> None:
    """As Caffe, whether or not the net needs it: what the layer learns and sends down."""
    if any(node.propagate_down) or any(map(node.layer.learns, range(len(node.layer.blobs)))):
        node.layer.backward(node.tops, node.propagate_down, node.bottoms)
