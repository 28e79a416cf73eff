"""What a net and its solver do, layer by layer: shapes, costs, rates. Everything is read off the two messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from recaffe.proto import caffe_pb2

from layerwise.errors import ModelError
from layerwise.shapes import LayerShape, Shape, all_shapes
from prototxt.field_changes import values_text
from prototxt.fillers import filler_text
from prototxt.read import of_phase

FROZEN, TUNED, NEW = "F", "T", "N"
# Layers whose arrays are gathered, not learned: Caffe sets their rates to zero whatever the file says.
_GATHERING = ("BatchNorm",)
_WITH_FILLERS = {
    "Bias": ("bias_param", ("filler",)),
    "Convolution": ("convolution_param", ("weight_filler", "bias_filler")),
    "Deconvolution": ("convolution_param", ("weight_filler", "bias_filler")),
    "Embed": ("embed_param", ("weight_filler", "bias_filler")),
    "InnerProduct": ("inner_product_param", ("weight_filler", "bias_filler")),
    "PReLU": ("prelu_param", ("filler",)),
    "Scale": ("scale_param", ("filler", "bias_filler")),
}
_DEFAULT_FILLERS = {"PReLU": "constant 0.25", "Scale": "constant 1"}


@dataclass(frozen=True)
class ArrayView:
    """A learned array, weight or bias. start: its filler, or `copied`.

    rate, decay: base_lr lr_mult and weight_decay decay_mult, or without a solver the factors alone. A frozen array has
    no decay, whatever its factor.
    """

    shape: Shape
    rate: float
    decay: float
    start: str


@dataclass(frozen=True)
class LayerView:
    """One layer. shape: None where it cannot be known, and why_unknown then says why.

    state: FROZEN, TUNED, NEW (tuned, and known to start from
    a filler), or empty for what has no arrays.
    n_parameters: of its own, arrays that it shares with a layer before are counted there.
    macs: multiply-accumulates of one picture's forward pass.
    """

    name: str
    type: str
    details: str
    shape: LayerShape | None
    why_unknown: str
    state: str
    arrays: tuple[ArrayView, ...]
    n_parameters: int
    macs: int


@dataclass(frozen=True)
class NetView:
    """A net as its solver trains it. batch: pictures of a pass. other_phase: layers that this phase leaves out.

    solver: field -> value in prototxt's words, of those that are set; empty without a solver.
    """

    name: str
    phase: str
    batch: int
    layers: tuple[LayerView, ...]
    other_phase: tuple[str, ...]
    solver: dict[str, str]

    @property
    def n_parameters(self) -> int:
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def n_learned(self) -> int:
        return sum(layer.n_parameters for layer in self.layers if layer.state in (TUNED, NEW))

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def unknown(self) -> list[str]:
        """Why layers have no shape; totals are then of the others."""
        return [layer.why_unknown for layer in self.layers if layer.why_unknown]


@dataclass(frozen=True)
class Inspected:
    """A scheme's NetParameter and SolverParameter, and what they do."""

    net: Any
    solver: Any
    view: NetView


def inspect_net(
    net: Any,
    solver: Any | None = None,
    data_shape: Shape | None = None,
    copied_layers: Collection[str] | None = None,
    phase: str = "TRAIN",
    name: str = "",
) -> NetView:
    """The view of a NetParameter in `phase`, with the rates of a SolverParameter.

    data_shape: (C, H, W) of the pictures, in the place of what the net says. copied_layers: those that start from
    source weights; None if that is not known, and the fillers are then what the file says.
    Raises ModelError for a net without layers in that phase.
    """
    kept = of_phase(net, phase)
    if not kept.layer:
        raise ModelError(f"{name or net.name}: has no layers in phase {phase}")
    shapes = all_shapes(kept, data_shape)
    batch = _batch(shapes)
    layers, counted = [], set[str]()
    for layer, shape in zip(kept.layer, shapes, strict=True):
        layers.append(_layer_view(layer, shape, solver, copied_layers, counted, batch))
    in_phase = [layer.SerializeToString() for layer in kept.layer]
    left_out = tuple(layer.name for layer in net.layer if layer.SerializeToString() not in in_phase)
    return NetView(name or net.name, phase, batch, tuple(layers), left_out, dict(_solver_fields(solver)))


def _layer_view(
    layer: Any,
    shape: LayerShape | ModelError,
    solver: Any | None,
    copied_layers: Collection[str] | None,
    counted: set[str],
    batch: int,
) -> LayerView:
    known = None if isinstance(shape, ModelError) else shape
    arrays = tuple(_arrays(layer, known, solver, copied_layers)) if known else ()
    learns = any(array.rate for array in arrays)
    is_new = copied_layers is not None and layer.name not in copied_layers
    n_parameters = 0
    for place, array in enumerate(arrays):
        shared = layer.param[place].name if place < len(layer.param) else ""
        if shared not in counted:
            n_parameters += prod(array.shape)
        counted |= {shared} - {""}
    return LayerView(
        name=layer.name,
        type=layer.type,
        details=_details(layer),
        shape=known,
        why_unknown=str(shape) if isinstance(shape, ModelError) else "",
        state=(NEW if is_new else TUNED) if learns else FROZEN if arrays else "",
        arrays=arrays,
        n_parameters=n_parameters,
        macs=known.macs // batch if known else 0,
    )


def _arrays(
    layer: Any, shape: LayerShape, solver: Any | None, copied_layers: Collection[str] | None
) -> Iterator[ArrayView]:
    base_lr, weight_decay = (solver.base_lr, solver.weight_decay) if solver else (1.0, 1.0)
    starts = _starts(layer)
    for place, array in enumerate(shape.params):
        spec = layer.param[place] if place < len(layer.param) else caffe_pb2.ParamSpec()
        rate = 0.0 if layer.type in _GATHERING else _product(base_lr, spec.lr_mult)
        start = "copied" if copied_layers is not None and layer.name in copied_layers else starts[place]
        yield ArrayView(array, rate, _product(weight_decay, spec.decay_mult) if rate else 0.0, start)


def _starts(layer: Any) -> list[str]:
    """What each array of the layer is filled with."""
    if layer.type not in _WITH_FILLERS:
        return ["constant 0"] * 3
    options, names = _WITH_FILLERS[layer.type]
    param = getattr(layer, options)
    texts = [filler_text(getattr(param, name)) for name in names]
    if layer.type in _DEFAULT_FILLERS and not param.HasField("filler"):
        texts[0] = _DEFAULT_FILLERS[layer.type]
    return texts[1:] if layer.type in ("Bias", "Scale") and len(layer.bottom) > 1 else texts


def _product(base: float, factor: float) -> float:
    return float(f"{base * factor:.6g}")  # 0.01, not 0.010000000000000002


def _details(layer: Any) -> str:
    """The window of a layer that has one, or its ratio, in a few words."""
    if layer.type == "Dropout":
        return f"ratio {layer.dropout_param.dropout_ratio:g}"
    if layer.type == "Pooling":
        param = layer.pooling_param
        kernel = "all" if param.global_pooling else _by(param, [param.kernel_size] * 2)
        words = [f"{caffe_pb2.PoolingParameter.PoolMethod.Name(param.pool)} {kernel}"]
        words += [f"stride {param.stride}"] if param.stride > 1 else []
        words += [f"pad {param.pad}"] if param.pad else []
        return ", ".join(words)
    if layer.type in ("Convolution", "Deconvolution"):
        param = layer.convolution_param
        words = [_by(param, list(param.kernel_size) * (2 if len(param.kernel_size) == 1 else 1))]
        for name, default in (("stride", 1), ("pad", 0), ("dilation", 1)):
            numbers = set(getattr(param, name)) - {default}
            words += [f"{name} {'x'.join(map(str, getattr(param, name)))}"] if numbers else []
        return ", ".join([*words, *([f"{param.group} groups"] if param.group > 1 else [])])
    return ""


def _by(param: Any, sizes: list[int]) -> str:
    """3x5, from the forms for one axis each where they are used."""
    return "x".join(map(str, [param.kernel_h, param.kernel_w] if param.HasField("kernel_h") else sizes))


def _batch(shapes: list[LayerShape | ModelError]) -> int:
    """Pictures of a pass: the first axis of the first blob that has four; else of the first that has any."""
    tops = [top for shape in shapes if isinstance(shape, LayerShape) for top in shape.tops if top]
    return next((top[0] for top in tops if len(top) == 4), tops[0][0] if tops else 1)


def _solver_fields(solver: Any | None) -> Iterator[tuple[str, str]]:
    for field, value in solver.ListFields() if solver else ():
        nets = "a net written into the solver"  # net_param and its kin
        yield field.name, nets if field.message_type is not None else values_text(solver, field, value)
