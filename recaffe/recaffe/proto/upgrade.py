"""Nets and solvers in older dialects, brought to today's form as Caffe does (src/caffe/util/upgrade_proto.cpp)."""

from __future__ import annotations

import warnings
from typing import Any

from recaffe.proto import caffe_pb2
from recaffe.proto.upgrade_v0 import UpgradeError, upgrade_v0_layers

_TYPE_NAMES = {  # V1 enum names whose type is not just the name in capitals made camel case
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_V1_SPEC_FIELDS = {  # list beside the weights -> field of ParamSpec
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}
_OLD_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
_TRANSFORMING = {"Data": "data_param", "ImageData": "image_data_param", "WindowData": "window_data_param"}
_OLD_INPUT_AXES = 4  # input_dim gives so many sizes for each input
_SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")  # by the number of the old enum


def upgrade_net(net: Any, filename: str = "<net>") -> None:
    """Bring a NetParameter to `layer` with string types and Input layers, in place; today's form is left as it is.

    Weights (`blobs`) move along. `filename` is only named in errors. Raises UpgradeError for a net that mixes dialects,
    or says in an old one what has no meaning today.
    """
    if net.layers:
        _upgrade_v1_layers(net, filename)
    else:
        _warn_of_ignored_transforms(net, filename)
    if net.input:
        _upgrade_inputs(net, filename)
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:  # its three arrays are statistics, never learned
            for spec in layer.param:
                spec.lr_mult = spec.decay_mult = 0.0


def upgrade_solver(solver: Any, filename: str = "<solver>") -> None:
    """Turn the old `solver_type` enum of a SolverParameter into `type`, in place; having both raises UpgradeError."""
    if not solver.HasField("solver_type"):
        return
    if solver.HasField("type"):
        raise UpgradeError(f"{filename}: has both solver_type and type {solver.type!r}; remove solver_type")
    solver.type = _SOLVER_TYPES[solver.solver_type]
    solver.ClearField("solver_type")


def v1_type_name(number: int) -> str:
    """The `type` string of a V1LayerParameter.LayerType value: 4 -> "Convolution"."""
    name = caffe_pb2.V1LayerParameter.LayerType.Name(number)
    return _TYPE_NAMES.get(name, "".join(part.capitalize() for part in name.split("_")))


def _upgrade_v1_layers(net: Any, filename: str) -> None:
    if net.layer:
        raise UpgradeError(
            f"{filename}: has both 'layer' ({net.layer[0].name!r}) and 'layers' ({net.layers[0].name!r}); "
            "write all of them as 'layer' with a string type"
        )
    if any(old.HasField("layer") for old in net.layers):
        upgrade_v0_layers(net, filename)
    _move_transforms(net)
    for old in net.layers:
        _upgrade_v1_layer(old, net.layer.add())
    net.ClearField("layers")


def _upgrade_v1_layer(old: Any, new: Any) -> None:
    for field, value in old.ListFields():
        if field.name == "type":
            new.type = v1_type_name(value)
        elif field.name in _V1_SPEC_FIELDS:
            for index, entry in enumerate(value):
                while len(new.param) <= index:
                    new.param.add()
                setattr(new.param[index], _V1_SPEC_FIELDS[field.name], entry)
        elif field.name in ("bottom", "top", "loss_weight", "blobs", "include", "exclude"):
            getattr(new, field.name).extend(value)
        elif field.message_type is not None:
            getattr(new, field.name).CopyFrom(value)
        else:
            setattr(new, field.name, value)


def _move_transforms(net: Any) -> None:
    """If any V1 layer says in data_param what belongs into transform_param, all that read data get a transform_param.

    Source: NetNeedsDataUpgrade, UpgradeNetDataTransformation.
    """
    readers = [(layer, _TRANSFORMING.get(v1_type_name(layer.type), "")) for layer in net.layers]
    readers = [(layer, getattr(layer, options)) for layer, options in readers if options]
    if not any(options.HasField(name) for _, options in readers for name in _OLD_TRANSFORM):
        return
    for layer, options in readers:
        options.SetInParent()
        layer.transform_param.SetInParent()
        for name in _OLD_TRANSFORM:
            if options.HasField(name):
                setattr(layer.transform_param, name, getattr(options, name))
                options.ClearField(name)


def _warn_of_ignored_transforms(net: Any, filename: str) -> None:
    """In a `layer` (not `layers`) Caffe reads transform_param only and ignores the old places in silence."""
    for layer in net.layer:
        options = _TRANSFORMING.get(layer.type)
        if options is None:
            continue
        ignored = [name for name in _OLD_TRANSFORM if getattr(layer, options).HasField(name)]
        if ignored:
            warnings.warn(
                f"{filename}: layer {layer.name!r}: Caffe ignores {options}.{ignored[0]} in a 'layer'; "
                "move it to transform_param",
                stacklevel=4,
            )


def _upgrade_inputs(net: Any, filename: str) -> None:
    """`input` with `input_shape` or `input_dim` becomes one Input layer in front; alone (old caffemodels) it goes."""
    inputs = list(net.input)
    shapes = [list(shape.dim) for shape in net.input_shape]
    if not shapes and net.input_dim:
        dims = list(net.input_dim)
        shapes = [dims[start : start + _OLD_INPUT_AXES] for start in range(0, len(dims), _OLD_INPUT_AXES)]
        if len(dims) % _OLD_INPUT_AXES:
            raise UpgradeError(f"{filename}: {len(dims)} input_dim; give {_OLD_INPUT_AXES} for each input")
    if shapes:
        if len(shapes) != len(inputs):
            raise UpgradeError(
                f"{filename}: {len(inputs)} input ({', '.join(inputs)}) but {len(shapes)} shapes; "
                f"give one input_shape, or {_OLD_INPUT_AXES} input_dim, for each"
            )
        layer = caffe_pb2.LayerParameter(name="input", type="Input", top=inputs)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.insert(0, layer)
    for name in ("input", "input_shape", "input_dim"):
        net.ClearField(name)
