"""Batch normalisation for the time of the training: put into the net before it, folded into the weights after it.

An AlexNet without it does not leave chance on shape and texture in the images that an hour on two cores has room for.
A fixed affine map per channel behind a linear layer is a change of that layer's weights, so what is published is a
plain AlexNet that computes the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from recaffe.proto import caffe_pb2

from layerwise.schemes import LEARNED_LAYERS

# chosen: the activations fall from about the size of the input's grey levels (60) to 1 in eight equal ratios. In the
# folded net one rate then moves every layer at the same relative speed, which is what the paper's schemes ask of it.
GAIN = {layer: round(60.0 ** (1 - number / 8), 2) for number, layer in enumerate(LEARNED_LAYERS[:-1], start=1)}
_EPS = 1e-5  # Caffe's default


def with_batch_norm(net: Any) -> Any:
    """A copy of the NetParameter with BatchNorm and Scale, in place, behind each learned layer below fc8.

    Scale starts at GAIN. Its gradient is 1/GAIN of what it would be at 1 and its step should be GAIN times that, hence
    lr_mult GAIN^2: the training is the one that it would be at 1.
    """
    normalised = caffe_pb2.NetParameter()
    normalised.CopyFrom(net)
    del normalised.layer[:]
    for layer in net.layer:
        normalised.layer.add().CopyFrom(layer)
        if layer.name in GAIN:
            blob, gain = layer.top[0], GAIN[layer.name]
            normalised.layer.add(name=f"{layer.name}_bn", type="BatchNorm", bottom=[blob], top=[blob])
            scale = normalised.layer.add(name=f"{layer.name}_scale", type="Scale", bottom=[blob], top=[blob])
            for _ in range(2):
                scale.param.add(lr_mult=gain * gain, decay_mult=0)
            scale.scale_param.filler.type, scale.scale_param.filler.value = "constant", gain
            scale.scale_param.bias_term = True
    return normalised


def fold(trained: Any, plain: Any) -> None:
    """Set the weights of the pycaffe net `plain` so that it computes what `trained` does at TEST.

    `plain` has the same layers without `<layer>_bn` and `<layer>_scale`. Per channel, with mean m and variance v of the
    running statistics, factor g and offset b: W' = W g / sqrt(v + eps), bias' = (bias - m) g / sqrt(v + eps) + b.
    """
    for layer, weights in plain.params.items():
        weight, bias = (blob.data.copy() for blob in trained.params[layer])
        if layer in GAIN:
            mean_sum, variance_sum, divisor = (blob.data for blob in trained.params[f"{layer}_bn"])
            mean, variance = mean_sum / divisor[0], variance_sum / divisor[0]
            gain, offset = (blob.data for blob in trained.params[f"{layer}_scale"])
            factor = gain / np.sqrt(variance + _EPS)
            weight *= factor.reshape(-1, *[1] * (weight.ndim - 1))
            bias = (bias - mean) * factor + offset
        weights[0].data[...], weights[1].data[...] = weight, bias
