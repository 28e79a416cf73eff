"""AlexNet as bvlc_alexnet lays it out, CaffeNet (pooling before normalisation) and R-CNN's net on top of CaffeNet."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers, params

LEARN = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]
BATCH = 3


def alexnet(size: int, width: int, classes: int) -> NetSpec:
    """Krizhevsky et al. 2012 as in bvlc_alexnet: norm1 before pool1. All widths are divided by `width`."""
    return _net(size, width, ("norm", "pool"), "fc8", classes)


def caffenet(size: int, width: int, classes: int) -> NetSpec:
    """bvlc_reference_caffenet: pool1 before norm1."""
    return _net(size, width, ("pool", "norm"), "fc8", classes)


def rcnn(size: int, width: int, classes: int) -> NetSpec:
    """Girshick et al. 2014: CaffeNet with a class layer of its own, fine-tuned (here with the SVMs' hinge loss)."""
    return _net(size, width, ("pool", "norm"), "fc-rcnn", classes, loss="HingeLoss")


def _net(
    size: int, width: int, after: tuple[str, str], class_layer: str, classes: int, loss: str = "SoftmaxWithLoss"
) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [BATCH, 3, size, size]})
    net.label = layers.Input(shape={"dim": [BATCH]})
    below = _conv(net, "1", net.data, 96 // width, bias=0, kernel_size=11, stride=4)
    below = _after(net, "1", below, after)
    below = _conv(net, "2", below, 256 // width, bias=0.1, pad=2, kernel_size=5, group=2)
    below = _after(net, "2", below, after)
    below = _conv(net, "3", below, 384 // width, bias=0, pad=1, kernel_size=3)
    below = _conv(net, "4", below, 384 // width, bias=0.1, pad=1, kernel_size=3, group=2)
    below = _conv(net, "5", below, 256 // width, bias=0.1, pad=1, kernel_size=3, group=2)
    net.pool5 = below = layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=3, stride=2)
    for number in ("6", "7"):
        below = _fc(net, f"fc{number}", below, 4096 // width, std=0.005, bias=0.1)
        net[f"relu{number}"] = below = layers.ReLU(below, in_place=True)
        net[f"drop{number}"] = below = layers.Dropout(below, dropout_ratio=0.5, in_place=True)
    below = _fc(net, class_layer, below, classes, std=0.01, bias=0)
    net.loss = getattr(layers, loss)(below, net.label)
    return net


def _conv(net: NetSpec, number: str, below: Any, num_output: int, bias: float, **shape: int) -> Any:
    net[f"conv{number}"] = top = layers.Convolution(
        below,
        num_output=num_output,
        param=LEARN,
        weight_filler={"type": "gaussian", "std": 0.01},
        bias_filler={"type": "constant", "value": bias},
        **shape,
    )
    net[f"relu{number}"] = top = layers.ReLU(top, in_place=True)
    return top


def _after(net: NetSpec, number: str, below: Any, order: tuple[str, str]) -> Any:
    for kind in order:
        if kind == "norm":
            net[f"norm{number}"] = below = layers.LRN(below, local_size=5, alpha=1e-4, beta=0.75)
        else:
            net[f"pool{number}"] = below = layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=3, stride=2)
    return below


def _fc(net: NetSpec, name: str, below: Any, num_output: int, std: float, bias: float) -> Any:
    net[name] = top = layers.InnerProduct(
        below,
        num_output=num_output,
        param=LEARN,
        weight_filler={"type": "gaussian", "std": std},
        bias_filler={"type": "constant", "value": bias},
    )
    return top
