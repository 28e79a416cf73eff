"""ResNet-50 (He et al. 2016): BatchNorm and Scale behind each convolution, sums across blocks."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers, params

BATCH = 4
STAGES = {2: 3, 3: 4, 4: 6, 5: 3}  # stage -> blocks
FIXED = [{"lr_mult": 0, "decay_mult": 0}] * 3


def resnet50(size: int, width: int, classes: int) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [BATCH, 3, size, size]})
    net.label = layers.Input(shape={"dim": [BATCH]})
    below = _conv(net, "conv1", "_conv1", net.data, 64 // width, kernel_size=7, pad=3, stride=2, bias_term=True)
    net.conv1_relu = below = layers.ReLU(below, in_place=True)
    net.pool1 = below = layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=3, stride=2)
    for stage, blocks in STAGES.items():
        for index in range(blocks):
            below = _block(net, f"{stage}{'abcdef'[index]}", below, 2**stage * 16 // width, stage > 2, index == 0)
    net.pool5 = below = layers.Pooling(below, pool=params.Pooling.AVE, global_pooling=True)
    net.fc1000 = layers.InnerProduct(below, num_output=classes, weight_filler={"type": "msra"})
    net.loss = layers.SoftmaxWithLoss(net.fc1000, net.label)
    return net


def _block(net: NetSpec, name: str, below: Any, planes: int, halves: bool, is_first: bool) -> Any:
    """planes, planes, 4 planes outputs; the first of a stage has a convolution beside it and may halve the size."""
    stride = 2 if halves and is_first else 1
    beside = below
    if is_first:
        beside = _conv(net, f"res{name}_branch1", f"{name}_branch1", below, 4 * planes, kernel_size=1, stride=stride)
    top = _conv(net, f"res{name}_branch2a", f"{name}_branch2a", below, planes, kernel_size=1, stride=stride)
    net[f"res{name}_branch2a_relu"] = top = layers.ReLU(top, in_place=True)
    top = _conv(net, f"res{name}_branch2b", f"{name}_branch2b", top, planes, kernel_size=3, pad=1)
    net[f"res{name}_branch2b_relu"] = top = layers.ReLU(top, in_place=True)
    top = _conv(net, f"res{name}_branch2c", f"{name}_branch2c", top, 4 * planes, kernel_size=1)
    net[f"res{name}"] = top = layers.Eltwise(beside, top)
    net[f"res{name}_relu"] = top = layers.ReLU(top, in_place=True)
    return top


def _conv(
    net: NetSpec, name: str, suffix: str, below: Any, num_output: int, bias_term: bool = False, **shape: int
) -> Any:
    net[name] = top = layers.Convolution(
        below, num_output=num_output, bias_term=bias_term, weight_filler={"type": "msra"}, **shape
    )
    net[f"bn{suffix}"] = top = layers.BatchNorm(top, param=FIXED, in_place=True)
    net[f"scale{suffix}"] = top = layers.Scale(top, bias_term=True, in_place=True)
    return top
