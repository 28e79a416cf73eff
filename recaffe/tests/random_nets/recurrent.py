"""RNN, LSTM and LSTMUnit."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text


@st.composite
def recurrent(draw: st.DrawFn, layer_type: str, hidden: tuple[str, ...]) -> str:
    """The layer, and one behind it whose weights show how far the random stream went."""
    steps, streams, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = st.lists(st.integers(1, 3), min_size=1, max_size=2)
    inputs = {"data": (steps, streams, *draw(sizes)), "cont": (steps, streams)}
    if draw(st.booleans()):
        inputs["static"] = (streams, *draw(sizes))
    tops = ["out"]
    param = f"num_output: {outputs} weight_filler {{ {draw(fillers())} }} bias_filler {{ {draw(fillers())} }} "
    if draw(st.booleans()):
        param += "expose_hidden: true "
        inputs.update((f"{name}_0", (1, streams, outputs)) for name in hidden)
        tops += [f"{name}_last" for name in hidden]
    wires = " ".join([f'bottom: "{name}"' for name in inputs] + [f'top: "{name}"' for name in tops])
    layer = f'layer {{ name: "layer" type: "{layer_type}" {wires} recurrent_param {{ {param} }} }}\n'
    ending = (
        'layer { name: "behind" type: "InnerProduct" bottom: "out" top: "scores" '
        'inner_product_param { num_output: 2 axis: 2 weight_filler { type: "gaussian" std: 1 } } }'
    )
    return net_text(layer + ending, **inputs)


@st.composite
def lstm_unit(draw: st.DrawFn) -> str:
    streams, size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    cont = draw(st.sampled_from(("cont", "flag", "unit")))
    wires = f'bottom: "cell" bottom: "gates" bottom: "{cont}" top: "c" top: "h"'
    shapes = {"cell": (1, streams, size), "gates": (1, streams, 4 * size), cont: (1, streams)}
    return net_text(f'layer {{ name: "layer" type: "LSTMUnit" {wires} }}', **shapes)


NETS = {"LSTM": recurrent("LSTM", ("h", "c")), "LSTMUnit": lstm_unit(), "RNN": recurrent("RNN", ("h",))}
