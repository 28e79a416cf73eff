"""Where a pixel of one blob lies in another, and Crop layers made of it (python/caffe/coord_map.py; Long, Shelhamer
and Darrell, Fully Convolutional Networks for Semantic Segmentation, 2015).

A map is (axis, scale, shift): along the spatial axes, the first of which is `axis` + 1, place x of the one blob is
place x * scale + shift of the other. Axis None stands for a map that is the same along every axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from recaffe.net_spec import Function, NetSpecError, Top
from recaffe.net_spec import layers as L  # noqa: N812 - pycaffe's name

Map = tuple[int | None, Any, Any]

PASS_THROUGH_LAYERS = [  # their tops have the bottom's coordinates
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Dropout",
    "Eltwise",
    "ELU",
    "Log",
    "LRN",
    "Exp",
    "MVN",
    "Power",
    "ReLU",
    "PReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "TanH",
    "Threshold",
]
_IDENTITY: Map = (None, 1, 0)
_LEGACY = {f"{name}_{side}" for name in ("kernel", "stride", "pad") for side in "hw"}


class UndefinedMapException(Exception):  # noqa: N818 - pycaffe's name
    """The layer's type has no coordinates that could be mapped."""


class AxisMismatchException(Exception):  # noqa: N818 - pycaffe's name
    """Two maps that follow each other begin at different axes."""


def conv_params(fn: Function) -> tuple[int, Any, Any, Any]:
    """(axis, stride, kernel size with dilation, pad) of a layer with windows, one value or one for each spatial axis.

    Raises NetSpecError for sizes in their _h and _w forms, and for a layer without kernel_size.
    """
    params = fn.params.get("convolution_param", fn.params)
    legacy = sorted(_LEGACY & params.keys())
    if legacy or "kernel_size" not in params:
        raise NetSpecError(
            f"{fn.type_name} has {', '.join(legacy) or 'no kernel_size'}: coordinates are mapped for layers that give "
            "kernel_size, stride and pad"
        )
    kernel, stride, pad, dilation = (
        np.array(params.get(name, default), ndmin=1)
        for name, default in (("kernel_size", 0), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, Any]:
    """(axis, offset) of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map of the layer: of a place in its bottom the place in its top. Raises UndefinedMapException."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return _IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"a layer of type {fn.type_name} maps no coordinates")


def compose(base_map: Map, next_map: Map) -> Map:
    """`next_map`, then `base_map`. Raises AxisMismatchException."""
    (base_axis, base_scale, base_shift), (axis, scale, shift) = base_map, next_map
    if None not in (base_axis, axis) and base_axis != axis:
        raise AxisMismatchException(f"a map from axis {base_axis} on follows one from axis {axis} on")
    return axis if base_axis is None else base_axis, base_scale * scale, base_scale * shift + base_shift


def inverse(coord_map: Map) -> Map:
    """The map in the other direction."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from a blob to another, over the nearest blob that both are made of.

    Raises RuntimeError where there is no such blob, and what `coord_map` and `compose` raise.
    """
    from_maps = {top_from: _IDENTITY}
    waiting = [top_from]
    while waiting:
        _walk(waiting.pop(), from_maps, waiting)
    to_maps = {top_to: _IDENTITY}
    waiting = [top_to]
    while waiting:
        top = waiting.pop()
        if top in from_maps:
            return compose(to_maps[top], inverse(from_maps[top]))
        _walk(top, to_maps, waiting)
    raise RuntimeError("the two blobs have no blob in common that layers with coordinates lead to")


def _walk(top: Top, maps: dict[Top, Map], waiting: list[Top]) -> None:
    """Go on to the bottoms of the layer that makes `top`; a Crop has its coordinates from the first one only."""
    bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
    for bottom in bottoms:
        try:
            maps[bottom] = compose(maps[top], coord_map(top.fn))
        except UndefinedMapException:
            return
        waiting.append(bottom)


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts `top_from` to the place and size of `top_to`.

    Raises ValueError where the two have different scales, or the offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    offset = -np.round(np.array(shift, ndmin=1)).astype(int)
    if axis is None:
        raise ValueError("crop: no layer with windows lies between the two blobs, so there is nothing to cut")
    if np.any(scale != 1):
        raise ValueError(f"crop: the blobs' scales differ by {scale}; they must be equal")
    if np.any(offset < 0) or np.any(-offset != shift):
        raise ValueError(f"crop: the offset would be {-np.array(shift)}; it must be whole and not negative")
    return L.Crop(top_from, top_to, crop_param={"axis": axis + 1, "offset": offset.tolist()})
