"""pycaffe's Net: a graph of layers with weights, run forward and backward."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recaffe import net_batches, net_debug, snapshot
from recaffe.copy_plan import CopyPlan, copy_weights
from recaffe.copy_plan import copy_plan as make_plan
from recaffe.errors import CaffeError, NetError
from recaffe.layers.memory_data import MemoryData
from recaffe.memory import keep_freed_blocks
from recaffe.net_parts import NetParts
from recaffe.proto import caffe_pb2, files

log = logging.getLogger("recaffe.net")
_NOTHING: dict[str, Any] = {}
keep_freed_blocks()


class Net(NetParts):
    """A net from a prototxt, for one phase.

    Net(network_file, phase, level=0, stages=None, weights=None), or, as older scripts say,
    Net(network_file, weights, phase). phase: caffe.TRAIN or caffe.TEST.
    Raises CaffeError for files that cannot be opened, NetError for layers that do not fit together.
    """

    def __init__(
        self,
        network_file: str | Path,
        phase: int | str | Path,
        level: int | None = None,
        stages: Sequence[str] | None = None,
        weights: str | Path | None = None,
    ) -> None:
        if isinstance(phase, (str, Path)):  # the older form: the second is a caffemodel, the third the phase
            weights, phase, level = phase, -1 if level is None else level, None
        if phase not in (caffe_pb2.TRAIN, caffe_pb2.TEST):
            raise NetError(f"{network_file}: a net needs a phase, caffe.TRAIN or caffe.TEST, behind its file")
        for path in (network_file, weights):
            if path is not None and not Path(path).is_file():
                raise CaffeError(f"could not open file {path}")
        param = files.read_net(network_file)
        param.state.phase = phase
        param.state.level = level or 0
        param.state.stage.extend(stages or [])
        self._init(param)
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def from_param(cls, param: Any) -> Net:
        """The net that a NetParameter describes, for the phase in its `state`."""
        net = cls.__new__(cls)
        net._init(param)
        return net

    # ---- passes ----

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **inputs: Any
    ) -> dict[str, np.ndarray]:
        """Run the layers from `start` to `end`, both included, and return their outputs by blob name.

        inputs: an array for each of `self.inputs`, or none at all. blobs: further blobs to return.
        The arrays returned are the blobs' own: a later pass changes them.
        """
        made = self.outputs if end is None else self.top_names[self._known(end)]
        wanted: Iterable[str] = dict.fromkeys([*made, *(blobs or [])])
        self._fill(inputs, self.inputs, "inputs", "data")
        first = 0 if start is None else self._layer_names.index(self._known(start))
        last = len(self.layers) - 1 if end is None else self._layer_names.index(end)
        self._forward(first, last)
        return {name: self.blobs[self._known_blob(name)].data for name in wanted}

    def backward(
        self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **top_diffs: Any
    ) -> dict[str, np.ndarray]:
        """Run back from layer `start` down to `end`, both included, and return the diffs of the inputs of `end` (or of
        the net) by blob name. Weights' diffs are added to.

        top_diffs: an array for each of `self.outputs`; without them the losses' own weights are sent down.
        """
        reached = self.inputs if end is None else self.bottom_names[self._known(end)]
        wanted: Iterable[str] = dict.fromkeys([*reached, *(diffs or [])])
        self._fill(top_diffs, self.outputs, "outputs", "diff")
        first = len(self.layers) - 1 if start is None else self._layer_names.index(self._known(start))
        last = 0 if end is None else self._layer_names.index(end)
        self._backward(first, last)
        return {name: self.blobs[self._known_blob(name)].diff for name in wanted}

    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: Any) -> dict[str, np.ndarray]:
        """`forward` for any number of items, batch by batch; outputs by blob name, one row for each item.

        The last batch is filled up with zeros, whose rows are left out. Raises NetError without inputs.
        """
        rows: dict[str, list[np.ndarray]] = {name: [] for name in [*self.outputs, *(blobs or [])]}
        for batch in self._batch(inputs):
            net_batches.append(rows, self.forward(blobs, None, None, **batch))
        return net_batches.joined(rows, surplus=net_batches.surplus(rows, inputs))

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **arrays: Any
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """`forward` and `backward` for any number of items: (outputs, diffs of the inputs), as `forward_all`.

        arrays: of all inputs or none, and of all outputs (their diffs) or none; what is left out stays as it is.
        """
        rows: dict[str, list[np.ndarray]] = {name: [] for name in [*self.outputs, *(blobs or [])]}
        diff_rows: dict[str, list[np.ndarray]] = {name: [] for name in [*self.inputs, *(diffs or [])]}
        inputs, top_diffs = (
            [*self._batch({name: arrays[name] for name in names if name in arrays})] if names & arrays.keys() else []
            for names in (set(self.inputs), set(self.outputs))
        )
        for batch, batch_diffs in zip_longest(inputs, top_diffs, fillvalue=_NOTHING):
            net_batches.append(rows, self.forward(blobs, None, None, **batch))
            net_batches.append(diff_rows, self.backward(diffs, None, None, **batch_diffs))
        surplus = net_batches.surplus(rows, arrays)
        return net_batches.joined(rows, surplus), net_batches.joined(diff_rows, surplus)

    def _batch(self, arrays: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
        """Batches as large as the net's first blob, the last one filled up with zeros."""
        return net_batches.batches(arrays, next(iter(self.blobs.values())).shape[0])

    def _fill(self, arrays: Mapping[str, Any], names: list[str], kind: str, field: str) -> None:
        if not arrays:
            return
        if set(arrays) != set(names):
            raise NetError(f"arrays are given for {sorted(arrays)}, but the {kind} of this net are {sorted(names)}")
        for name, array in arrays.items():
            blob = self.blobs[name]
            if np.shape(array)[:1] != blob.shape[:1]:
                raise NetError(f"{kind[:-1]} {name!r} has the shape {np.shape(array)}, expected {blob.shape}")
            try:
                getattr(blob, field)[...] = array
            except ValueError as error:
                raise ValueError(f"{kind[:-1]} {name!r} needs an array of shape {blob.shape}: {error}") from None

    def _known(self, layer_name: str) -> str:
        if layer_name not in self.layer_dict:
            raise NetError(f"this net has no layer {layer_name!r}; it has {', '.join(self._layer_names)}")
        return layer_name

    def _known_blob(self, name: str) -> str:
        if name not in self.blobs:
            raise NetError(f"this net has no blob {name!r}; it has {', '.join(self._blob_names)}")
        return name

    def _forward(self, start: int, end: int) -> float:
        """Run layers by index, both ends included; returns the weighted loss. Source: Net::ForwardFromTo."""
        self._check_range(start, end)
        loss = 0.0
        for number in range(start, end + 1):
            node = self._graph.nodes[number]
            self._call("before_forward", number)
            with node.layer.naming_errors():
                node.layer.reshape(node.bottoms, node.tops)
                node.layer.forward(node.bottoms, node.tops)
            for index, blob in enumerate(node.tops):
                if node.layer.loss_weight(index):
                    loss += float((blob.tensor() * blob.diff_tensor()).sum())
            if self.debug_info:
                net_debug.log_forward(node, self._names(node.top_ids))
            self._call("after_forward", number)
        return loss

    def _backward(self, start: int, end: int) -> None:
        """Run back by index, both ends included, through the layers that need it. Source: Net::BackwardFromTo."""
        self._check_range(end, start)
        for number in range(start, end - 1, -1):
            node = self._graph.nodes[number]
            self._call("before_backward", number)
            if node.layer.needs_backward:
                with node.layer.naming_errors():
                    node.layer.backward(node.tops, node.propagate_down, node.bottoms)
                if self.debug_info:
                    net_debug.log_backward(node, self._names(node.bottom_ids))
            self._call("after_backward", number)

    def _check_range(self, first: int, last: int) -> None:
        if first < 0 or last >= len(self.engine_layers):
            raise NetError(
                f"layers {first} to {last} are asked for; this net has layers 0 to {len(self.engine_layers) - 1}"
            )

    def before_forward(self, run: Callable[[int], Any]) -> None:
        """Call `run(layer index)` before each layer's forward pass, from now on."""
        self._callbacks["before_forward"].append(run)

    def after_forward(self, run: Callable[[int], Any]) -> None:
        """Call `run(layer index)` after each layer's forward pass."""
        self._callbacks["after_forward"].append(run)

    def before_backward(self, run: Callable[[int], Any]) -> None:
        """Call `run(layer index)` before each layer's backward pass, also where it needs none."""
        self._callbacks["before_backward"].append(run)

    def after_backward(self, run: Callable[[int], Any]) -> None:
        """Call `run(layer index)` after each layer's backward pass, also where it needs none. An NCCL may be given."""
        self._callbacks["after_backward"].append(run)

    def _call(self, moment: str, number: int) -> None:
        for run in self._callbacks[moment]:
            run(number)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Let the net's first layer, a MemoryData, read these arrays: float32 in C order, data (N, C, H, W) and labels
        (N,) or (N, 1, 1, 1), N a multiple of its batch size. They are not copied. Raises NetError."""
        if labels.ndim == 1:
            labels = np.ascontiguousarray(labels[:, np.newaxis, np.newaxis, np.newaxis])
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        if not isinstance(self.engine_layers[0], MemoryData):
            raise NetError("set_input_arrays is for nets whose first layer is a MemoryData")
        self.engine_layers[0].set_arrays(data, labels)

    # ---- shapes and weights ----

    def clear_param_diffs(self) -> None:
        for learnable in self.learnable:
            learnable.blob.zero_diff()

    def reshape(self) -> None:
        """Give every blob the shape that follows from the inputs' shapes."""
        for node in self._graph.nodes:
            with node.layer.naming_errors():
                node.layer.reshape(node.bottoms, node.tops)

    def share_with(self, other: Net) -> None:
        """Use `other`'s weights, those of layers of the same name, from now on. Source: Net::ShareTrainedLayersWith."""
        targets = {layer.name: layer for layer in reversed(self.engine_layers)}  # of two with one name the first counts
        for source in other.engine_layers:
            target = targets.get(source.name)
            if target is None:
                log.info("Ignoring source layer %s", source.name)
                continue
            shapes = [blob.shape for blob in target.blobs], [blob.shape for blob in source.blobs]
            if shapes[0] != shapes[1]:
                raise target.error(f"has weights of shapes {shapes[0]} and cannot share those of shapes {shapes[1]}")
            for mine, theirs in zip(target.blobs, source.blobs, strict=True):
                mine.share_data(theirs)

    def copy_from(self, path: str | Path) -> None:
        """Copy weights from a caffemodel, binary or HDF5, by layer name; see `copy_plan.copy_weights`."""
        copy_weights(self, path)

    def copy_plan(self, path: str | Path) -> CopyPlan:
        """What `copy_from` would do with each layer: copied, reshaped, re-initialised or dropped."""
        return make_plan(self, path)

    def save(self, path: str | Path) -> None:
        """Write the net with its weights as a caffemodel, whole or not at all."""
        snapshot.form(snapshot.BINARYPROTO).save_weights(self, path)

    def save_hdf5(self, path: str | Path) -> None:
        """Write the weights as a caffemodel.h5, whole or not at all."""
        snapshot.form(snapshot.HDF5).save_weights(self, path)

    def load_hdf5(self, path: str | Path) -> None:
        """Copy weights from a caffemodel.h5, by layer name; `copy_from` does the same."""
        self.copy_from(path)

    def first_non_finite(self) -> str | None:
        """Where NaN or infinity comes in first, in the order of the net: a weight or an output, in words."""
        for node in self._graph.nodes:
            for index, blob in enumerate(node.layer.blobs):
                if not bool(torch.isfinite(blob.tensor()).all()):
                    return f"weights {index} of layer {node.layer.name!r} ({node.layer.type})"
            for number, blob in zip(node.top_ids, node.tops, strict=True):
                if not bool(torch.isfinite(blob.tensor()).all()):
                    return f"output {self._blob_names[number]!r} of layer {node.layer.name!r} ({node.layer.type})"
        return None
