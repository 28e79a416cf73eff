"""FCN-8s (Long et al. 2015): VGG-16 made convolutional, three predictions fused, bilinear upsampling, crops."""

from __future__ import annotations

from typing import Any

from recaffe.net_spec import NetSpec, layers

from . import vgg

FIXED = [{"lr_mult": 0}]


def fcn8s(size: int, width: int, classes: int) -> NetSpec:
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [1, 3, size, size]})
    net.label = layers.Input(shape={"dim": [1, 1, size, size]})
    below = vgg.add_stages(net, net.data, width, first_pad=100)
    for name, kernel in (("fc6", 7), ("fc7", 1)):
        net[name] = below = layers.Convolution(
            below, num_output=4096 // width, kernel_size=kernel, param=vgg.LEARN, weight_filler={"type": "msra"}
        )
        net[f"relu{name[-1]}"] = below = layers.ReLU(below, in_place=True)
        net[f"drop{name[-1]}"] = below = layers.Dropout(below, dropout_ratio=0.5, in_place=True)
    net.score_fr = _score(below, classes)
    net.upscore2 = _upsample(net.score_fr, classes, kernel=4, stride=2)
    net.score_pool4 = _score(net.pool4, classes)
    net.score_pool4c = layers.Crop(net.score_pool4, net.upscore2, axis=2, offset=5)
    net.fuse_pool4 = layers.Eltwise(net.upscore2, net.score_pool4c, operation=1)
    net.upscore_pool4 = _upsample(net.fuse_pool4, classes, kernel=4, stride=2)
    net.score_pool3 = _score(net.pool3, classes)
    net.score_pool3c = layers.Crop(net.score_pool3, net.upscore_pool4, axis=2, offset=9)
    net.fuse_pool3 = layers.Eltwise(net.upscore_pool4, net.score_pool3c, operation=1)
    net.upscore8 = _upsample(net.fuse_pool3, classes, kernel=16, stride=8)
    net.score = layers.Crop(net.upscore8, net.data, axis=2, offset=31)
    net.loss = layers.SoftmaxWithLoss(net.score, net.label, loss_param={"normalize": False, "ignore_label": 255})
    return net


def _score(below: Any, classes: int) -> Any:
    return layers.Convolution(
        below, num_output=classes, kernel_size=1, param=vgg.LEARN, weight_filler={"type": "gaussian", "std": 0.05}
    )


def _upsample(below: Any, classes: int, kernel: int, stride: int) -> Any:
    return layers.Deconvolution(
        below,
        convolution_param={
            "num_output": classes,
            "group": classes,  # the filler fills every pair of channels: without groups all classes are scored alike
            "kernel_size": kernel,
            "stride": stride,
            "bias_term": False,
            "weight_filler": {"type": "bilinear"},
        },
        param=FIXED,
    )
