"""LSTM and its single step LSTMUnit (src/caffe/layers/lstm_layer.cpp, lstm_unit_layer.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.recurrent import Recurrent, Tensors


def _activate(inputs: torch.Tensor, cont: torch.Tensor) -> Tensors:
    """The gates i, f, o, g, each (N, D), of their inputs (N, 4 D) and the continuation flags (N, 1).

    tanh is 2 sigmoid(2 x) - 1, as in Caffe: for small x its rounding shows.
    """
    i, f, o, g = inputs.chunk(4, dim=1)
    return [i.sigmoid(), f.sigmoid().mul_(cont), o.sigmoid(), _tanh(g)]


def _tanh(value: torch.Tensor) -> torch.Tensor:
    return (2 * value).sigmoid_().mul_(2).sub_(1)


def _step(inputs: torch.Tensor, cont: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Tensors]:
    """The next cell c = f c + i g, the output h = o tanh(c), and what `_step_back` needs."""
    i, f, o, g = _activate(inputs, cont)
    new_cell = f * cell + i * g
    tanh_cell = _tanh(new_cell)
    return new_cell, o * tanh_cell, [i, f, o, g, cell, tanh_cell]


def _step_back(kept: Tensors, cell_diff: torch.Tensor, h_diff: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the gates' inputs (N, 4 D) and of the cell before. Source: LSTMUnitLayer::Backward_cpu."""
    i, f, o, g, cell, tanh_cell = kept
    through = cell_diff + h_diff * o * (1 - tanh_cell * tanh_cell)
    gates = [
        through * g * i * (1 - i),
        through * cell * f * (1 - f),
        h_diff * tanh_cell * o * (1 - o),
        through * i * (1 - g * g),
    ]
    return torch.cat(gates, dim=1), through * f


class LSTMUnit(Layer):
    """One step of an LSTM. Bottoms: the cell before (1, N, D), the gates' inputs (1, N, 4 D) in the order input,
    forget, output, new; continuation flags (1, N). Tops: the cell and the hidden state, (1, N, D) each.

    A flag other than 0 or 1 scales the forget gate; its gradient is then Caffe's, not quite the slope.
    """

    bottom_range: ClassVar = (3, 3)
    top_range: ClassVar = (2, 2)

    def allows_force_backward(self, index: int) -> bool:
        return index != 2

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        shapes = [blob.shape for blob in bottom]
        cell = shapes[0]
        if len(cell) != 3 or cell[0] != 1 or shapes[1:] != [(1, cell[1], 4 * cell[2]), (1, cell[1])]:
            raise self.error(f"has bottoms of shapes {shapes}, expected (1, N, D), (1, N, 4 D) and (1, N)")
        for blob in top:
            blob.reshape(*cell)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        cell, h, _ = self._run(bottom)
        top[0].set(cell.unsqueeze(0))
        top[1].set(h.unsqueeze(0))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[2]:
            raise self.error("cannot send a gradient to its continuation flags; set propagate_down to false for them")
        if not any(propagate_down):
            return
        gates, cell = _step_back(self._run(bottom)[2], top[0].diff_tensor()[0], top[1].diff_tensor()[0])
        for blob, value, propagate in zip(bottom, (cell, gates), propagate_down, strict=False):
            if propagate:
                blob.set_diff(value.unsqueeze(0))

    def _run(self, bottom: Blobs) -> tuple[torch.Tensor, torch.Tensor, Tensors]:
        cell, inputs, cont = (blob.tensor()[0] for blob in bottom)
        return _step(inputs, cont.unsqueeze(-1), cell)


class LSTM(Recurrent):
    """h_t, c_t = LSTMUnit(c_t-1, W_xc x_t + b_c + W_hc (cont_t h_t-1) + W_xc_static x_static, cont_t).

    Weights: W_xc (4 D, inputs), b_c (4 D,), with x_static W_xc_static (4 D, static inputs), W_hc (4 D, D).
    """

    hidden_names: ClassVar = ("h", "c")
    gates: ClassVar = 4

    def make_recurrent_weights(self, param: Any) -> None:
        self.make_weights_of_steps(((4 * self.num_output, self.num_output), param.weight_filler))
        self._kept: list[Tensors] = []  # of each step of the latest forward
        self._continued: Tensors = []  # cont_t h_t-1 of each step

    def unroll(self, gates: torch.Tensor, cont: torch.Tensor, hidden: Tensors) -> tuple[torch.Tensor, Tensors]:
        (h, cell), weight = hidden, self.blobs[-1].tensor().t()
        outputs, kept, continued = [], [], []
        for inputs, flags in zip(gates, cont, strict=True):
            continued.append(h * flags)
            cell, h, of_step = _step(torch.addmm(inputs, continued[-1], weight), flags, cell)
            outputs.append(h)
            if self.needs_backward:
                kept.append(of_step)
        self._kept = kept
        self._continued, self._cont = (continued, cont.clone()) if self.needs_backward else ([], cont)
        return torch.stack(outputs), [h, cell]

    def roll_back(self, gradient: torch.Tensor) -> torch.Tensor:
        if not self._kept:
            raise self.error("has no steps yet; run forward before backward")
        weight, gates = self.blobs[-1].tensor(), []
        h_diff = cell_diff = torch.zeros_like(gradient[0])
        for step in reversed(range(self.steps)):
            gate, cell_diff = _step_back(self._kept[step], cell_diff, gradient[step] + h_diff)
            h_diff = (gate @ weight) * self._cont[step]
            gates.append(gate)
        gates.reverse()
        self.blobs[-1].add_diff(torch.cat(gates).t() @ torch.cat(self._continued))
        return torch.stack(gates)
