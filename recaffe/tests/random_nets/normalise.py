"""BatchNorm, MVN, LRN, Scale and Bias."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text, shapes
from random_nets.neuron import COPY, ENGINES, fields, tenths


def bottoms_of(in_place: bool) -> tuple[str, str, str]:
    """What stands before a layer, the name of its bottom, and that of its top."""
    return (COPY % "data", "copy", "copy") if in_place else ("", "data", "out")


@st.composite
def normalise(draw: st.DrawFn, kind: str, param: st.SearchStrategy[str], least_axes: int, most_axes: int) -> str:
    before, bottom, top = bottoms_of(draw(st.booleans()))
    # Of one or two values nothing but rounding is left of a gradient.
    shape = (draw(st.integers(3, 4)), *draw(shapes(least_axes - 3, most_axes - 3, most=3)), 3, draw(st.integers(2, 3)))
    layer = f'layer {{ name: "statistics" type: "{kind}" bottom: "{bottom}" top: "{top}" {draw(param)} }}'
    return net_text(before + layer, data=shape)


@st.composite
def lrn(draw: st.DrawFn) -> str:
    param = fields(
        "lrn_param",
        local_size=st.sampled_from((1, 3, 5, 7)),
        alpha=tenths(0, 2),
        beta=tenths(0, 1.5),
        k=tenths(0.5, 2),
        norm_region=st.sampled_from(("ACROSS_CHANNELS", "WITHIN_CHANNEL")),
        engine=ENGINES,
    )
    return net_text(
        f'layer {{ name: "layer" type: "LRN" bottom: "data" top: "out" {draw(param)} }}', data=draw(shapes())
    )


@st.composite
def with_operand(draw: st.DrawFn, kind: str, name: str) -> str:
    before, bottom, top = bottoms_of(draw(st.booleans()))
    shape = draw(shapes(1, 5, most=4))
    axis = draw(st.integers(0, len(shape) - 1))
    num_axes = draw(st.integers(0, len(shape) - axis))
    param = f"axis: {axis - draw(st.sampled_from((0, len(shape))))} "
    inputs = {"data": shape}
    if draw(st.booleans()):
        bottom += '" bottom: "operand'
        inputs["operand"] = shape[axis : axis + num_axes]
    else:
        takes_rest = num_axes == len(shape) - axis and draw(st.booleans())
        any_filler = fillers() if num_axes else st.just("value: 0.7")
        param += f"num_axes: {-1 if takes_rest else num_axes} filler {{ {draw(any_filler)} }} "
    if kind == "Scale" and draw(st.booleans()):
        param += "bias_term: true bias_filler { value: 0.4 }"
    layer = f'layer {{ name: "layer" type: "{kind}" bottom: "{bottom}" top: "{top}" {name} {{ {param} }} }}'
    return net_text(before + layer, **inputs)


batch_norm_fields = fields(
    "batch_norm_param",
    use_global_stats=st.sampled_from(("true", "false")),
    eps=st.sampled_from((1e-5, 1e-3, 0.5)),
    moving_average_fraction=tenths(0, 1),
)
mvn_fields = fields(
    "mvn_param",
    normalize_variance=st.sampled_from(("true", "false")),
    across_channels=st.sampled_from(("true", "false")),
    eps=st.sampled_from((1e-9, 1e-3, 0.5)),
)

NETS = {
    "BatchNorm": normalise("BatchNorm", batch_norm_fields, 3, 5),
    "Bias": with_operand("Bias", "bias_param"),
    "LRN": lrn(),
    "MVN": normalise("MVN", mvn_fields, 4, 4),
    "Scale": with_operand("Scale", "scale_param"),
}
