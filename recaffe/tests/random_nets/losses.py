"""Losses, Softmax and Accuracy."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import net_text

CLASSES = 3  # as many as there are values of a label


@st.composite
def euclidean_loss(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    layer = 'layer { name: "layer" type: "EuclideanLoss" bottom: "data" bottom: "more" top: "loss" %s }'
    return net_text(layer % draw(_loss_weights()), data=shape, more=shape)


@st.composite
def _class_loss(draw: st.DrawFn, layer_type: str, name: str, options: st.SearchStrategy[str]) -> str:
    """One label for each row of scores."""
    shape = (draw(st.integers(1, 4)), CLASSES, *draw(st.lists(st.integers(1, 3), max_size=2)))
    ones = [1] * draw(st.integers(0, 3))
    layer = f'layer {{ name: "layer" type: "{layer_type}" bottom: "{name}" bottom: "label" top: "loss" '
    layer += f"{draw(options)} {draw(_loss_weights())} }}"
    return net_text(layer, **{name: shape, "label": (shape[0], *ones)})


@st.composite
def contrastive_loss(draw: st.DrawFn) -> str:
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 4)), *[1] * draw(st.integers(0, 2)))
    param = f"margin: {draw(st.sampled_from((0.5, 1, 3)))} " + draw(st.sampled_from(("", "legacy_version: true")))
    wires = 'bottom: "data" bottom: "more" bottom: "flag" top: "loss"'
    layer = f'layer {{ name: "layer" type: "ContrastiveLoss" {wires} contrastive_loss_param {{ {param} }} }}'
    return net_text(layer, data=shape, more=shape, flag=shape[:1])


@st.composite
def sigmoid_loss(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    target = draw(st.sampled_from(("label", "unit", "target")))
    wires = f'bottom: "data" bottom: "{target}" top: "loss"'
    layer = f'layer {{ name: "layer" type: "SigmoidCrossEntropyLoss" {wires} {draw(_loss_weights())} '
    return net_text(layer + f"loss_param {{ {draw(_loss_params())} }} }}", **{"data": shape, target: shape})


@st.composite
def _by_axis(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Shape of the scores, shape of the labels, axis of the classes: not the first, which is the batch."""
    labels = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    axis = draw(st.integers(1, len(labels)))
    return [*labels[:axis], CLASSES, *labels[axis:]], labels, axis - draw(st.sampled_from((0, len(labels) + 1)))


@st.composite
def softmax_loss(draw: st.DrawFn) -> str:
    shape, labels, axis = draw(_by_axis())
    layer = 'layer { name: "layer" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "loss" '
    layer += f"softmax_param {{ axis: {axis} }} loss_param {{ {draw(_loss_params())} }} {draw(_loss_weights())} }}"
    return net_text(layer, data=shape, label=labels)


@st.composite
def infogain_loss(draw: st.DrawFn) -> str:
    """Behind a layer that learns: with force_backward real Caffe wants a gradient of the matrix and stops."""
    shape, labels, axis = draw(_by_axis())
    below = (
        'layer { name: "below" type: "Scale" bottom: "data" top: "scores" propagate_down: true '
        'scale_param { filler { type: "gaussian" std: 1 } } }\n'
    )
    wires = 'bottom: "scores" bottom: "label" bottom: "positive_matrix" top: "loss"'
    layer = f'{below}layer {{ name: "layer" type: "InfogainLoss" {wires} infogain_loss_param {{ axis: {axis} }} '
    layer += f"loss_param {{ {draw(_loss_params(with_normalize=False))} }} {draw(_loss_weights())} }}"
    return net_text(layer, force_backward=False, data=shape, label=labels, positive_matrix=(CLASSES, CLASSES))


@st.composite
def softmax(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    layer = f'layer {{ name: "layer" type: "Softmax" bottom: "data" top: "out" softmax_param {{ axis: {axis} }} }}'
    return net_text(layer, data=shape)


@st.composite
def accuracy(draw: st.DrawFn) -> str:
    shape, labels, axis = draw(_by_axis())
    param = f"axis: {axis} top_k: {draw(st.integers(1, CLASSES))} " + draw(st.sampled_from(("", "ignore_label: 1")))
    tops = draw(st.sampled_from(('top: "out"', 'top: "out" top: "each"')))
    wires = f'bottom: "data" bottom: "label" {tops}'
    layer = f'layer {{ name: "layer" type: "Accuracy" {wires} accuracy_param {{ {param} }} }}'
    return net_text(layer, force_backward=False, data=shape, label=labels)


def _loss_weights() -> st.SearchStrategy[str]:
    return st.sampled_from(("", "loss_weight: 0.3", "loss_weight: -2"))


@st.composite
def _loss_params(draw: st.DrawFn, with_normalize: bool = True) -> str:
    """The inside of a loss_param."""
    modes = ["", *(f"normalization: {mode}" for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"))]
    modes += ["normalize: true", "normalize: false"] if with_normalize else []
    return draw(st.sampled_from(modes)) + draw(st.sampled_from(("", " ignore_label: 1", " ignore_label: 255")))


NETS = {
    "Accuracy": accuracy(),
    "ContrastiveLoss": contrastive_loss(),
    "EuclideanLoss": euclidean_loss(),
    "HingeLoss": _class_loss("HingeLoss", "data", st.sampled_from(("", "hinge_loss_param { norm: L2 }"))),
    "InfogainLoss": infogain_loss(),
    "MultinomialLogisticLoss": _class_loss("MultinomialLogisticLoss", "probability", st.just("")),
    "SigmoidCrossEntropyLoss": sigmoid_loss(),
    "Softmax": softmax(),
    "SoftmaxWithLoss": softmax_loss(),
}
