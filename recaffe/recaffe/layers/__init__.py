"""Layers, one class per type with the type's own name. Importing this package makes all of them known."""

from recaffe.layers import (
    accuracy,
    convolution,
    eltwise,
    inner_product,
    inputs,
    lrn,
    neuron,
    plumbing,
    pooling,
    softmax,
)
from recaffe.layers.base import Layer, create_layer, layer_type_list

__all__ = [
    "Layer",
    "accuracy",
    "convolution",
    "create_layer",
    "eltwise",
    "inner_product",
    "inputs",
    "layer_type_list",
    "lrn",
    "neuron",
    "plumbing",
    "pooling",
    "softmax",
]
