"""What copying weights by layer name does to each layer, known before anything is copied.

Source: Net::CopyTrainedLayersFrom, Net::CopyTrainedLayersFromHDF5.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from recaffe import snapshot
from recaffe.blob import Blob
from recaffe.errors import WeightsError
from recaffe.layers.base import Layer
from recaffe.stored import Shape, StoredArray, StoredLayer

if TYPE_CHECKING:
    from recaffe.net import Net

log = logging.getLogger("recaffe.net")
_HEADS = ("layer", "action", "shapes", "of the source", "reason")


@dataclass(frozen=True)
class PlanRow:
    """One layer of the net or of the file that has weights.

    action: `copied`; `reshaped`, copied from an old file's four sizes; `re-initialised`, a layer without source, which
    keeps its values; `dropped`, a source without a layer in the net.
    shapes, source_shapes: of the weight arrays here and in the file; None where there is no such layer.
    """

    layer: str
    action: str
    shapes: tuple[Shape, ...] | None
    source_shapes: tuple[Shape, ...] | None
    reason: str


@dataclass(frozen=True)
class CopyPlan:
    """The rows, in the order of the net, then what is dropped; `print(plan)` shows a table."""

    path: str
    rows: tuple[PlanRow, ...]

    def __str__(self) -> str:
        cells = [(row.layer, row.action, _text(row.shapes), _text(row.source_shapes), row.reason) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(_HEADS, *cells, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in (_HEADS, *cells)]
        return "\n".join([f"{self.path}:", *lines])


def copy_plan(net: Net, path: str | Path) -> CopyPlan:
    """What `copy_weights` would do. Raises WeightsError where it would."""
    with snapshot.open_weights(path) as source:
        _pairs(net, source, path)
        return CopyPlan(str(path), tuple(_rows(net, source)))


def copy_weights(net: Net, path: str | Path) -> None:
    """Copy the weights of a caffemodel, binary or HDF5, into the layers of the same name, in place.

    A source layer without a namesake is ignored, a layer without a source keeps its values (both are logged). V1 files
    and four-size blobs of old files are read, and diffs where the file holds some. Nothing is copied where anything
    does not fit. Warns of a layer that is left with weights of zero.
    Raises WeightsError: file missing, truncated or foreign; other number of arrays; other shape.
    """
    with snapshot.open_weights(path) as source:
        values = [
            (blob, array.read(), array.read_diff() if array.read_diff else None)
            for blob, array in _pairs(net, source, path)
        ]
        rows = list(_rows(net, source))
        ignored = [stored.name for stored in source if stored.name not in _layers(net)]
    for blob, data, diff in values:
        blob.tensor().copy_(torch.from_numpy(data.reshape(blob.shape)))
        if diff is not None:
            blob.diff_tensor().copy_(torch.from_numpy(diff.reshape(blob.shape)))
    for name in ignored:
        log.info("Ignoring source layer %s", name)
    for row in rows:
        if row.action != "dropped":
            log.info("Layer %s: %s, %s", row.layer, row.action, row.reason)
        if row.action == "re-initialised":
            _warn_of_zeros(_layers(net)[row.layer], path)


def _layers(net: Net) -> dict[str, Layer]:
    """By name; of two with one name the first, as in Caffe."""
    return {layer.name: layer for layer in reversed(net.engine_layers)}


def _pairs(net: Net, source: list[StoredLayer], path: str | Path) -> list[tuple[Blob, StoredArray]]:
    """Which blob is filled from which array, in the order of the file. Raises WeightsError where one does not fit."""
    layers = _layers(net)
    owned = {(learnable.layer_name, learnable.index) for learnable in net.learnable}
    pairs: list[tuple[Blob, StoredArray]] = []
    for stored in source:
        layer = layers.get(stored.name)
        if layer is None:
            continue
        left_to_owners = {index for index in range(len(layer.blobs)) if (layer.name, index) not in owned}
        if not set(range(len(layer.blobs))) - left_to_owners <= set(stored.arrays) <= set(range(len(layer.blobs))):
            raise WeightsError(
                f"{path}: layer {layer.name!r} has {len(stored.arrays)} weight arrays, but the layer of this name in "
                f"the net has {len(layer.blobs)}; to learn it from scratch, rename the layer in the net"
            )
        for index, array in sorted(stored.arrays.items()):
            blob = layer.blobs[index]
            if not array.fits(blob.shape):
                raise WeightsError(
                    f"{path}: layer {layer.name!r}, weight array {index}: its shape in the file is {array.shape}, "
                    f"in the net {blob.shape}; to learn this layer from scratch, rename it in the net"
                )
            pairs.append((blob, array))
    return pairs


def _rows(net: Net, source: list[StoredLayer]) -> Iterator[PlanRow]:
    """What `_pairs` means for each layer."""
    layers = _layers(net)
    stored_shapes = {stored.name: tuple(array.shape for _, array in sorted(stored.arrays.items())) for stored in source}
    for layer in net.engine_layers:
        if layer.blobs and layers[layer.name] is layer:
            shapes = tuple(blob.shape for blob in layer.blobs)
            yield _row(layer, shapes, stored_shapes.get(layer.name))
    for name, shapes in stored_shapes.items():
        if shapes and name not in layers:
            yield PlanRow(name, "dropped", None, shapes, "the net has no layer of this name")


def _row(layer: Layer, shapes: tuple[Shape, ...], source_shapes: tuple[Shape, ...] | None) -> PlanRow:
    if source_shapes is None:
        filler = _weight_filler(layer)
        kept = "keeps its values" if filler is None else f"keeps its values, of filler {filler.type!r}"
        return PlanRow(layer.name, "re-initialised", shapes, None, f"not in the file: {kept}")
    if len(source_shapes) < len(shapes):
        reason = "the name is the same; a shared weight is in the file with its owner only"
        return PlanRow(layer.name, "copied", shapes, source_shapes, reason)
    if source_shapes != shapes:
        reason = f"the old file's four sizes {_text(source_shapes)} are {_text(shapes)}"
        return PlanRow(layer.name, "reshaped", shapes, source_shapes, reason)
    return PlanRow(layer.name, "copied", shapes, source_shapes, "the name and the shapes are the same")


def _weight_filler(layer: Layer) -> Any:
    """The FillerParameter of the layer's weights, None for a layer whose type has none."""
    for field, options in layer.param.ListFields():
        if field.message_type is not None and "weight_filler" in field.message_type.fields_by_name:
            return options.weight_filler
    return None


def _warn_of_zeros(layer: Layer, path: str | Path) -> None:
    """The trap of a layer that was renamed to be learned anew, and has no filler: Caffe fills it with zeros."""
    filler = _weight_filler(layer)
    if filler is None or filler.type != "constant" or filler.value != 0:
        return
    if any(layer.learns(index) for index in range(len(layer.blobs))) and not bool(layer.blobs[0].tensor().any()):
        log.warning(
            "%s has no layer %r, and its weight_filler is %s, so its weights are all 0: it sends no gradient to the "
            "layers below it, and behind another such layer it never learns. Give it a weight_filler such as xavier",
            path,
            layer.name,
            "constant 0" if filler.HasField("type") or filler.HasField("value") else "not given",
        )


def _text(shapes: tuple[Shape, ...] | None) -> str:
    return " ".join("x".join(map(str, shape)) or "()" for shape in shapes) if shapes is not None else "-"
