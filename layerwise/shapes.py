"""Shapes of the nets that prototxt/alexnet.py writes, computed without an engine."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from layerwise.errors import ModelError

Shape = tuple[int, ...]

_SHAPE_KEEPING = ("ReLU", "LRN", "Dropout", "Softmax")
_ENDS = ("Data", "Input", "Accuracy", "SoftmaxWithLoss")


@dataclass(frozen=True)
class LayerShape:
    """output: of the first top, without the batch. params: weight and bias of a learned layer, else empty."""

    output: Shape
    params: tuple[Shape, ...] = ()

    @property
    def n_parameters(self) -> int:
        return sum(prod(shape) for shape in self.params)


def shape_text(shape: Shape) -> str:
    """As Caffe's users write it: 96x3x11x11."""
    return "x".join(map(str, shape))


def layer_shapes(net: Any, data_shape: Shape) -> dict[str, LayerShape]:
    """Name -> shape of each layer of a NetParameter between its data and its losses.

    data_shape: (C, H, W) of a patch.
    Raises ModelError for a layer type that AlexNet does not have.
    Source: Caffe's base_conv_layer.cpp, pooling_layer.cpp (sizes round up) and inner_product_layer.cpp.
    """
    blobs: dict[str, Shape] = {"data": data_shape}
    shapes: dict[str, LayerShape] = {}
    for layer in net.layer:
        if layer.type in _ENDS:
            continue
        shapes[layer.name] = shape = _layer_shape(layer, blobs[layer.bottom[0]])
        blobs[layer.top[0]] = shape.output
    return shapes


def _layer_shape(layer: Any, bottom: Shape) -> LayerShape:
    if layer.type in _SHAPE_KEEPING:
        return LayerShape(bottom)
    if layer.type == "InnerProduct":
        width = layer.inner_product_param.num_output
        return LayerShape((width,), ((width, prod(bottom)), (width,)))
    if layer.type == "Convolution":
        param = layer.convolution_param
        kernel, pad, stride = param.kernel_size[0], sum(param.pad), sum(param.stride) or 1
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size in bottom[1:])
        weight = (param.num_output, bottom[0] // param.group, kernel, kernel)
        return LayerShape((param.num_output, height, width), (weight, (param.num_output,)))
    if layer.type == "Pooling":
        param = layer.pooling_param
        height, width = (-(-(size - param.kernel_size) // param.stride) + 1 for size in bottom[1:])
        return LayerShape((bottom[0], height, width))
    known = ", ".join(("Convolution", "Pooling", "InnerProduct", *_SHAPE_KEEPING, *_ENDS))
    raise ModelError(f"layer '{layer.name}': no shape rule for type {layer.type}; known are {known}")
