"""Deconvolution, Im2col and SPP."""

from __future__ import annotations

from hypothesis import strategies as st

from random_nets import fillers, net_text


@st.composite
def _windows(draw: st.DrawFn, axes: int, *, enlarges: bool) -> tuple[str, list[int]]:
    """The geometry of a convolution_param, and sizes of an image that fits it."""
    param, sizes = "", []
    for _ in range(axes):
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        pad, dilation = draw(st.integers(0, 2)), draw(st.integers(1, 2))
        extent = dilation * (kernel - 1) + 1
        # An image that has a window; or one that has something left of it once both pads are cut off.
        least = max(1, 1 + -(-(2 * pad + 1 - extent) // stride)) if enlarges else max(1, extent - 2 * pad)
        sizes.append(draw(st.integers(least, least + (3 if axes < 3 else 1))))
        param += f"kernel_size: {kernel} stride: {stride} pad: {pad} dilation: {dilation} "
    return param, sizes


@st.composite
def deconvolution(draw: st.DrawFn) -> str:
    group = draw(st.integers(1, 3))
    channels, outputs = group * draw(st.integers(1, 2)), group * draw(st.integers(1, 3))
    param, sizes = draw(_windows(draw(st.integers(1, 4)), enlarges=True))
    param += f"num_output: {outputs} group: {group} weight_filler {{ {draw(fillers())} }} "
    if draw(st.booleans()):
        param += "bias_term: false "
    else:
        param += f"bias_filler {{ {draw(fillers())} }} "
    batch = draw(st.lists(st.integers(1, 2), max_size=2))
    param += f"axis: {len(batch)} "
    bottoms = draw(st.sampled_from([("data",), ("data", "more")]))
    wires = "".join(f'bottom: "{name}" top: "out_{name}" ' for name in bottoms)
    layer = f'layer {{ name: "layer" type: "Deconvolution" {wires} convolution_param {{ {param} }} }}'
    return net_text(layer, **dict.fromkeys(bottoms, (*batch, channels, *sizes)))


@st.composite
def upsampling(draw: st.DrawFn) -> str:
    """The usual Deconvolution: bilinear, a channel each."""
    channels, factor = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    param = f"num_output: {channels} group: {channels} kernel_size: {2 * factor - factor % 2} stride: {factor} "
    param += f'pad: {factor // 2} bias_term: false weight_filler {{ type: "bilinear" }}'
    layer = f'layer {{ name: "layer" type: "Deconvolution" bottom: "data" top: "out" convolution_param {{ {param} }} }}'
    return net_text(layer, data=(1, channels, draw(st.integers(1, 4)), draw(st.integers(1, 4))))


@st.composite
def im2col(draw: st.DrawFn) -> str:
    batch = draw(st.lists(st.integers(1, 2), max_size=2))
    param, sizes = draw(_windows(draw(st.integers(1, 3)), enlarges=False))
    param += f"axis: {len(batch)} " + draw(st.sampled_from(("", "force_nd_im2col: true ")))
    layer = f'layer {{ name: "layer" type: "Im2col" bottom: "data" top: "out" convolution_param {{ {param} }} }}'
    return net_text(layer, data=(*batch, draw(st.integers(1, 2)), *sizes))


@st.composite
def spp(draw: st.DrawFn) -> str:
    levels = draw(st.integers(1, 3))
    bins = 2 ** (levels - 1)
    sizes = [draw(st.sampled_from([size for size in range(bins, 3 * bins + 4) if _fits(size, bins)])) for _ in "hw"]
    param = f"pyramid_height: {levels} pool: {draw(st.sampled_from(('MAX', 'AVE')))}"
    layer = f'layer {{ name: "layer" type: "SPP" bottom: "data" top: "out" spp_param {{ {param} }} }}'
    return net_text(layer, data=(draw(st.integers(1, 2)), draw(st.integers(1, 3)), *sizes))


def _fits(size: int, bins: int) -> bool:
    """Whether Caffe can pool this size into as many bins, and into all fewer: its padding must be below the kernel."""
    kernel = -(-size // bins)
    return (kernel * bins - size + 1) // 2 < kernel and (bins == 1 or _fits(size, bins // 2))


NETS = {
    "Deconvolution": st.one_of(deconvolution(), upsampling()),
    "Im2col": im2col(),
    "SPP": spp(),
}
