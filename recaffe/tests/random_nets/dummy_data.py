"""DummyData."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, shapes


@st.composite
def dummy_data(draw: st.DrawFn) -> str:
    n_tops = draw(st.integers(1, 3))
    param = ""
    for _ in range(draw(st.sampled_from((1, n_tops)))):
        dims = " ".join(f"dim: {size}" for size in draw(shapes(1, 4)))
        param += f"shape {{ {dims} }} "
    for _ in range(draw(st.sampled_from((0, 1, n_tops)))):
        param += f"data_filler {{ {draw(fillers())} }} "
    tops = " ".join(f'top: "out{index}"' for index in range(n_tops))
    return f'layer {{ name: "layer" type: "DummyData" {tops} dummy_data_param {{ {param} }} }}'


NETS = {"DummyData": dummy_data()}
