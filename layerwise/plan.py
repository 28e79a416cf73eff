"""What a run will do to each learned layer: printed before training, and stored in run.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerwise.errors import UsageError
from layerwise.schemes import BASE_LR, Scheme
from layerwise.shapes import LayerShape, Shape, layer_shapes, shape_text
from layerwise.source import SourceBlob, check_source, read_source
from layerwise.weights import WeightsRecord


@dataclass(frozen=True)
class PlanRow:
    """One learned layer.

    shape, source_shape: of the weight here and in the source (None where the source lacks the layer).
    start: `copied`; `reshaped`, copied from an old file's 4-D blob; or `re-initialised` by `filler`.
    weight_lr, bias_lr: rates in the first epoch, base_lr times lr_mult; a frozen layer has 0 and 0.
    """

    layer: str
    shape: Shape
    source_shape: Shape | None
    start: str
    filler: str
    is_frozen: bool
    weight_lr: float
    bias_lr: float
    n_parameters: int


@dataclass(frozen=True)
class Plan:
    """source: name of the source weights. dropped: their layers that this net lacks, so that Caffe passes them over."""

    scheme: str
    source: str | None
    rows: tuple[PlanRow, ...]
    dropped: tuple[str, ...]
    n_parameters: int
    n_trained: int
    iterations_per_epoch: int


def make_plan(
    train_val: Any, patch_shape: Shape, scheme: Scheme, weights: WeightsRecord | None, iterations_per_epoch: int
) -> Plan:
    """The plan of training the NetParameter `train_val`, written for `scheme`, on patches (C, H, W) from `weights`.

    Raises UsageError if the scheme copies and there are no weights, or there are and it does not; ModelError if the
    caffemodel is truncated or foreign, lacks a layer that the scheme copies, or has one of another shape.
    """
    if scheme.copies_source and weights is None:
        raise UsageError(f"{scheme.name} tunes source weights, and WEIGHTS=none; name some, or use a scratch scheme")
    if weights is not None and not scheme.copies_source:
        raise UsageError(f"{scheme.name} starts from fillers, so it takes WEIGHTS=none, not {weights.name}")
    shapes = {name: shape for name, shape in layer_shapes(train_val, patch_shape).items() if shape.params}
    source: dict[str, tuple[SourceBlob, ...]] = {}
    if weights:
        source = read_source(weights.path)
        check_source(weights.path, source, {name: shape.params for name, shape in shapes.items()}, scheme.copied_layers)
    messages = {layer.name: layer for layer in train_val.layer}
    rows = tuple(_row(messages[name], shape, source.get(name)) for name, shape in shapes.items())
    return Plan(
        scheme=scheme.name,
        source=weights.name if weights else None,
        rows=rows,
        dropped=tuple(name for name in source if name not in shapes),
        n_parameters=sum(row.n_parameters for row in rows),
        n_trained=sum(row.n_parameters for row in rows if not row.is_frozen),
        iterations_per_epoch=iterations_per_epoch,
    )


def format_plan(plan: Plan) -> str:
    """The plan as a table for a terminal of 100 columns."""
    heads = ("layer", "weight", "source", "start", "state", "rate", "of bias", "parameters")
    table = [heads, *(_cells(row) for row in plan.rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
    lines = ["  ".join(_align(line, widths)).rstrip() for line in table]
    share = 100 * plan.n_trained / plan.n_parameters
    lines.append(
        f"{plan.scheme} from {plan.source or 'random weights'}, {plan.iterations_per_epoch} iterations per epoch"
    )
    lines.append(f"trained: {plan.n_trained:,} of {plan.n_parameters:,} parameters ({share:.1f} %)")
    if plan.dropped:
        lines.append(f"not used of the source: {', '.join(plan.dropped)}")
    return "\n".join(lines)


def _row(layer: Any, shape: LayerShape, source: tuple[SourceBlob, ...] | None) -> PlanRow:
    options = layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param
    weight_lr, bias_lr = (_rate(param.lr_mult) for param in layer.param)
    return PlanRow(
        layer=layer.name,
        shape=shape.params[0],
        source_shape=source[0].shape if source else None,
        start="re-initialised" if not source else "copied" if source[0].shape == shape.params[0] else "reshaped",
        filler="" if source else _filler_text(options.weight_filler),
        is_frozen=weight_lr == bias_lr == 0,
        weight_lr=weight_lr,
        bias_lr=bias_lr,
        n_parameters=shape.n_parameters,
    )


def _rate(lr_mult: float) -> float:
    return float(f"{BASE_LR * lr_mult:.6g}")  # 0.01, not 0.010000000000000002


def _filler_text(filler: Any) -> str:
    return f"{filler.type} {filler.std:g}" if filler.type == "gaussian" else filler.type


def _cells(row: PlanRow) -> tuple[str, ...]:
    return (
        row.layer,
        shape_text(row.shape),
        shape_text(row.source_shape) if row.source_shape else "-",
        row.filler or row.start,
        "frozen" if row.is_frozen else "tuned",
        f"{row.weight_lr:g}",
        f"{row.bias_lr:g}",
        f"{row.n_parameters:,}",
    )


def _align(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers (from the sixth column) to the right."""
    return [
        cell.rjust(width) if column >= 5 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
