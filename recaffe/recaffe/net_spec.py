"""Nets written as assignments, with pycaffe's names: `n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=8)`.

Three ideas: a Top is a blob, a Function is the layer that makes it, a NetSpec gives both their names. Unlike pycaffe's
(python/caffe/net_spec.py), a wrong layer type, option or value is refused where it is written. Needs no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2
from recaffe.proto.text import is_repeated, nearest_name
from recaffe.proto.upgrade import v1_type_name


class NetSpecError(CaffeError, AttributeError, ValueError):
    """A layer type, option, value or blob name that does not exist; names the nearest one that does."""


class Top:
    """One blob: top number `n` of the layer `fn`."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """The NetParameter of this top and all it needs."""
        return to_proto(self)


class Function:
    """A layer: its type, the Tops it reads, and its options. `tops` are the Tops it makes.

    Options are fields of LayerParameter, or of the type's own message (`kernel_size` for
    `convolution_param { kernel_size }`); a dict stands for a message, a list for a repeated field. Two are not fields:
    `ntop`, the number of tops (default 1), and `in_place`, to write the tops over the bottoms.
    `params` are the options as given, `layer` is the LayerParameter with them alone.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None:
        for index, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name}: input {index} is {type(bottom).__name__} {bottom!r}, expected a Top")
        options = dict(params)
        self.type_name = type_name
        self.inputs = inputs
        self.ntop = options.pop("ntop", 1)
        self.in_place = options.pop("in_place", False)
        self.params = options
        self.tops = tuple(Top(self, n) for n in range(self.ntop))
        self.layer = _layer_of_type(type_name, options)

    def to_proto(self) -> Any:
        """The NetParameter of this layer and all it needs."""
        return to_proto(self)


class NetSpec:
    """Named tops, in the order of their assignment: `spec.name = top`, `spec["name"] = top`, `spec.name`."""

    tops: dict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, top: Top | Function) -> None:
        if not isinstance(top, (Top, Function)):
            raise NetSpecError(f"{name} = {top!r}: expected what a layer returns (a layer of ntop n returns n tops)")
        self.tops[name] = top

    def __getattr__(self, name: str) -> Any:
        if name not in self.tops:
            raise NetSpecError(f"the net has no top {name!r}; {nearest_name(name, list(self.tops))}")
        return self.tops[name]

    __setitem__ = __setattr__
    __getitem__ = __getattr__

    def to_proto(self) -> Any:
        """The NetParameter of all assigned tops and what they need, under their assigned names."""
        names: dict[Any, str] = {top: name for name, top in self.tops.items()}
        return _net_of(list(self.tops.values()), names)


def to_proto(*tops: Top | Function) -> Any:
    """The NetParameter of `tops` and all they need; names are made of type and number (Convolution1)."""
    return _net_of(list(tops), {})


class Layers:
    """`Layers().Pooling(bottom, ...)`: the Top of a new layer, the tuple of its Tops, or the Function for `ntop=0`."""

    def __getattr__(self, type_name: str) -> Callable[..., Any]:
        if type_name.startswith("__"):  # Python's own questions
            raise AttributeError(type_name)
        if type_name not in _TYPES:
            raise NetSpecError(f"unknown layer type {type_name!r}; {nearest_name(type_name, sorted(_TYPES))}")

        def layer(*inputs: Top, **params: Any) -> Any:
            function = Function(type_name, inputs, params)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        return layer


class Parameters:
    """`Parameters().Pooling.MAX`: enum values of a layer type's options, or of any message `<name>Parameter`."""

    def __getattr__(self, name: str) -> Any:
        message_class = getattr(caffe_pb2, f"{name}Parameter", None)
        if message_class is None or name.startswith("__"):
            known = [n.removesuffix("Parameter") for n in dir(caffe_pb2) if n.endswith("Parameter")]
            raise NetSpecError(f"unknown parameters {name!r}; {nearest_name(name, known)}")
        return message_class


def _net_of(tops: list[Top | Function], names: dict[Any, str]) -> Any:
    """Layers in the order in which the tops need them. `names` of tops and layers grows by those that lack one."""
    counts: Counter[str] = Counter()
    written: dict[Function, Any] = {}

    def name_of(top: Top | Function, type_name: str) -> str:
        if top not in names:
            counts[type_name] += 1
            names[top] = f"{type_name}{counts[type_name]}"
        return names[top]

    def write(function: Function) -> None:
        if function in written:
            return
        layer = caffe_pb2.LayerParameter(type=function.type_name)
        for bottom in function.inputs:
            write(bottom.fn)
            layer.bottom.append(written[bottom.fn].top[bottom.n])
        if function.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(name_of(top, function.type_name) for top in function.tops)
        if function in names or not function.tops:
            layer.name = name_of(function, function.type_name)
        else:
            layer.name = name_of(function.tops[0], function.type_name)
        layer.MergeFrom(function.layer)
        written[function] = layer

    for top in tops:
        write(top.fn if isinstance(top, Top) else top)
    return caffe_pb2.NetParameter(layer=list(written.values()))


def _layer_of_type(type_name: str, options: Mapping[str, Any]) -> Any:
    """A LayerParameter with these options alone, each in the type's own message if that has it."""
    layer = caffe_pb2.LayerParameter()
    own_name = _OPTIONS.get(type_name)
    own_fields = layer.DESCRIPTOR.fields_by_name[own_name].message_type.fields_by_name if own_name else {}
    for name, value in options.items():
        if name in own_fields and not name.endswith("param"):
            _assign(getattr(layer, str(own_name)), name, value, type_name)
        elif name in layer.DESCRIPTOR.fields_by_name:
            _assign(layer, name, value, type_name)
        else:
            known = [*own_fields, *layer.DESCRIPTOR.fields_by_name, "ntop", "in_place"]
            raise NetSpecError(f"{type_name} has no option {name!r}; {nearest_name(name, known)}")
    return layer


def _assign(message: Any, name: str, value: Any, where: str) -> None:
    """message.name = value, where dicts become messages and single values lists of one, as the field needs them."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        known = list(message.DESCRIPTOR.fields_by_name)
        raise NetSpecError(f"{where}: {message.DESCRIPTOR.name} has no field {name!r}; {nearest_name(name, known)}")
    where = f"{where}.{name}"
    target = getattr(message, name)
    if field.message_type is not None:
        if is_repeated(field):
            for item in value if isinstance(value, (list, tuple)) else [value]:
                _assign_message(target.add(), item, where)
        else:
            target.SetInParent()
            _assign_message(target, value, where)
        return
    try:
        if is_repeated(field):
            target.extend(value if isinstance(value, (list, tuple)) else [value])
        else:
            setattr(message, name, value)
    except (TypeError, ValueError) as error:
        raise NetSpecError(f"{where} = {value!r}: {error}") from None


def _assign_message(message: Any, value: Any, where: str) -> None:
    if isinstance(value, Message):
        message.CopyFrom(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _assign(message, name, inner, where)
    else:
        raise NetSpecError(f"{where} = {value!r}: expected a dict of {message.DESCRIPTOR.name}'s fields")


def param_name_dict() -> dict[str, str]:
    """Layer type -> the name of its options without "_param": {"Convolution": "convolution", ...}."""
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields
        if field.name.endswith("_param")
    }


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """proto.name = val: a dict becomes a message, a list or a single value what a repeated field holds.

    Raises NetSpecError for a field or value that does not exist.
    """
    _assign(proto, name, val, proto.DESCRIPTOR.name)


_OPTIONS = {type_name: f"{name}_param" for type_name, name in param_name_dict().items()}
_SHARED_OPTIONS = {"Transformation", "Loss", "Recurrent"}  # messages that belong to several types
_WITHOUT_OPTIONS = {
    "BatchReindex",
    "Filter",
    "LSTM",
    "LSTMUnit",
    "RNN",
}  # newer than V1, without a message of their own
_V1_TYPES = {v1_type_name(number) for number in caffe_pb2.V1LayerParameter.LayerType.values()} - {""}
_TYPES = (set(_OPTIONS) - _SHARED_OPTIONS) | _V1_TYPES | _WITHOUT_OPTIONS

layers = Layers()
params = Parameters()
