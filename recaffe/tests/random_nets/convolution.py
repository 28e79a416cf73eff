"""Convolution, InnerProduct and Embed."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text, shapes


@st.composite
def convolution(draw: st.DrawFn) -> str:
    axes, group = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    channels, outputs = group * draw(st.integers(1, 2)), group * draw(st.integers(1, 3))
    param = f"num_output: {outputs} group: {group} weight_filler {{ {draw(fillers())} }} "
    most = 3 if axes < 4 else 2
    geometry = {
        "kernel": draw(st.lists(st.integers(1, most), min_size=axes, max_size=axes)),
        "stride": draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes)),
        "pad": draw(st.lists(st.integers(0, 2), min_size=axes, max_size=axes)),
        "dilation": draw(st.lists(st.integers(1, 2), min_size=axes, max_size=axes)),
    }
    for name, values in geometry.items():
        if axes and draw(st.integers(0, 3)) == 0:  # one number for all axes
            values[:] = values[:1] * axes
            values_given = values[:1]
        else:
            values_given = values
        if axes == 2 and name != "dilation" and draw(st.booleans()):
            param += f"{name}_h: {values[0]} {name}_w: {values[1]} "
        else:
            param += " ".join(f"{name}{'_size' * (name == 'kernel')}: {value}" for value in values_given) + " "
    sizes = []
    for kernel, pad, dilation in zip(geometry["kernel"], geometry["pad"], geometry["dilation"], strict=True):
        least = max(dilation * (kernel - 1) + 1 - 2 * pad, 1)
        sizes.append(draw(st.integers(least, least + most)))
    if draw(st.booleans()):
        param += "bias_term: false "
    else:
        param += f"bias_filler {{ {draw(fillers())} }} "
    param += draw(st.sampled_from(("", "force_nd_im2col: true ", "engine: CAFFE ")))
    batch = draw(st.lists(st.integers(1, 2), max_size=2))
    param += f"axis: {len(batch) - draw(st.sampled_from((0, len(batch) + 1 + axes)))} "
    bottoms = draw(st.sampled_from([("data",), ("data", "more")]))
    wires = "".join(f'bottom: "{name}" top: "out_{name}" ' for name in bottoms)
    layer = f'layer {{ name: "layer" type: "Convolution" {wires} convolution_param {{ {param} }} }}'
    return net_text(layer, **dict.fromkeys(bottoms, (*batch, channels, *sizes)))


@st.composite
def inner_product(draw: st.DrawFn) -> str:
    shape = draw(shapes(1, 5, most=4))
    axis = draw(st.integers(0, len(shape) - 1)) - draw(st.sampled_from((0, len(shape))))
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
