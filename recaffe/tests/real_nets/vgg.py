"""VGG-16 (Simonyan and Zisserman 2015, configuration D)."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers, params

LEARN = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # outputs and convolutions of each
BATCH = 2


def vgg16(size: int, width: int, classes: int) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [BATCH, 3, size, size]})
    net.label = layers.Input(shape={"dim": [BATCH]})
    below = add_stages(net, net.data, width)
    for name in ("fc6", "fc7"):
        net[name] = below = layers.InnerProduct(
            below, num_output=4096 // width, param=LEARN, weight_filler={"type": "xavier"}
        )
        net[f"relu{name[-1]}"] = below = layers.ReLU(below, in_place=True)
        net[f"drop{name[-1]}"] = below = layers.Dropout(below, dropout_ratio=0.5, in_place=True)
    net.fc8 = layers.InnerProduct(below, num_output=classes, param=LEARN, weight_filler={"type": "xavier"})
    net.loss = layers.SoftmaxWithLoss(net.fc8, net.label)
    return net


def add_stages(net: NetSpec, below: Any, width: int, first_pad: int = 1) -> Any:
    """conv1_1 to pool5; returns pool5."""
    for stage, (num_output, count) in enumerate(STAGES, 1):
        for index in range(1, count + 1):
            net[f"conv{stage}_{index}"] = below = layers.Convolution(
                below,
                num_output=num_output // width,
                kernel_size=3,
                pad=first_pad if (stage, index) == (1, 1) else 1,
                param=LEARN,
                weight_filler={"type": "msra"},
            )
            net[f"relu{stage}_{index}"] = below = layers.ReLU(below, in_place=True)
        net[f"pool{stage}"] = below = layers.Pooling(below, pool=params.Pooling.MAX, kernel_size=2, stride=2)
    return below
