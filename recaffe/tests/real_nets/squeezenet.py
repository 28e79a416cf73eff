"""SqueezeNet 1.0 (Iandola et al. 2016): fire modules, no fully connected layer."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers, params

BATCH = 2
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def squeezenet(size: int, width: int, classes: int) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [BATCH, 3, size, size]})
    net.label = layers.Input(shape={"dim": [BATCH]})
    below = _conv(net, "conv1", "relu_conv1", net.data, 96 // width, kernel_size=7, stride=2)
    net.pool1 = below = _max_pool(below)
    for number, (squeeze, expand) in FIRES.items():
        below = _fire(net, f"fire{number}", below, squeeze // width, expand // width)
        if number in (4, 8):
            net[f"pool{number}"] = below = _max_pool(below)
    net.drop9 = below = layers.Dropout(below, dropout_ratio=0.5, in_place=True)
    net.conv10 = below = layers.Convolution(
        below, num_output=classes, kernel_size=1, weight_filler={"type": "gaussian", "mean": 0.0, "std": 0.01}
    )
    net.relu_conv10 = below = layers.ReLU(below, in_place=True)
    net.pool10 = below = layers.Pooling(below, pool=params.Pooling.AVE, global_pooling=True)
    net.loss = layers.SoftmaxWithLoss(below, net.label)
    return net


def _conv(net: NetSpec, name: str, relu: str, below: Any, num_output: int, **shape: int) -> Any:
    net[name] = top = layers.Convolution(below, num_output=num_output, weight_filler={"type": "xavier"}, **shape)
    net[relu] = top = layers.ReLU(top, in_place=True)
    return top


def _max_pool(below: Any) -> Any:
    return layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=3, stride=2)


def _fire(net: NetSpec, name: str, below: Any, squeeze: int, expand: int) -> Any:
    below = _conv(net, f"{name}/squeeze1x1", f"{name}/relu_squeeze1x1", below, squeeze, kernel_size=1)
    one = _conv(net, f"{name}/expand1x1", f"{name}/relu_expand1x1", below, expand, kernel_size=1)
    three = _conv(net, f"{name}/expand3x3", f"{name}/relu_expand3x3", below, expand, kernel_size=3, pad=1)
    net[f"{name}/concat"] = top = layers.Concat(one, three)
    return top
