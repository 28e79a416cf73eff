"""The net that Caffe unrolls a recurrent layer into, run beside ours where `debug_info` asks to see its blobs.

Its layers and their names are those of src/caffe/layers/recurrent_layer.cpp, lstm_layer.cpp and rnn_layer.cpp, so that
the log has Caffe's lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from recaffe.blob import Blob
from recaffe.proto import caffe_pb2, text

Shape = tuple[int, ...]


class Unrolled:
    """The unrolled net of a layer; it logs every blob as it is computed."""

    def __init__(self, layer: str, kind: str, num_output: int, shapes: Sequence[Shape]) -> None:
        """shapes: those of the bottoms x, cont and perhaps x_static."""
        from recaffe.net import Net  # not above: nets are made of layers

        parts = _lstm if kind == "LSTM" else _rnn
        self.hidden = ("h_0", "c_0") if kind == "LSTM" else ("h_0",)
        self.output = "h" if kind == "LSTM" else "o"
        self.inputs = ("x", "cont", "x_static")[: len(shapes)]
        param = text.parse(
            _input(self.inputs, shapes)
            + parts(shapes[0][0], shapes[0][1], num_output, len(shapes) > 2)
            + _layer("Reduction", f"{self.output}_pseudoloss", [self.output], ["pseudoloss"], "loss_weight: 1"),
            caffe_pb2.NetParameter,
        )
        for inner in param.layer[:-1]:
            inner.name = f"{layer}_{inner.name}"
        self._net = Net.from_param(param)
        self._net.debug_info = True

    def forward(self, inputs: Sequence[torch.Tensor], hidden: Sequence[torch.Tensor], weights: Sequence[Blob]) -> None:
        """Run all steps from the hidden states (N, num_output), with the layer's weights."""
        for name, value in zip((*self.inputs, *self.hidden), (*inputs, *hidden), strict=True):
            blob = self._net.blobs[name]
            value = value.clone() if name in self.inputs else value.clone().unsqueeze(0)
            blob.reshape(*value.shape)  # there may be other streams than before
            blob.set(value)
        by_name = dict(zip(self._weight_names(), weights, strict=True))
        for inner in self._net.engine_layers:
            for blob, spec in zip(inner.blobs, inner.param.param, strict=True):
                blob.share_data(by_name[spec.name])
        self._net._forward(0, len(self._net.engine_layers) - 2)

    def backward(self, gradient: torch.Tensor, weights: Sequence[Blob]) -> None:
        """Run back from the gradient of the outputs, adding to copies of the weights' gradients."""
        for learnable, blob in zip(self._net.learnable, weights, strict=True):
            learnable.blob.diff_tensor().copy_(blob.diff_tensor())
        self._net.blobs[self.output].set_diff(gradient.clone())
        self._net._backward(len(self._net.engine_layers) - 2, 0)

    def _weight_names(self) -> list[str]:
        """In the order of the layer's weights."""
        return list(dict.fromkeys(spec.name for inner in self._net.engine_layers for spec in inner.param.param))


def _lstm(steps: int, streams: int, num_output: int, has_static: bool) -> str:
    state = (1, streams, num_output)
    net = _input(("c_0", "h_0"), (state, state)) + _cont_slice(steps)
    net += _transforms("W_xc", "b_c", 4 * num_output, has_static, steps)
    for t in range(1, steps + 1):
        net += _continued(t) + _product(
            f"transform_{t}", f"h_conted_{t - 1}", f"W_hc_h_{t - 1}", 4 * num_output, "W_hc"
        )
        net += _sum(
            f"gate_input_{t}", f"W_hc_h_{t - 1}", f"W_xc_x_{t}", "W_xc_x_static" * has_static, f"gate_input_{t}"
        )
        bottoms = [f"c_{t - 1}", f"gate_input_{t}", f"cont_{t}"]
        net += _layer("LSTMUnit", f"unit_{t}", bottoms, [f"c_{t}", f"h_{t}"])
    net += _layer("Split", "", [f"c_{steps}"], ["c_T"])
    return net + _layer("Concat", "h_concat", _each("h", steps), ["h"], "concat_param { axis: 0 }")


def _rnn(steps: int, streams: int, num_output: int, has_static: bool) -> str:
    net = _input(("h_0",), ((1, streams, num_output),)) + _cont_slice(steps)
    net += _transforms("W_xh", "b_h", num_output, has_static, steps)
    for t in range(1, steps + 1):
        product = f"W_hh_h_{t - 1}"
        net += _continued(t) + _product(product, f"h_conted_{t - 1}", product, num_output, "W_hh")
        net += _sum(f"h_input_sum_{t}", product, f"W_xh_x_{t}", "W_xh_x_static" * has_static, f"h_neuron_input_{t}")
        net += _layer("TanH", f"h_neuron_{t}", [f"h_neuron_input_{t}"], [f"h_{t}"])
        net += _product(f"W_ho_h_{t}", f"h_{t}", f"W_ho_h_{t}", num_output, "W_ho", "b_o")
        net += _layer("TanH", f"o_neuron_{t}", [f"W_ho_h_{t}"], [f"o_{t}"])
    return net + _layer("Concat", "o_concat", _each("o", steps), ["o"], "concat_param { axis: 0 }")


def _transforms(weight: str, bias: str, num_output: int, has_static: bool, steps: int) -> str:
    """What the inputs give to the gates: of all steps at once, then cut into steps; and the static ones'."""
    net = _product("x_transform", "x", f"{weight}_x", num_output, weight, bias, down="propagate_down: true")
    if has_static:
        name = f"{weight}_x_static"
        net += _product(
            name, "x_static", f"{name}_preshape", num_output, f"{weight}_static", axis=1, down="propagate_down: true"
        )
        shape = f"reshape_param {{ shape {{ dim: 1 dim: -1 dim: {num_output} }} }}"
        net += _layer("Reshape", f"{name}_reshape", [f"{name}_preshape"], [name], shape)
    return net + _slice(f"{weight}_x_slice", f"{weight}_x", _each(f"{weight}_x", steps))


def _cont_slice(steps: int) -> str:
    return _slice("cont_slice", "cont", _each("cont", steps))


def _slice(name: str, bottom: str, tops: Sequence[str]) -> str:
    return _layer("Slice", name, [bottom], tops, "slice_param { axis: 0 }")


def _continued(t: int) -> str:
    name = f"h_conted_{t - 1}"
    return _layer("Scale", name, [f"h_{t - 1}", f"cont_{t}"], [name], "scale_param { axis: 0 }")


def _sum(name: str, first: str, second: str, static: str, top: str) -> str:
    return _layer("Eltwise", name, [first, second, *([static] if static else [])], [top])


def _product(name: str, bottom: str, top: str, num_output: int, *params: str, axis: int = 2, down: str = "") -> str:
    """An InnerProduct with the weights `params`: a matrix, and perhaps a bias."""
    names = " ".join(f'param {{ name: "{param}" }}' for param in params)
    options = f"num_output: {num_output} axis: {axis} bias_term: {'true' if len(params) > 1 else 'false'}"
    return _layer("InnerProduct", name, [bottom], [top], f"{names} {down} inner_product_param {{ {options} }}")


def _input(tops: Sequence[str], shapes: Sequence[Shape]) -> str:
    dims = " ".join(f"shape {{ {' '.join(f'dim: {size}' for size in shape)} }}" for shape in shapes)
    return _layer("Input", "", [], tops, f"input_param {{ {dims} }}")


def _each(name: str, steps: int) -> list[str]:
    return [f"{name}_{t}" for t in range(1, steps + 1)]


def _layer(layer_type: str, name: str, bottoms: Sequence[str], tops: Sequence[str], options: str = "") -> str:
    wires = " ".join([f'bottom: "{blob}"' for blob in bottoms] + [f'top: "{blob}"' for blob in tops])
    return f'layer {{ name: "{name}" type: "{layer_type}" {wires} {options} }}\n'
