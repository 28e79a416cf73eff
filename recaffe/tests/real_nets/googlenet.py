"""GoogLeNet (Szegedy et al. 2015) as bvlc_googlenet lays it out, with its two auxiliary losses."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers, params

LEARN = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]
BATCH = 2
INCEPTIONS = {  # 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(size: int, width: int, classes: int) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [BATCH, 3, size, size]})
    net.label = layers.Input(shape={"dim": [BATCH]})
    below = _conv(net, "conv1/7x7_s2", net.data, 64 // width, pad=3, kernel_size=7, stride=2)
    net["pool1/3x3_s2"] = below = _max_pool(below, stride=2)
    net["pool1/norm1"] = below = layers.LRN(below, local_size=5, alpha=1e-4, beta=0.75)
    below = _conv(net, "conv2/3x3_reduce", below, 64 // width, kernel_size=1)
    below = _conv(net, "conv2/3x3", below, 192 // width, pad=1, kernel_size=3)
    net["conv2/norm2"] = below = layers.LRN(below, local_size=5, alpha=1e-4, beta=0.75)
    net["pool2/3x3_s2"] = below = _max_pool(below, stride=2)
    for name, widths in INCEPTIONS.items():
        below = _inception(net, f"inception_{name}", below, [max(number // width, 1) for number in widths])
        if name in ("3b", "4e"):
            pool = f"pool{name[0]}/3x3_s2"
            net[pool] = below = _max_pool(below, stride=2)
        if name in ("4a", "4d"):
            _auxiliary(net, "loss1" if name == "4a" else "loss2", below, width, classes)
    net["pool5/7x7_s1"] = below = layers.Pooling(below, pool=params.Pooling.AVE, global_pooling=True)
    net["pool5/drop_7x7_s1"] = below = layers.Dropout(below, dropout_ratio=0.4, in_place=True)
    net["loss3/classifier"] = below = layers.InnerProduct(
        below, num_output=classes, param=LEARN, weight_filler={"type": "xavier"}
    )
    net["loss3/loss3"] = layers.SoftmaxWithLoss(below, net.label, loss_weight=1)
    return net


def _conv(net: NetSpec, name: str, below: Any, num_output: int, **shape: int) -> Any:
    net[name] = top = layers.Convolution(
        below,
        num_output=num_output,
        param=LEARN,
        weight_filler={"type": "xavier"},
        bias_filler={"type": "constant", "value": 0.2},
        **shape,
    )
    folder, _, rest = name.partition("/")
    net[f"{folder}/relu_{rest}"] = top = layers.ReLU(top, in_place=True)
    return top


def _max_pool(below: Any, stride: int, pad: int = 0) -> Any:
    return layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=3, stride=stride, pad=pad)


def _inception(net: NetSpec, name: str, below: Any, widths: list[int]) -> Any:
    one, three_reduce, three, five_reduce, five, projection = widths
    branch1 = _conv(net, f"{name}/1x1", below, one, kernel_size=1)
    branch3 = _conv(net, f"{name}/3x3_reduce", below, three_reduce, kernel_size=1)
    branch3 = _conv(net, f"{name}/3x3", branch3, three, pad=1, kernel_size=3)
    branch5 = _conv(net, f"{name}/5x5_reduce", below, five_reduce, kernel_size=1)
    branch5 = _conv(net, f"{name}/5x5", branch5, five, pad=2, kernel_size=5)
    net[f"{name}/pool"] = pooled = _max_pool(below, stride=1, pad=1)
    pooled = _conv(net, f"{name}/pool_proj", pooled, projection, kernel_size=1)
    net[f"{name}/output"] = top = layers.Concat(branch1, branch3, branch5, pooled)
    return top


def _auxiliary(net: NetSpec, name: str, below: Any, width: int, classes: int) -> None:
    net[f"{name}/ave_pool"] = below = layers.Pooling(below, pool=params.Pooling.AVE, kernel_size=5, stride=3)
    below = _conv(net, f"{name}/conv", below, 128 // width, kernel_size=1)
    net[f"{name}/fc"] = below = layers.InnerProduct(
        below, num_output=1024 // width, param=LEARN, weight_filler={"type": "xavier"}
    )
    net[f"{name}/relu_fc"] = below = layers.ReLU(below, in_place=True)
    net[f"{name}/drop_fc"] = below = layers.Dropout(below, dropout_ratio=0.7, in_place=True)
    net[f"{name}/classifier"] = below = layers.InnerProduct(
        below, num_output=classes, param=LEARN, weight_filler={"type": "xavier"}
    )
    net[f"{name}/loss"] = layers.SoftmaxWithLoss(below, net.label, loss_weight=0.3)
