"""What RNN and LSTM have in common (src/caffe/layers/recurrent_layer.cpp)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from recaffe import mode
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.unrolled import Unrolled

Tensors = list[torch.Tensor]


class Recurrent(Layer):
    """A net unrolled over T steps of N streams.

    Bottoms: x (T, N, ...); cont (T, N), 0 where a stream begins anew, else 1; optionally x_static (N, ...), the same at
    every step; with expose_hidden the hidden state before the first step, a blob (1, N, num_output) for each of
    `hidden_names`. Tops: the outputs (T, N, num_output); with expose_hidden the hidden state after the last step, which
    takes no gradient, as those bottoms get none. Otherwise a forward pass begins with the state that the one before it
    ended with, zeros at first.

    Weights are W_x (gates * num_output, inputs), its bias, with x_static W_static (gates * num_output, static inputs),
    then a subclass's. The gradients of all weights and inputs are computed wherever one of them is wanted, as by
    Caffe's inner net; debug_info logs that net's blobs.
    """

    bottom_range: ClassVar = (2, None)
    top_range: ClassVar = (1, None)
    hidden_names: ClassVar[tuple[str, ...]]
    gates: ClassVar[int]

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        param, hidden = self.param.recurrent_param, len(self.hidden_names)
        self.exposes_hidden = param.expose_hidden
        exposed = hidden if self.exposes_hidden else 0
        self._check_count("bottom", len(bottom), (2 + exposed, 3 + exposed))
        self._check_count("top", len(top), (1 + exposed, 1 + exposed))
        self.has_static = len(bottom) > 2 + exposed
        self.num_output = param.num_output
        if self.num_output < 1:
            raise self.error(f"has num_output {self.num_output}, expected at least 1")
        self.steps = bottom[0].shape[0] if bottom[0].shape else 0
        self._check_shapes(bottom)
        self._inputs = self._input_sizes(bottom)
        rows = self.gates * self.num_output
        self.make_weights(
            ((rows, self._inputs[0]), param.weight_filler),
            ((rows,), param.bias_filler),
            *[((rows, size), param.weight_filler) for size in self._inputs[1:]],
        )
        self.make_recurrent_weights(param)
        self._logged: Unrolled | None = None
        if param.debug_info:
            shapes = [blob.shape for blob in bottom[: 2 + self.has_static]]
            self._logged = Unrolled(self.name, type(self).__name__, self.num_output, shapes)
        self._hidden = [torch.empty(0, dtype=mode.dtype()) for _ in self.hidden_names]

    def make_recurrent_weights(self, param: Any) -> None:
        """Add those of the steps to `self.blobs`."""
        raise NotImplementedError

    def make_weights_of_steps(self, *specs: tuple[tuple[int, ...], Any]) -> None:
        """Add weights that all steps share. Caffe fills those of every step and keeps the first step's, so that the
        random stream moves on by `steps` fillings."""
        kept = len(self.blobs) + len(specs)
        for _ in range(self.steps):
            self.make_weights(*specs)
            del self.blobs[kept:]

    def allows_force_backward(self, index: int) -> bool:
        return index != 1

    def _check_shapes(self, bottom: Blobs) -> None:
        x, cont = bottom[0].shape, bottom[1].shape
        if len(x) < 3 or x[0] != self.steps or not bottom[0].count:
            raise self.error(f"has a bottom of shape {x}, expected ({self.steps} steps, streams, inputs, ...)")
        if cont != x[:2]:
            raise self.error(f"has continuation flags of shape {cont} for a bottom of shape {x}, expected {x[:2]}")
        if self.has_static and (len(bottom[2].shape) < 2 or bottom[2].shape[0] != x[1]):
            raise self.error(f"has a static bottom of shape {bottom[2].shape}, expected ({x[1]} streams, inputs, ...)")

    def _input_sizes(self, bottom: Blobs) -> list[int]:
        """How many inputs a step has, then how many static ones there are, if any."""
        sizes = [math.prod(bottom[0].shape[2:])]
        return [*sizes, math.prod(bottom[2].shape[1:])] if self.has_static else sizes

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self._check_shapes(bottom)
        if self._input_sizes(bottom) != self._inputs:
            found = self._input_sizes(bottom)
            raise self.error(f"has weights for {self._inputs} inputs, but its bottoms now give {found}")
        self.streams = bottom[0].shape[1]
        state = (1, self.streams, self.num_output)
        for blob in bottom[2 + self.has_static :]:
            if blob.shape != state:
                raise self.error(f"has a hidden state of shape {blob.shape}, expected {state}")
        top[0].reshape(self.steps, self.streams, self.num_output)
        for blob in top[1:]:
            blob.reshape(*state)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        weight, bias = self.blobs[0].tensor(), self.blobs[1].tensor()
        gates = torch.nn.functional.linear(self._inputs_of_steps(bottom), weight, bias)
        gates = gates.reshape(self.steps, self.streams, -1)
        if self.has_static:
            gates += self._static_inputs(bottom) @ self.blobs[2].tensor().t()
        if self.exposes_hidden:
            hidden = [blob.tensor()[0] for blob in bottom[2 + self.has_static :]]
        else:
            hidden = [self._carried(index) for index in range(len(self._hidden))]
        if self._logged is not None:
            self._logged.forward([blob.tensor() for blob in bottom[: 2 + self.has_static]], hidden, self.blobs)
        outputs, hidden = self.unroll(gates, bottom[1].tensor().unsqueeze(-1), hidden)
        top[0].set(outputs)
        for blob, value in zip(top[1:], hidden, strict=False):
            blob.set(value.clone().unsqueeze(0))
        if not self.exposes_hidden:
            for kept, value in zip(self._hidden, hidden, strict=True):
                kept[: value.numel()] = value.reshape(-1)

    def _inputs_of_steps(self, bottom: Blobs) -> torch.Tensor:
        """(T N, inputs)"""
        return bottom[0].tensor().reshape(self.steps * self.streams, -1)

    def _static_inputs(self, bottom: Blobs) -> torch.Tensor:
        """(N, static inputs)"""
        return bottom[2].tensor().reshape(self.streams, -1)

    def _carried(self, index: int) -> torch.Tensor:
        """The hidden state (N, num_output) to begin with. With fewer streams than before the first ones go on, with
        more than ever all begin at zeros, as a Caffe blob that must grow."""
        count = self.streams * self.num_output
        if len(self._hidden[index]) < count:
            self._hidden[index] = torch.zeros(count, dtype=mode.dtype(), device=mode.device())
        self._hidden[index] = self._hidden[index].to(mode.device())
        return self._hidden[index][:count].reshape(self.streams, self.num_output).clone()

    def unroll(self, gates: torch.Tensor, cont: torch.Tensor, hidden: Tensors) -> tuple[torch.Tensor, Tensors]:
        """Run all steps: inputs of the gates (T, N, gates * num_output), continuation flags (T, N, 1) and the first
        hidden states (N, num_output) give the outputs (T, N, num_output) and the last hidden states."""
        raise NotImplementedError

    def roll_back(self, gradient: torch.Tensor) -> torch.Tensor:
        """From the gradient of the outputs: add those of the steps' weights, return that of `gates`."""
        raise NotImplementedError

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[1]:
            raise self.error("cannot send a gradient to its continuation flags; set propagate_down to false for them")
        if self._logged is not None:
            self._logged.backward(top[0].diff_tensor(), self.blobs)
        gates = self.roll_back(top[0].diff_tensor())
        rows = gates.reshape(self.steps * self.streams, -1)
        self.blobs[0].add_diff(rows.t() @ self._inputs_of_steps(bottom))
        self.blobs[1].add_diff(rows.sum(0))
        bottom[0].set_diff((rows @ self.blobs[0].tensor()).reshape(bottom[0].shape))
        if self.has_static:
            summed = gates.sum(0)
            self.blobs[2].add_diff(summed.t() @ self._static_inputs(bottom))
            bottom[2].set_diff((summed @ self.blobs[2].tensor()).reshape(bottom[2].shape))

    def state(self) -> dict[str, np.ndarray]:
        names = () if self.exposes_hidden else self.hidden_names
        return {name: kept.cpu().numpy().copy() for name, kept in zip(names, self._hidden, strict=False)}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        for index, name in enumerate(self.hidden_names):
            if name in state:
                self._hidden[index] = torch.from_numpy(np.array(state[name])).to(mode.device(), mode.dtype())
