"""Type of layer -> rule for its shapes: rule(layer, shapes of its bottoms), a LayerShape or ModelError.

Source: the Reshape and LayerSetUp of each type in Caffe's src/caffe/layers. Blobs have all their axes, the batch first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from layerwise.layer_shape import LayerShape, Shape, axis_of, refusal, shape_text
from layerwise.window_shapes import convolution, deconvolution, pooling

Rule = Callable[[Any, Sequence[Shape]], LayerShape]


def _kept(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """All tops are as the first bottom."""
    return LayerShape((bottoms[0],) * len(layer.top))


def _inner_product(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, bottom = layer.inner_product_param, bottoms[0]
    axis = axis_of(layer, param.axis, bottom)
    n_inputs, width = prod(bottom[axis:]), param.num_output
    weight = (n_inputs, width) if param.transpose else (width, n_inputs)
    bias = ((width,),) if param.bias_term else ()
    return LayerShape(((*bottom[:axis], width),), (weight, *bias), prod(weight) * prod(bottom[:axis]))


def _embed(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param = layer.embed_param
    bias = ((param.num_output,),) if param.bias_term else ()
    return LayerShape(((*bottoms[0], param.num_output),), ((param.input_dim, param.num_output), *bias))


def _batch_norm(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    channels = bottoms[0][1] if len(bottoms[0]) > 1 else 1
    return LayerShape((bottoms[0],), ((channels,), (channels,), (1,)))


def _scale(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """Scale and Bias: the operand is the second bottom, or a weight over some axes of the first."""
    is_scale = layer.type == "Scale"
    param = layer.scale_param if is_scale else layer.bias_param
    if len(bottoms) > 1:
        operand, weights = bottoms[1], ()
    else:
        axis = axis_of(layer, param.axis, bottoms[0])
        operand = bottoms[0][axis:] if param.num_axes == -1 else bottoms[0][axis : axis + param.num_axes]
        weights = (operand,)
    bias = (operand,) if is_scale and param.bias_term else ()
    return LayerShape((bottoms[0],), (*weights, *bias))


def _prelu(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    axis_of(layer, 1, bottoms[0])
    return LayerShape((bottoms[0],), ((),) if layer.prelu_param.channel_shared else ((bottoms[0][1],),))


def _concat(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, first = layer.concat_param, bottoms[0]
    axis = axis_of(layer, param.concat_dim if param.HasField("concat_dim") else param.axis, first)
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in bottoms}
    if len(others) > 1:
        raise refusal(layer, f"cannot join {' and '.join(map(shape_text, bottoms))} along axis {axis}")
    return LayerShape(((*first[:axis], sum(shape[axis] for shape in bottoms), *first[axis + 1 :]),))


def _slice(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, bottom, n_tops = layer.slice_param, bottoms[0], len(layer.top)
    axis = axis_of(layer, param.slice_dim if param.HasField("slice_dim") else param.axis, bottom)
    points = list(param.slice_point) or [bottom[axis] * part // n_tops for part in range(1, n_tops)]
    sizes = [end - start for start, end in itertools.pairwise([0, *points, bottom[axis]])]
    if len(sizes) != n_tops or min(sizes) < 1 or (not param.slice_point and bottom[axis] % n_tops):
        raise refusal(layer, f"cannot cut {shape_text(bottom)} along axis {axis} into its {n_tops} tops")
    return LayerShape(tuple((*bottom[:axis], size, *bottom[axis + 1 :]) for size in sizes))


def _flatten(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, bottom = layer.flatten_param, bottoms[0]
    start, end = axis_of(layer, param.axis, bottom), axis_of(layer, param.end_axis, bottom) + 1
    return LayerShape(((*bottom[:start], prod(bottom[start:end]), *bottom[end:]),))


def _reshape(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, old = layer.reshape_param, bottoms[0]
    start = param.axis if param.axis >= 0 else len(old) + param.axis + 1
    end = len(old) if param.num_axes == -1 else start + param.num_axes
    asked = list(param.shape.dim)
    if not 0 <= start <= end <= len(old) or any(not size and start + n >= len(old) for n, size in enumerate(asked)):
        raise refusal(layer, f"reshapes axes that its bottom, {shape_text(old)}, does not have")
    middle = [size or old[start + place] for place, size in enumerate(asked)]
    if middle.count(-1) == 1:
        known = -prod([*old[:start], *middle, *old[end:]])
        middle[middle.index(-1)] = prod(old) // known if known else 0
    new = (*old[:start], *middle, *old[end:])
    if prod(new) != prod(old) or min(new, default=0) < 0:
        raise refusal(layer, f"cannot make {shape_text(new)} of {shape_text(old)}")
    return LayerShape((new,))


def _crop(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    if len(bottoms) != 2 or len(bottoms[1]) < len(bottoms[0]):
        raise refusal(layer, "needs a second bottom with the sizes to crop to")
    axis = axis_of(layer, layer.crop_param.axis, bottoms[0])
    return LayerShape(((*bottoms[0][:axis], *bottoms[1][axis : len(bottoms[0])]),))


def _tile(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    axis, bottom = axis_of(layer, layer.tile_param.axis, bottoms[0]), bottoms[0]
    return LayerShape(((*bottom[:axis], bottom[axis] * layer.tile_param.tiles, *bottom[axis + 1 :]),))


def _reduction(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    return LayerShape((bottoms[0][: axis_of(layer, layer.reduction_param.axis, bottoms[0])],))


def _arg_max(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    param, bottom = layer.argmax_param, bottoms[0]
    if param.HasField("axis"):
        axis = axis_of(layer, param.axis, bottom)
        return LayerShape(((*bottom[:axis], param.top_k, *bottom[axis + 1 :]),))
    return LayerShape(((bottom[0], 2 if param.out_max_val else 1, param.top_k, *[1] * (len(bottom) - 3)),))


def _loss(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """A single number; a second top has the probabilities."""
    return LayerShape(((), *bottoms[:1])[: len(layer.top)])


def _accuracy(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    """A single number; a second top has one for each class."""
    axis = axis_of(layer, layer.accuracy_param.axis, bottoms[0])
    return LayerShape(((), (bottoms[0][axis],))[: len(layer.top)])


def _silence(layer: Any, bottoms: Sequence[Shape]) -> LayerShape:
    return LayerShape(())


_KEEPING = (
    *("AbsVal", "BNLL", "Clip", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN", "Power", "ReLU", "Sigmoid"),
    *("Softmax", "Split", "Swish", "TanH", "Threshold"),
)
_LOSSES = (
    *("ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss"),
    *("SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(_KEEPING, _kept),
    **dict.fromkeys(_LOSSES, _loss),
    "Accuracy": _accuracy,
    "ArgMax": _arg_max,
    "BatchNorm": _batch_norm,
    "Bias": _scale,
    "Concat": _concat,
    "Convolution": convolution,
    "Crop": _crop,
    "Deconvolution": deconvolution,
    "Embed": _embed,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "PReLU": _prelu,
    "Pooling": pooling,
    "Reduction": _reduction,
    "Reshape": _reshape,
    "Scale": _scale,
    "Silence": _silence,
    "Slice": _slice,
    "Tile": _tile,
}
