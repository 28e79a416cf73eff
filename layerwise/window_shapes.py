"""Shapes and multiply-accumulates of layers that slide windows: Convolution, Deconvolution, Pooling.

Source: Caffe's base_conv_layer.cpp, conv_layer.cpp, deconv_layer.cpp and pooling_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from recaffe.proto import caffe_pb2

from layerwise.layer_shape import LayerShape, Shape, axis_of, refusal, shape_text


def convolution(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """Every weight meets every place of the output once: so many multiply-accumulates."""
    weight, spatial_from, windows = _convolution(layer, bottoms[0])
    n_output = layer.convolution_param.num_output
    tops = []
    for bottom in bottoms:
        sizes = [
            (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
            for size, (kernel, stride, pad, dilation) in zip(bottom[spatial_from:], windows, strict=True)
        ]
        tops.append((*bottom[: spatial_from - 1], n_output, *_fitting(layer, bottom, sizes)))
    places = sum(prod(top) // n_output for top in tops)
    return LayerShape(tuple(tops), (weight, *_bias(layer.convolution_param)), prod(weight) * places)


def deconvolution(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """A Convolution turned round: every weight meets every place of the bottom once."""
    weight, spatial_from, windows = _convolution(layer, bottoms[0], transposed=True)
    tops = []
    for bottom in bottoms:
        sizes = [
            stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
            for size, (kernel, stride, pad, dilation) in zip(bottom[spatial_from:], windows, strict=True)
        ]
        n_output = layer.convolution_param.num_output
        tops.append((*bottom[: spatial_from - 1], n_output, *_fitting(layer, bottom, sizes)))
    places = sum(prod(bottom[: spatial_from - 1]) * prod(bottom[spatial_from:]) for bottom in bottoms)
    return LayerShape(tuple(tops), (weight, *_bias(layer.convolution_param)), prod(weight) * places)


def pooling(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """Sizes round up (round_mode FLOOR: down); with padding, a window that would begin beyond the image is dropped."""
    bottom, param = bottoms[0], layer.pooling_param
    if len(bottom) != 4:
        raise refusal(layer, f"pools images, and its bottom is {shape_text(bottom)}")
    if param.global_pooling:
        return LayerShape(((*bottom[:2], 1, 1),) * len(layer.top))
    sizes = []
    for side, size in zip("hw", bottom[2:], strict=True):
        kernel, stride, pad = (
            getattr(param, f"{name}_{side}") if param.HasField(f"{name}_{side}") else getattr(param, both)
            for name, both in (("kernel", "kernel_size"), ("stride", "stride"), ("pad", "pad"))
        )
        _positive(layer, kernel, stride)
        room = size + 2 * pad - kernel
        is_floor = param.round_mode == caffe_pb2.PoolingParameter.FLOOR
        count = (room // stride if is_floor else -(-room // stride)) + 1
        sizes.append(count - 1 if pad and (count - 1) * stride >= size + pad else count)
    return LayerShape(((*bottom[:2], *_fitting(layer, bottom, sizes)),) * len(layer.top))


def _convolution(
    layer: Any, bottom: Shape, transposed: bool = False
) -> tuple[Shape, int, list[tuple[int, int, int, int]]]:
    """The weight's shape, the first axis behind the channels, and (kernel, stride, pad, dilation) from there on."""
    param = layer.convolution_param
    axis = axis_of(layer, param.axis, bottom)
    n_axes, channels = len(bottom) - axis - 1, bottom[axis]
    if not param.num_output or not param.group or channels % param.group or param.num_output % param.group:
        raise refusal(
            layer, f"cannot cut {channels} channels and num_output {param.num_output} into {param.group} groups"
        )
    windows = list(
        zip(
            _along_axes(layer, "kernel", n_axes, 0),
            _along_axes(layer, "stride", n_axes, 1),
            _along_axes(layer, "pad", n_axes, 0),
            _along_axes(layer, "dilation", n_axes, 1),
            strict=True,
        )
    )
    for kernel, stride, _, _ in windows:
        _positive(layer, kernel, stride)
    ends = (channels, param.num_output) if transposed else (param.num_output, channels)
    weight = (ends[0], ends[1] // param.group, *(kernel for kernel, _, _, _ in windows))
    return weight, axis + 1, windows


def _along_axes(layer: Any, name: str, n_axes: int, default: int) -> list[int]:
    """One number for each axis: from the _h and _w forms, from one for all axes, or from one for each."""
    param = layer.convolution_param
    if name != "dilation" and param.HasField(f"{name}_h") and n_axes == 2:
        return [getattr(param, f"{name}_h"), getattr(param, f"{name}_w")]
    numbers = list(getattr(param, "kernel_size" if name == "kernel" else name)) or [default]
    if len(numbers) not in (1, n_axes):
        raise refusal(layer, f"has {len(numbers)} numbers as its {name} for {n_axes} axes; give one, or one for each")
    return numbers * n_axes if len(numbers) == 1 else numbers


def _bias(param: Any) -> tuple[Shape, ...]:
    return ((param.num_output,),) if param.bias_term else ()


def _positive(layer: Any, kernel: int, stride: int) -> None:
    if not kernel or not stride:
        raise refusal(layer, f"has a kernel of {kernel} and a stride of {stride}; both must be at least 1")


def _fitting(layer: Any, bottom: Shape, sizes: Sequence[int]) -> Sequence[int]:
    if min(sizes, default=1) < 1:
        raise refusal(layer, f"has a window larger than its bottom, which is {shape_text(bottom)}")
    return sizes
