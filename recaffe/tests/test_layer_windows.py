"""Deconvolution, Im2col, SPP and convolutions over other than one to three axes, against slow loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import recaffe
from random_nets import net_text


def one_layer(layer_type: str, param: str, **inputs: tuple[int, ...]) -> str:
    return net_text(f'layer {{ name: "l" type: "{layer_type}" bottom: "data" top: "out" {param} }}', **inputs)


def values_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(0).randn(*shape)


def slow_deconvolution(data, weight, bias, group, stride, pad, dilation):
    """Every value spreads its kernel over the output; for any number of axes."""
    channels, outs = data.shape[1], weight.shape[1]
    kernel, axes = weight.shape[2:], range(weight.ndim - 2)
    sizes = [stride[a] * (data.shape[2 + a] - 1) + dilation[a] * (kernel[a] - 1) + 1 - 2 * pad[a] for a in axes]
    result = np.zeros((len(data), outs * group, *sizes)) + bias.reshape(-1, *[1] * len(kernel))
    for n, c, *place in np.ndindex(*data.shape):
        for o, *offset in np.ndindex(outs, *kernel):
            target = [place[a] * stride[a] + offset[a] * dilation[a] - pad[a] for a in axes]
            if all(0 <= at < size for at, size in zip(target, sizes, strict=True)):
                out = c // (channels // group) * outs + o
                result[(n, out, *target)] += data[(n, c, *place)] * weight[(c, o, *offset)]
    return result


GEOMETRIES = {  # shape, group, kernel, stride, pad, dilation
    "two_axes": ((2, 4, 3, 4), 2, (3, 2), (2, 1), (1, 0), (1, 2)),
    "one_axis": ((1, 2, 5), 1, (4,), (3,), (2,), (1,)),
    "four_axes": ((1, 2, 2, 1, 2, 3), 2, (2, 1, 2, 2), (1, 2, 2, 1), (0, 0, 1, 1), (1, 1, 1, 2)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_deconvolution_is_the_slow_loop(name, make_net):
    shape, group, *geometry = GEOMETRIES[name]
    fields = zip(("kernel_size", "stride", "pad", "dilation"), geometry, strict=True)
    param = " ".join(f"{field}: {size}" for field, sizes in fields for size in sizes)
    param += f' num_output: 4 group: {group} weight_filler {{ type: "gaussian" std: 1 }} bias_filler {{ value: 0.5 }}'
    net = make_net(one_layer("Deconvolution", f"convolution_param {{ {param} }}", data=shape))
    data, (weight, bias) = values_of(shape), (blob.data for blob in net.params["l"])
    _, *rest = geometry
    expected = slow_deconvolution(data, weight, bias, group, *rest)
    found = net.forward(data=data)["out"]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_bilinear_deconvolution_keeps_a_flat_image_flat_inside(make_net):
    param = 'num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" }'
    net = make_net(one_layer("Deconvolution", f"convolution_param {{ {param} }}", data=(1, 2, 4, 4)))
    out = net.forward(data=np.full((1, 2, 4, 4), 3))["out"]
    assert out.shape == (1, 2, 8, 8)
    np.testing.assert_allclose(out[:, :, 1:-1, 1:-1], 3)


def test_convolution_over_no_axis_is_an_inner_product(make_net):
    param = 'num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } bias_filler { value: 1 }'
    net = make_net(one_layer("Convolution", f"convolution_param {{ {param} }}", data=(2, 4)))
    data, (weight, bias) = values_of((2, 4)), (blob.data for blob in net.params["l"])
    assert weight.shape == (3, 4)
    np.testing.assert_allclose(net.forward(data=data)["out"], data @ weight.T + bias, rtol=1e-5)


def test_convolution_over_four_axes_sums_those_over_three(make_net):
    """A kernel of 2 on the first axis: the sum of its two halves' three-axis convolutions of neighbours."""
    param = 'num_output: 2 kernel_size: 2 pad: 1 bias_term: false weight_filler { type: "gaussian" std: 1 }'
    shape = (1, 2, 2, 3, 2, 2)
    four = make_net(one_layer("Convolution", f"convolution_param {{ {param} }}", data=shape))
    three = make_net(one_layer("Convolution", f"convolution_param {{ {param} }}", data=(1, 2, 3, 2, 2)))
    data, expected = values_of(shape), 0
    for half in (0, 1):
        three.params["l"][0].data[...] = four.params["l"][0].data[:, :, half]
        expected = expected + three.forward(data=data[:, :, half])["out"]
    np.testing.assert_allclose(four.forward(data=data)["out"][:, :, 1], expected, rtol=1e-4, atol=1e-5)


def test_im2col_is_the_slow_loop(make_net):
    shape, kernel, stride, pad, dilation = (2, 2, 4, 5), (2, 3), (2, 1), (1, 2), (1, 2)
    param = "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 2 dilation: 1 dilation: 2"
    net = make_net(one_layer("Im2col", f"convolution_param {{ {param} }}", data=shape))
    data = values_of(shape)
    found = net.forward(data=data)["out"]
    assert found.shape == (2, 12, 3, 5)
    for n, c, i, j, y, x in np.ndindex(2, 2, *kernel, 3, 5):
        at = [w * s + k * d - p for w, s, k, d, p in zip((y, x), stride, (i, j), dilation, pad, strict=True)]
        expected = data[n, c, at[0], at[1]] if 0 <= at[0] < 4 and 0 <= at[1] < 5 else 0
        assert found[n, c * 6 + i * 3 + j, y, x] == pytest.approx(expected)


def test_gradient_of_im2col_counts_the_windows_of_each_place(make_net):
    net = make_net(one_layer("Im2col", "convolution_param { kernel_size: 2 }", data=(1, 1, 3, 3)))
    net.forward(data=np.zeros((1, 1, 3, 3)))
    diff = net.backward(out=np.ones((1, 4, 2, 2)))["data"]
    np.testing.assert_array_equal(diff[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize(("height", "width"), [(4, 8), (5, 7)])
def test_pyramid_has_the_maxima_of_whole_halves_and_quarters(height, width, make_net):
    net = make_net(one_layer("SPP", "spp_param { pyramid_height: 2 }", data=(1, 2, height, width)))
    data = values_of((1, 2, height, width))
    found = net.forward(data=data)["out"]
    rows = (slice(0, height // 2), slice(height // 2, None))  # what is left over is padding before the first bin
    columns = (slice(0, width // 2), slice(width // 2, None))
    quarters = [data[0, c, y, x].max() for c, y, x in itertools.product(range(2), rows, columns)]
    np.testing.assert_allclose(found[0], [*data[0].max((1, 2)), *quarters], rtol=1e-6)


def test_pyramid_of_another_image_has_the_same_length(make_net):
    net = make_net(one_layer("SPP", "spp_param { pyramid_height: 3 pool: AVE }", data=(1, 2, 8, 8)))
    for shape in ((1, 2, 8, 8), (3, 2, 12, 7)):
        net.blobs["data"].reshape(*shape)
        out = net.forward(data=np.ones(shape))["out"]
        assert out.shape == (shape[0], 2 * 21)
        np.testing.assert_allclose(out[:, :2], 1)


REFUSED = [
    ("Deconvolution", "convolution_param { num_output: 3 kernel_size: 1 pad: 3 }", "smaller bottom"),
    ("Deconvolution", "convolution_param { num_output: 3 group: 2 kernel_size: 1 }", "3 outputs by 2 groups"),
    (
        "Deconvolution",
        "convolution_param { num_output: 2 kernel_size: 2 pad: 1 pad: 1 pad: 1 }",
        "has 3 values",
    ),
    ("Im2col", "convolution_param { kernel_size: 9 }", "smaller bottom"),
    ("Im2col", "convolution_param { kernel_size: 0 }", "expected at least 1"),
    ("Im2col", "convolution_param { axis: -1 kernel_size: 1 }", "needs spatial axes"),
    ("SPP", "", "pyramid_height 0"),
    ("SPP", "spp_param { pyramid_height: 4 }", "not smaller than its kernel"),
]


@pytest.mark.parametrize(("kind", "options", "problem"), REFUSED, ids=[problem[:25] for *_, problem in REFUSED])
def test_impossible_layer_is_refused_with_its_name_and_reason(kind, options, problem, make_net):
    with pytest.raises(recaffe.NetError, match=f"layer 'l' .*{problem}"):
        make_net(one_layer(kind, options, data=(1, 2, 5, 5)))
