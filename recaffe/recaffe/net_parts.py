"""What a net is made of, by number and by name (python/caffe/pycaffe.py)."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from functools import cached_property
from typing import Any

from recaffe.blob import Blob, BlobVec
from recaffe.layer import Layer
from recaffe.layers.base import Layer as EngineLayer
from recaffe.net_build import Graph, Learnable


class NetParts:
    """Layers, blobs and weights of a net, all in its order. Names with an underscore are pycaffe's own."""

    def _init(self, param: Any) -> None:
        self._graph = Graph(param)
        self.name: str = self._graph.name
        self.debug_info: bool = param.debug_info
        self.engine_layers: list[EngineLayer] = [node.layer for node in self._graph.nodes]  # `layers` is for callers
        self._layer_names: list[str] = [layer.name for layer in self.engine_layers]
        self._blob_names: list[str] = self._graph.blob_names
        self._blobs = BlobVec(self._graph.blobs)
        self._blob_loss_weights: list[float] = self._graph.loss_weights
        self._inputs: list[int] = self._graph.input_ids
        self._outputs: list[int] = self._graph.output_ids
        self._callbacks: dict[str, list[Callable[[int], Any]]] = defaultdict(list)

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers; for a Python layer the object of the user's class."""
        return [layer.public for layer in self.engine_layers]

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        """The layers by name."""
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        """The blobs by name."""
        return OrderedDict(zip(self._blob_names, self._blobs, strict=True))

    @cached_property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """How much each blob counts in the loss, by name; 0 for all that are no losses."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """The weights of the layers that have any, by layer name: [weight, bias] mostly."""
        return OrderedDict((layer.name, layer.blobs) for layer in self.engine_layers if layer.blobs)

    @cached_property
    def inputs(self) -> list[str]:
        """The blobs that the caller fills."""
        return self._names(self._inputs)

    @cached_property
    def outputs(self) -> list[str]:
        """The blobs that no layer reads, sorted."""
        return self._names(self._outputs)

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        """The blobs that each layer makes, by its name."""
        return OrderedDict((name, self._names(self._top_ids(number))) for number, name in enumerate(self._layer_names))

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        """The blobs that each layer reads, by its name."""
        return OrderedDict(
            (name, self._names(self._bottom_ids(number))) for number, name in enumerate(self._layer_names)
        )

    def _top_ids(self, number: int) -> list[int]:
        return self._graph.nodes[number].top_ids

    def _bottom_ids(self, number: int) -> list[int]:
        return self._graph.nodes[number].bottom_ids

    def _names(self, blob_ids: list[int]) -> list[str]:
        return [self._blob_names[number] for number in blob_ids]

    @property
    def learnable(self) -> list[Learnable]:
        """The weights that a solver updates, in the order of the net; shared ones once."""
        return self._graph.learnable
