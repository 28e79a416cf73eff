"""Type of layer -> rule for the shapes of what it brings in: rule(layer, shape), a LayerShape or ModelError.

shape: (C, H, W) of the pictures, in the place of what the layer says; None to go by the layer alone. A database is not
opened: what a Data layer without crop_size gives must be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerwise.layer_shape import LayerShape, Shape, refusal

SourceRule = Callable[[Any, Shape | None], LayerShape]

_HOW_TO_TELL = "does not say how large its pictures are; tell it with --shape, as 3,227,227"


def _input(layer: Any, shape: Shape | None) -> LayerShape:
    return _declared(layer, [tuple(entry.dim) for entry in layer.input_param.shape], shape)


def _dummy_data(layer: Any, shape: Shape | None) -> LayerShape:
    param = layer.dummy_data_param
    old = zip(param.num, param.channels, param.height, param.width, strict=False)
    return _declared(layer, [tuple(entry.dim) for entry in param.shape] or list(old), shape)


def _declared(layer: Any, declared: Sequence[Shape], shape: Shape | None) -> LayerShape:
    """One shape for each top, or one for all; `shape` takes the place of those of images."""
    shapes = list(declared) * len(layer.top) if len(declared) == 1 else list(declared)
    if len(shapes) != len(layer.top):
        raise refusal(layer, f"has {len(declared)} shapes for {len(layer.top)} tops; give one, or one for each")
    if any(size < 1 for entry in shapes for size in entry):
        raise refusal(layer, "has a size below 1")
    return LayerShape(tuple((entry[0], *shape) if shape and len(entry) == 4 else entry for entry in shapes))


def _data(layer: Any, shape: Shape | None) -> LayerShape:
    crop = layer.transform_param.crop_size
    return _pictures(layer, layer.data_param.batch_size, shape or (crop and (_channels(layer), crop, crop)))


def _image_data(layer: Any, shape: Shape | None) -> LayerShape:
    param = layer.image_data_param
    crop = layer.transform_param.crop_size
    height, width = crop or param.new_height, crop or param.new_width
    channels = 3 if param.is_color else 1
    return _pictures(layer, param.batch_size, shape or (height and width and (channels, height, width)))


def _memory_data(layer: Any, shape: Shape | None) -> LayerShape:
    param = layer.memory_data_param
    return _pictures(layer, param.batch_size, shape or (param.channels, param.height, param.width))


def _window_data(layer: Any, shape: Shape | None) -> LayerShape:
    param = layer.window_data_param
    crop = layer.transform_param.crop_size or param.crop_size
    return _pictures(layer, param.batch_size, shape or (crop and (3, crop, crop)))


def _channels(layer: Any) -> int:
    """Of a database's pictures. chosen: where nothing is said they have colours, as those of ImageNet's nets have."""
    transform = layer.transform_param
    if transform.force_gray:
        return 1
    return len(transform.mean_value) if len(transform.mean_value) > 1 and not transform.force_color else 3


def _pictures(layer: Any, batch: int, shape: Shape | int) -> LayerShape:
    """Pictures and, as second top, one label for each. A shape of 0 is none."""
    if not shape or isinstance(shape, int):
        raise refusal(layer, _HOW_TO_TELL)
    if batch < 1 or min(shape) < 1:
        raise refusal(layer, f"has a batch of {batch} and pictures of {shape}; every size must be at least 1")
    return LayerShape(((batch, *shape), (batch,))[: len(layer.top)])


def _hdf5_data(layer: Any, shape: Shape | None) -> LayerShape:
    if len(layer.top) > 2:
        raise refusal(layer, f"gives {len(layer.top)} blobs, whose shapes stand in its HDF5 files only")
    return _pictures(layer, layer.hdf5_data_param.batch_size, shape or 0)


def _parameter(layer: Any, shape: Shape | None) -> LayerShape:
    own = tuple(layer.parameter_param.shape.dim)
    return LayerShape((own,), (own,))


SOURCES: dict[str, SourceRule] = {
    "Data": _data,
    "DummyData": _dummy_data,
    "HDF5Data": _hdf5_data,
    "ImageData": _image_data,
    "Input": _input,
    "MemoryData": _memory_data,
    "Parameter": _parameter,
    "WindowData": _window_data,
}
