"""Pooling."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import net_text
from random_nets.neuron import ENGINES


@st.composite
def pooling(draw: st.DrawFn) -> str:
    method = draw(st.sampled_from(("MAX", "AVE")))
    shape = [draw(st.integers(1, 3)), draw(st.integers(1, 3)), 0, 0]
    if draw(st.integers(0, 5)) == 0:
        param, shape[2:] = "global_pooling: true", [draw(st.integers(1, 5)), draw(st.integers(1, 5))]
    else:
        mode = draw(st.sampled_from(("CEIL", "FLOOR")))
        is_square = draw(st.booleans())
        kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
        kernel = (kernel[0],) * 2 if is_square else kernel
        pad = [draw(st.integers(0, size - 1)) for size in kernel]
        pad = pad[:1] * 2 if is_square else pad
        # Without padding Caffe keeps a last window that lies beyond the image, and reads foreign memory there.
        most = 5 if mode == "FLOOR" or any(pad) else min(kernel)
        stride = [draw(st.integers(1, most)) for _ in kernel]
        for axis in range(2):
            shape[2 + axis] = draw(st.integers(max(kernel[axis] - 2 * pad[axis], 1), 8))
        param = f"round_mode: {mode} "
        if is_square:
            param += f"kernel_size: {kernel[0]} pad: {pad[0]} stride: {stride[0]}"
        else:
            for name, sizes in (("kernel", kernel), ("pad", pad), ("stride", stride)):
                param += f"{name}_h: {sizes[0]} {name}_w: {sizes[1]} "
    param = f"pool: {method} {param} engine: {draw(ENGINES)}"
    tops = 'top: "out" top: "places"' if method == "MAX" and draw(st.booleans()) else 'top: "out"'
    layer = f'layer {{ name: "layer" type: "Pooling" bottom: "data" {tops} pooling_param {{ {param} }} }}'
    return net_text(layer, data=shape)


NETS = {"Pooling": pooling()}
