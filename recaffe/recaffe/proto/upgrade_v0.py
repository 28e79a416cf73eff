"""The oldest dialect: layers { layer { type: "conv" ... } bottom: ... }, brought to V1 as Caffe does.

All types share one message there, and padding before a convolution or pooling is a layer of its own.
Source: src/caffe/util/upgrade_proto.cpp (UpgradeV0PaddingLayers, UpgradeV0LayerParameter).
"""

from __future__ import annotations

from typing import Any

from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2
from recaffe.proto.text import is_repeated, nearest_name


class UpgradeError(CaffeError, ValueError):
    """A net or solver in an old dialect that cannot be brought to today's form; says which layer and why."""


_TYPES = {  # V0 type -> V1 type, and the message with its options
    "accuracy": ("ACCURACY", ""),
    "bnll": ("BNLL", ""),
    "concat": ("CONCAT", "concat_param"),
    "conv": ("CONVOLUTION", "convolution_param"),
    "data": ("DATA", "data_param"),
    "dropout": ("DROPOUT", "dropout_param"),
    "euclidean_loss": ("EUCLIDEAN_LOSS", ""),
    "flatten": ("FLATTEN", ""),
    "hdf5_data": ("HDF5_DATA", "hdf5_data_param"),
    "hdf5_output": ("HDF5_OUTPUT", ""),
    "im2col": ("IM2COL", ""),
    "images": ("IMAGE_DATA", "image_data_param"),
    "infogain_loss": ("INFOGAIN_LOSS", "infogain_loss_param"),
    "innerproduct": ("INNER_PRODUCT", "inner_product_param"),
    "lrn": ("LRN", "lrn_param"),
    "multinomial_logistic_loss": ("MULTINOMIAL_LOGISTIC_LOSS", ""),
    "pool": ("POOLING", "pooling_param"),
    "relu": ("RELU", ""),
    "sigmoid": ("SIGMOID", ""),
    "softmax": ("SOFTMAX", ""),
    "softmax_loss": ("SOFTMAX_LOSS", ""),
    "split": ("SPLIT", ""),
    "tanh": ("TANH", ""),
    "window_data": ("WINDOW_DATA", "window_data_param"),
}
_RENAMED = {
    "biasterm": "bias_term",
    "kernelsize": "kernel_size",
    "batchsize": "batch_size",
    "shuffle_images": "shuffle",
    "det_fg_threshold": "fg_threshold",
    "det_bg_threshold": "bg_threshold",
    "det_fg_fraction": "fg_fraction",
    "det_context_pad": "context_pad",
    "det_crop_mode": "crop_mode",
}
_UNCHANGED = ("name", "blobs", "blobs_lr", "weight_decay")
_NET_FIELDS = ("name", "layers", "input", "input_dim", "force_backward")
_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}


def upgrade_v0_layers(net: Any, filename: str) -> None:
    """Bring the V0 layers of a NetParameter to V1, in place. Raises UpgradeError for what V1 cannot say."""
    if not all(old.HasField("layer") for old in net.layers):
        raise UpgradeError(f"{filename}: layers of the V0 and the V1 dialect are mixed")
    for field, _ in net.ListFields():
        if field.name not in _NET_FIELDS:
            raise UpgradeError(f"{filename}: a net of V0 layers cannot have {field.name!r}; Caffe drops it in silence")
    new: list[Any] = []
    made_by: dict[str, Any] = dict.fromkeys(net.input)  # blob name -> the V0 layer that made it last, none for inputs
    for old in net.layers:
        folded = _without_padding(old, made_by, filename)
        if old.layer.type != "padding":
            new.append(_upgrade_layer(folded, filename))
        made_by.update(dict.fromkeys(old.top, old))
    net.ClearField("layers")
    net.layers.extend(new)


def _without_padding(old: Any, made_by: dict[str, Any], filename: str) -> Any:
    """The layer with the `pad` and the bottom of the padding layer below it, if there is one."""
    result = caffe_pb2.V1LayerParameter()
    result.CopyFrom(old)
    for index, bottom in enumerate(old.bottom):
        if bottom not in made_by:
            raise UpgradeError(f"{filename}: layer {old.layer.name!r} reads the unknown blob {bottom!r}")
        below = made_by[bottom]
        if below is None or below.layer.type != "padding":
            continue
        if old.layer.type not in ("conv", "pool") or len(old.bottom) != 1:
            raise UpgradeError(
                f"{filename}: layer {old.layer.name!r} ({old.layer.type}) reads padding layer {below.layer.name!r}; "
                "only conv and pool with one bottom can"
            )
        if len(below.bottom) != 1 or len(below.top) != 1:
            raise UpgradeError(f"{filename}: padding layer {below.layer.name!r} needs one bottom and one top")
        result.layer.pad = below.layer.pad
        result.bottom[index] = below.bottom[0]
    return result


def _upgrade_layer(old: Any, filename: str) -> Any:
    kind = old.layer.type
    if kind not in _TYPES:
        raise UpgradeError(
            f"{filename}: layer {old.layer.name!r} has the unknown V0 type {kind!r}; {nearest_name(kind, list(_TYPES))}"
        )
    v1_type, options_name = _TYPES[kind]
    new = caffe_pb2.V1LayerParameter(
        bottom=old.bottom, top=old.top, type=caffe_pb2.V1LayerParameter.LayerType.Value(v1_type)
    )
    options = getattr(new, options_name) if options_name else None
    known = options.DESCRIPTOR.fields_by_name if options else {}
    for field, value in old.layer.ListFields():
        name = str(_RENAMED.get(field.name, field.name))
        if field.name == "type":
            continue
        if field.name in _TRANSFORM:
            setattr(new.transform_param, _TRANSFORM[field.name], value)
        elif field.name in _UNCHANGED or (kind, field.name) == ("hdf5_output", "hdf5_output_param"):
            _set(new, field.name, value)
        elif name in known:
            _set(options, name, value)
        else:
            raise UpgradeError(f"{filename}: V0 layer {old.layer.name!r} of type {kind!r} cannot have {field.name!r}")
    return new


def _set(message: Any, name: str, value: Any) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    if is_repeated(field):
        values = [value] if isinstance(value, int) else value
        getattr(message, name).extend(values)
    elif field.message_type is not None:
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)
