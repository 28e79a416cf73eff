"""RNN (src/caffe/layers/rnn_layer.cpp)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from recaffe.layers.recurrent import Recurrent, Tensors
from torch.nn.functional import linear


class RNN(Recurrent):
    """h_t = tanh(W_xh x_t + b_h + W_hh (cont_t h_t-1) + W_xh_static x_static), output o_t = tanh(W_ho h_t + b_o).

    Weights: W_xh (D, inputs), b_h (D,), with x_static W_xh_static (D, static inputs), W_hh (D, D), W_ho (D, D), b_o
    (D,).
    """

    hidden_names: ClassVar = ("h",)
    gates: ClassVar = 1

    def make_recurrent_weights(self, param: Any) -> None:
        square = ((self.num_output, self.num_output), param.weight_filler)
        self.make_weights_of_steps(square, square, ((self.num_output,), param.bias_filler))
        self._kept: Tensors = []  # of the latest forward: continuation flags, cont_t h_t-1, h_t, o_t

    def unroll(self, gates: torch.Tensor, cont: torch.Tensor, hidden: Tensors) -> tuple[torch.Tensor, Tensors]:
        weight, out_weight, out_bias = (blob.tensor() for blob in self.blobs[-3:])
        continued, states, h = [], [], hidden[0]
        for inputs, flags in zip(gates, cont, strict=True):
            continued.append(h * flags)
            h = torch.addmm(inputs, continued[-1], weight.t()).tanh_()
            states.append(h)
        outputs = linear(torch.stack(states), out_weight, out_bias).tanh_()
        if self.needs_backward:
            self._kept = [cont.clone(), torch.stack(continued), torch.stack(states), outputs.clone()]
        else:
            self._kept = []
        return outputs, [h]

    def roll_back(self, gradient: torch.Tensor) -> torch.Tensor:
        if not self._kept:
            raise self.error("has no steps yet; run forward before backward")
        cont, continued, states, outputs = self._kept
        weight, out_weight = self.blobs[-3].tensor(), self.blobs[-2].tensor()
        out_diff = (gradient * (1 - outputs * outputs)).reshape(-1, self.num_output)
        self.blobs[-2].add_diff(out_diff.t() @ states.reshape(-1, self.num_output))
        self.blobs[-1].add_diff(out_diff.sum(0))
        from_outputs = (out_diff @ out_weight).reshape(states.shape)
        gates, h_diff = torch.empty_like(states), torch.zeros_like(states[0])
        for step in reversed(range(self.steps)):
            gates[step] = (from_outputs[step] + h_diff) * (1 - states[step] * states[step])
            h_diff = (gates[step] @ weight) * cont[step]
        rows = gates.reshape(-1, self.num_output)
        self.blobs[-3].add_diff(rows.t() @ continued.reshape(-1, self.num_output))
        return gates
