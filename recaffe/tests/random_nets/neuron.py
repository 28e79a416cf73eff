"""Layers that give each value its own, alone or in place."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text, shapes

COPY = 'layer { name: "copy" type: "Power" bottom: "%s" top: "copy" }\n'  # for the next layer to work in place on
NO_PARAM = st.just("")
ENGINES = st.sampled_from(("DEFAULT", "CAFFE"))  # real Caffe has CUDNN only where it was built with it


def tenths(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers with one digit behind the point."""
    return st.integers(round(least * 10), round(most * 10)).map(lambda number: number / 10)


def fields(name: str, **values: st.SearchStrategy) -> st.SearchStrategy[str]:
    """A parameter message with some of the fields `values`."""
    chosen = st.fixed_dictionaries({}, optional=values)
    return chosen.map(lambda found: name + " { " + " ".join(f"{key}: {value}" for key, value in found.items()) + " }")


@st.composite
def neuron(
    draw: st.DrawFn,
    kind: str,
    param: st.SearchStrategy[str] = NO_PARAM,
    *,
    data: str = "data",
    in_place: bool = True,
    force_backward: bool = True,
    least_axes: int = 1,
    most_axes: int = 5,
) -> str:
    inputs = {data: draw(shapes(least_axes, most_axes, most=4))}
    wires, before = f'bottom: "{data}" top: "out"', ""
    if in_place and draw(st.booleans()):
        wires, before = 'bottom: "copy" top: "copy"', COPY % data
    layer = f'layer {{ name: "layer" type: "{kind}" {wires} {draw(param)} }}'
    return net_text(before + layer, force_backward=force_backward, **inputs)


bases = st.sampled_from((-1, 0.3, 2, 10))
powers_of_all = fields("power_param", power=st.sampled_from((0, 1, 2, 3)), scale=tenths(-2, 2), shift=tenths(-1, 1))
powers_of_positive = fields("power_param", power=tenths(-2, 3), scale=tenths(0.1, 2), shift=tenths(0, 1))
slopes = fields("prelu_param", filler=fillers().map(lambda text: "{ " + text + " }"))
one_slope = tenths(-1, 1).map(lambda value: f"prelu_param {{ channel_shared: true filler {{ value: {value} }} }}")

NETS = {
    "AbsVal": neuron("AbsVal", in_place=False),
    "BNLL": neuron("BNLL"),
    "Clip": st.tuples(tenths(-2, 1), tenths(-1, 2)).flatmap(
        lambda ends: neuron("Clip", st.just(f"clip_param {{ min: {ends[0]} max: {ends[1]} }}"))
    ),
    "Dropout": st.tuples(tenths(0, 0.9), st.sampled_from(("TRAIN", "TEST"))).flatmap(
        lambda drawn: neuron("Dropout", st.just(f"phase: {drawn[1]} dropout_param {{ dropout_ratio: {drawn[0]} }}"))
    ),
    "ELU": neuron("ELU", fields("elu_param", alpha=tenths(-2, 2))),
    "Exp": neuron("Exp", fields("exp_param", base=bases, scale=tenths(-1, 1), shift=tenths(-2, 2))),
    "Log": neuron("Log", fields("log_param", base=bases, scale=tenths(0.5, 3), shift=tenths(0, 2)), data="positive"),
    "PReLU": neuron("PReLU", slopes | one_slope, least_axes=2, most_axes=4),
    "Power": neuron("Power", powers_of_all) | neuron("Power", powers_of_positive, data="positive"),
    "ReLU": neuron("ReLU", fields("relu_param", negative_slope=tenths(-1, 1), engine=ENGINES)),
    "Sigmoid": neuron("Sigmoid", fields("sigmoid_param", engine=ENGINES)),
    "Swish": neuron("Swish", fields("swish_param", beta=tenths(-2, 2))),
    "TanH": neuron("TanH", fields("tanh_param", engine=ENGINES)),
    "Threshold": neuron("Threshold", fields("threshold_param", threshold=tenths(-1, 1)), force_backward=False),
}
