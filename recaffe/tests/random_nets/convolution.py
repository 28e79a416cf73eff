"""Convolution, InnerProduct and Embed."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text, shapes


@st.composite
def convolution(draw: st.DrawFn) -> str:
    axes = draw(st.integers(1, 4))
    group = draw(st.integers(1, 3))
    channels, outputs = group * draw(st.integers(1, 2)), group * draw(st.integers(1, 3))
    param, sizes = f"num_output: {outputs} group: {group} weight_filler {{ {draw(fillers())} }} ", []
    for _ in range(axes):
        kernel, dilation, pad = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
        least = max(dilation * (kernel - 1) + 1 - 2 * pad, 1)
        sizes.append(draw(st.integers(least, least + 4)))
        param += f"kernel_size: {kernel} dilation: {dilation} pad: {pad} stride: {draw(st.integers(1, 3))} "
    if draw(st.booleans()):
        param += "bias_term: false "
    else:
        param += f"bias_filler {{ {draw(fillers())} }} "
    bottoms = draw(st.sampled_from([("data",), ("data", "more")]))
    wires = "".join(f'bottom: "{name}" top: "out_{name}" ' for name in bottoms)
    shape = (draw(st.integers(1, 3)), channels, *sizes)
    layer = f'layer {{ name: "layer" type: "Convolution" {wires} convolution_param {{ {param} }} }}'
    return net_text(layer, **dict.fromkeys(bottoms, shape))


@st.composite
def inner_product(draw: st.DrawFn) -> str:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    axis = draw(st.integers(1, len(shape) - 1)) - draw(st.sampled_from((0, len(shape))))
    param = f"num_output: {draw(st.integers(1, 5))} axis: {axis} weight_filler {{ {draw(fillers())} }} "
    param += draw(st.sampled_from(("", "transpose: true "))) + draw(st.sampled_from(("", "bias_term: false ")))
    layer = (
        f'layer {{ name: "layer" type: "InnerProduct" bottom: "data" top: "out" inner_product_param {{ {param} }} }}'
    )
    return net_text(layer, data=shape)


@st.composite
def embed(draw: st.DrawFn) -> str:
    param = f"input_dim: {draw(st.integers(3, 5))} num_output: {draw(st.integers(1, 4))} "
    param += f"weight_filler {{ {draw(fillers())} }} " + draw(st.sampled_from(("", "bias_term: false ")))
    layers = f'layer {{ name: "layer" type: "Embed" bottom: "index" top: "rows" embed_param {{ {param} }} }}\n'
    layers += 'layer { name: "squares" type: "Reduction" bottom: "rows" top: "out" loss_weight: 0.7 '
    layers += "reduction_param { operation: SUMSQ } }"
    return net_text(layers, force_backward=False, index=draw(shapes(1, 4, most=4)))


NETS = {"Convolution": convolution(), "Embed": embed(), "InnerProduct": inner_product()}
