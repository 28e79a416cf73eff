"""usage: recaffe test --model=NET_PROTOTXT --weights=CAFFEMODEL [--iterations=50] [--gpu=0]

Scores a model: runs the net's TEST phase over as many batches and logs each output and the means.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import recaffe
from recaffe.commands.caffe_flags import Flags, read_flags, use_device
from recaffe.commands.flags import UsageError
from recaffe.glog import number

__all__ = ["Flags", "main"]
log = logging.getLogger("recaffe.commands")


def main(argv: Sequence[str]) -> int:
    flags = read_flags(argv)
    if not flags.model:
        raise UsageError("Need a model definition to score: --model=FILE")
    if not flags.weights:
        raise UsageError("Need model weights to score: --weights=FILE")
    device = use_device(flags.gpu)
    if device is None:
        log.info("Use CPU.")
    else:
        import torch

        log.info("Use GPU with device ID %d", device)
        log.info("GPU device name: %s", torch.cuda.get_device_name(device))
    net = recaffe.Net(flags.model, recaffe.TEST, flags.level, flags.stages)
    net.copy_from(flags.weights)
    _score(net, flags.iterations)
    return 0


def _score(net: recaffe.Net, iterations: int) -> None:
    """Source: test() in tools/caffe.cpp."""
    log.info("Running for %d iterations.", iterations)
    loss = 0.0
    totals: dict[str, np.ndarray] = {}
    for batch in range(iterations):
        loss += net._forward(0, len(net.layers) - 1)
        for name in net.outputs:
            values = net.blobs[name].data.flatten()
            totals[name] = values if batch == 0 else totals[name] + values
            for value in values:
                log.info("Batch %d, %s = %s", batch, name, number(value))
    log.info("Loss: %s", number(loss / iterations))
    for name, total in totals.items():
        weight = net.blob_loss_weights[name]
        for mean in total / np.float32(iterations):
            share = f" (* {number(weight)} = {number(weight * mean)} loss)" if weight else ""
            log.info("%s = %s%s", name, number(mean), share)
