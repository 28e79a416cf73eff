"""What a source caffemodel holds, and whether Caffe would copy it into a net: decided before an engine is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from recaffe.proto.files import ProtoFileError, read_caffemodel
from recaffe.proto.upgrade_v0 import UpgradeError

from layerwise.errors import ModelError
from layerwise.nets import NETS
from layerwise.shapes import Shape, shape_text


@dataclass(frozen=True)
class SourceBlob:
    """One array of the source. is_old: stored with the four sizes that every blob had before BlobShape."""

    shape: Shape
    is_old: bool

    def fits(self, wanted: Shape) -> bool:
        """Caffe's rule (Blob::ShapeEquals): an old shape may have leading ones in front, a new one is equal."""
        padded = (1,) * (4 - len(wanted)) + wanted
        return self.shape == (padded if self.is_old else wanted)


def read_source(path: str) -> dict[str, tuple[SourceBlob, ...]]:
    """Layer name -> its arrays, for each layer of a caffemodel that has any; V1 files too, as bvlc_alexnet's is.

    Raises ModelError with the file if it cannot be read, has no weights, or holds fewer numbers than it says.
    """
    try:
        model = read_caffemodel(path)
    except (OSError, ProtoFileError, UpgradeError) as error:
        raise ModelError(f"cannot use these source weights: {error}") from error
    source = {}
    for layer in model.layer:
        for blob in layer.blobs:
            is_old = not blob.HasField("shape")
            old_shape = (blob.num, blob.channels, blob.height, blob.width)
            found = SourceBlob(old_shape if is_old else tuple(blob.shape.dim), is_old)
            count = len(blob.data) or len(blob.double_data)
            if count != prod(found.shape):
                raise ModelError(
                    f"{path}: layer '{layer.name}' holds {count} numbers for an array of {shape_text(found.shape)}"
                )
            source[layer.name] = (*source.get(layer.name, ()), found)
    if not source:
        raise ModelError(f"{path}: no layer has weights; expected a caffemodel")
    return source


def check_source(
    path: str,
    source: Mapping[str, tuple[SourceBlob, ...]],
    net: Mapping[str, tuple[Shape, ...]],
    copied_layers: Iterable[str],
) -> None:
    """ModelError if `source` lacks one of `copied_layers`, or a layer of its name has other shapes in `net`.

    Caffe would fill a layer that is missing without a word; frozen and random, it would spoil the run.
    """
    missing = [layer for layer in copied_layers if layer not in source]
    if missing:
        raise ModelError(
            f"{path}: lacks {', '.join(missing)}, to be copied by name; it has {', '.join(source)}. "
            "Give the weights of an AlexNet with the layer names of bvlc_alexnet"
        )
    for name, wanted in net.items():
        found = source.get(name, ())
        fits = len(found) == len(wanted) and all(map(SourceBlob.fits, found, wanted))
        if found and not fits:
            raise ModelError(
                f"{path}: layer '{name}' has {_texts(blob.shape for blob in found)}, "
                f"but the net needs {_texts(wanted)}; {_fitting_net(source)}"
            )


def _fitting_net(source: Mapping[str, tuple[SourceBlob, ...]]) -> str:
    outputs = {layer: prod(blobs[-1].shape) for layer, blobs in source.items()}  # a bias has one number per output
    for net in NETS.values():
        if net.widths.items() <= outputs.items():
            return f"these weights fit NET={net.name}"
    return f"these weights fit none of {', '.join(NETS)}"


def _texts(shapes: Iterable[Shape]) -> str:
    return " and ".join(map(shape_text, shapes))
