"""pycaffe's Net: a graph of layers with weights, run forward and backward."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recaffe import snapshot
from recaffe.blob import Blob
from recaffe.errors import CaffeError, NetError
from recaffe.layers.base import Layer
from recaffe.memory import keep_freed_blocks
from recaffe.net_build import Graph, Learnable
from recaffe.proto import files

log = logging.getLogger("recaffe.net")
keep_freed_blocks()


class Net:
    """A net from a prototxt, for one phase.

    Net(network_file, phase, level=0, stages=None, weights=None), or, as older scripts say,
    Net(network_file, weights, phase). phase: caffe.TRAIN or caffe.TEST.
    Raises CaffeError for files that cannot be opened, NetError for layers that do not fit together.
    """

    def __init__(
        self,
        network_file: str | Path,
        phase: int | str | Path,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | Path | None = None,
    ) -> None:
        if isinstance(phase, (str, Path)):  # the older form: the second is a caffemodel, the third the phase
            weights, phase, level = phase, level, 0
        for path in (network_file, weights):
            if path is not None and not Path(path).is_file():
                raise CaffeError(f"could not open file {path}")
        param = files.read_net(network_file)
        param.state.phase = phase
        param.state.level = level
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

    def _init(self, param: Any) -> None:
        self._graph = Graph(param)
        self.name: str = self._graph.name
        self.layers: list[Layer] = [node.layer for node in self._graph.nodes]
        self._layer_names: list[str] = [layer.name for layer in self.layers]
        self._blob_names: list[str] = self._graph.blob_names
        self._blobs: list[Blob] = self._graph.blobs
        self.blobs: OrderedDict[str, Blob] = OrderedDict(zip(self._blob_names, self._blobs, strict=True))
        self.layer_dict: OrderedDict[str, Layer] = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.params: OrderedDict[str, list[Blob]] = OrderedDict(
            (layer.name, layer.blobs) for layer in self.layers if layer.blobs
        )
        self.inputs: list[str] = self._names(self._graph.input_ids)
        self.outputs: list[str] = self._names(self._graph.output_ids)
        self.top_names: OrderedDict[str, list[str]] = OrderedDict(
            (node.layer.name, self._names(node.top_ids)) for node in self._graph.nodes
        )
        self.bottom_names: OrderedDict[str, list[str]] = OrderedDict(
            (node.layer.name, self._names(node.bottom_ids)) for node in self._graph.nodes
        )
        self.blob_loss_weights: OrderedDict[str, float] = OrderedDict(
            zip(self._blob_names, self._graph.loss_weights, strict=True)
        )

    def _names(self, blob_ids: list[int]) -> list[str]:
        return [self._blob_names[number] for number in blob_ids]

    @property
    def learnable(self) -> list[Learnable]:
        """The weights that a solver updates, in the order of the net; shared ones once."""
        return self._graph.learnable

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **inputs: Any
    ) -> dict[str, np.ndarray]:
        """Run the layers from `start` to `end`, both included, and return their outputs by blob name.

        inputs: an array for each of `self.inputs`, or none at all. blobs: further blobs to return.
        The arrays returned are the blobs' own: a later pass changes them.
        """
        wanted = set(self.top_names[self._known(end)] if end is not None else self.outputs) | set(blobs or [])
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
        wanted = set(self.bottom_names[self._known(end)] if end is not None else self.inputs) | set(diffs or [])
        self._fill(top_diffs, self.outputs, "outputs", "diff")
        first = len(self.layers) - 1 if start is None else self._layer_names.index(self._known(start))
        last = 0 if end is None else self._layer_names.index(end)
        self._backward(first, last)
        return {name: self.blobs[self._known_blob(name)].diff for name in wanted}

    def _fill(self, arrays: Mapping[str, Any], names: list[str], kind: str, field: str) -> None:
        if not arrays:
            return
        if set(arrays) != set(names):
            raise NetError(f"arrays are given for {sorted(arrays)}, but the {kind} of this net are {sorted(names)}")
        for name, array in arrays.items():
            blob = self.blobs[name]
            if np.shape(array)[:1] != blob.shape[:1]:
                raise NetError(f"{kind[:-1]} {name!r} has the shape {np.shape(array)}, expected {blob.shape}")
            getattr(blob, field)[...] = array

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
        loss = 0.0
        for node in self._graph.nodes[start : end + 1]:
            node.layer.reshape(node.bottoms, node.tops)
            node.layer.forward(node.bottoms, node.tops)
            for index, blob in enumerate(node.tops):
                if node.layer.loss_weight(index):
                    loss += float((blob.tensor() * blob.diff_tensor()).sum())
        return loss

    def _backward(self, start: int, end: int) -> None:
        """Run back by index, both ends included, through the layers that need it. Source: Net::BackwardFromTo."""
        for node in reversed(self._graph.nodes[end : start + 1]):
            if node.layer.needs_backward:
                node.layer.backward(node.tops, node.propagate_down, node.bottoms)

    def clear_param_diffs(self) -> None:
        for learnable in self.learnable:
            learnable.blob.zero_diff()

    def reshape(self) -> None:
        """Give every blob the shape that follows from the inputs' shapes."""
        for node in self._graph.nodes:
            node.layer.reshape(node.bottoms, node.tops)

    def share_with(self, other: Net) -> None:
        """Use `other`'s weights, those of layers of the same name, from now on. Source: Net::ShareTrainedLayersWith."""
        for source in other.layers:
            target = self.layer_dict.get(source.name)
            if target is None:
                log.info("Ignoring source layer %s", source.name)
                continue
            shapes = [blob.shape for blob in target.blobs], [blob.shape for blob in source.blobs]
            if shapes[0] != shapes[1]:
                raise target.error(f"has weights of shapes {shapes[0]} and cannot share those of shapes {shapes[1]}")
            for mine, theirs in zip(target.blobs, source.blobs, strict=True):
                mine.share_data(theirs)

    def copy_from(self, path: str | Path) -> None:
        """Copy weights from a caffemodel, by layer name; see `snapshot.copy_weights` for what is refused."""
        snapshot.copy_weights(self.layers, path)

    def save(self, path: str | Path) -> None:
        """Write the net with its weights as a caffemodel, whole or not at all."""
        snapshot.save_weights(self.name, self._graph.nodes, path)

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
