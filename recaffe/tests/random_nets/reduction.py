"""Reduction and ArgMax."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from random_nets import net_text, shapes
from random_nets.neuron import tenths


@st.composite
def reduction(draw: st.DrawFn) -> str:
    shape, operation = draw(shapes(1, 5, most=4)), draw(st.sampled_from(("SUM", "ASUM", "SUMSQ", "MEAN")))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    param = f"operation: {operation} axis: {axis} coeff: {draw(tenths(-2, 2))}"
    layer = f'layer {{ name: "layer" type: "Reduction" bottom: "data" top: "out" reduction_param {{ {param} }} }}'
    return net_text(layer, data=shape)


@st.composite
def argmax(draw: st.DrawFn) -> str:
    shape = draw(shapes(1, 5, most=5))
    data = draw(st.sampled_from(("data", "label")))  # labels have ties
    if draw(st.booleans()):
        axis = draw(st.integers(-len(shape), len(shape) - 1))
        param, values = f"axis: {axis} ", shape[axis]
    else:
        param, values = "", math.prod(shape[1:])
    param += f"top_k: {draw(st.integers(1, values))} out_max_val: {draw(st.sampled_from(('true', 'false')))}"
    layer = f'layer {{ name: "layer" type: "ArgMax" bottom: "{data}" top: "out" argmax_param {{ {param} }} }}'
    return net_text(layer, force_backward=False, **{data: shape})


NETS = {"ArgMax": argmax(), "Reduction": reduction()}
