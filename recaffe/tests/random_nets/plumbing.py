"""Layers that join and pass on: Concat, Eltwise, Flatten, Parameter, Silence, Split."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import net_text, shapes
from random_nets.neuron import tenths

NAMES = ("data", "more", "others", "rest")


def bottoms(names: tuple[str, ...]) -> str:
    return " ".join(f'bottom: "{name}"' for name in names)


@st.composite
def concat(draw: st.DrawFn) -> str:
    shape, names = draw(shapes(1, 5, most=3)), NAMES[: draw(st.integers(1, 4))]
    axis = draw(st.integers(0, len(shape) - 1))
    param = draw(st.sampled_from((f"axis: {axis}", f"axis: {axis - len(shape)}", f"concat_dim: {axis}")))
    layer = f'layer {{ name: "layer" type: "Concat" {bottoms(names)} top: "out" concat_param {{ {param} }} }}'
    sizes = {name: (*shape[:axis], draw(st.integers(1, 3)), *shape[axis + 1 :]) for name in names}
    return net_text(layer, **sizes)


@st.composite
def eltwise(draw: st.DrawFn) -> str:
    names, operation = NAMES[: draw(st.integers(2, 4))], draw(st.sampled_from(("PROD", "SUM", "MAX")))
    param = f"operation: {operation} stable_prod_grad: {draw(st.sampled_from(('true', 'false')))} "
    if operation == "SUM" and draw(st.booleans()):
        param += " ".join(f"coeff: {draw(tenths(-2, 2))}" for _ in names)
    layer = f'layer {{ name: "layer" type: "Eltwise" {bottoms(names)} top: "out" eltwise_param {{ {param} }} }}'
    return net_text(layer, **dict.fromkeys(names, draw(shapes(1, 5, most=4))))


@st.composite
def flatten(draw: st.DrawFn) -> str:
    shape = draw(shapes(1, 5, most=4))
    start = draw(st.integers(0, len(shape) - 1))
    end = draw(st.integers(max(start - 1, 0), len(shape) - 1))
    param = f"axis: {start} end_axis: {end - draw(st.sampled_from((0, len(shape))))}"
    layer = f'layer {{ name: "layer" type: "Flatten" bottom: "data" top: "out" flatten_param {{ {param} }} }}'
    return net_text(layer, data=shape)


@st.composite
def parameter(draw: st.DrawFn) -> str:
    shape = draw(shapes(1, 4, most=3))
    dims = " ".join(f"dim: {size}" for size in shape[1:])
    layers = f'layer {{ name: "layer" type: "Parameter" top: "weight" parameter_param {{ shape {{ {dims} }} }} }}\n'
    layers += 'layer { name: "user" type: "Bias" bottom: "data" bottom: "weight" top: "out" }'
    return net_text(layers if len(shape) > 1 else layers.replace('"Bias"', '"Bias" bias_param { axis: 0 }'), data=shape)


@st.composite
def silence(draw: st.DrawFn) -> str:
    names = NAMES[: draw(st.integers(1, 4))]
    return net_text(
        f'layer {{ name: "layer" type: "Silence" {bottoms(names)} }}',
        **{name: draw(shapes(1, 5, most=3)) for name in names},
    )


@st.composite
def split(draw: st.DrawFn) -> str:
    tops = " ".join(f'top: "{name}_out"' for name in NAMES[: draw(st.integers(1, 4))])
    layer = f'layer {{ name: "layer" type: "Split" bottom: "data" {tops} }}'
    return net_text(layer, data=draw(shapes(1, 5, most=4)))


NETS = {
    "Concat": concat(),
    "Eltwise": eltwise(),
    "Flatten": flatten(),
    "Parameter": parameter(),
    "Silence": silence(),
    "Split": split(),
}
