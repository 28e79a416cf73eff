"""Building a net: layers made and joined, weights shared, and who needs a gradient (src/caffe/net.cpp, Net::Init)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from recaffe.blob import Blob
from recaffe.errors import NetError
from recaffe.layers.base import Layer
from recaffe.layers.catalogue import create_layer
from recaffe.net_graph import filter_layers, insert_splits
from recaffe.net_log import NetLog
from recaffe.proto import caffe_pb2


@dataclass
class Learnable:
    """A weight array that the solver updates, once however many layers share it."""

    blob: Blob
    layer_name: str
    index: int  # among the layer's weights
    lr_mult: float
    decay_mult: float
    states_lr: bool  # whether any of its owners states lr_mult, decay_mult, or the defaults of 1 hold
    states_decay: bool


@dataclass
class Node:
    """A layer in its net. Blobs are numbered over the whole net, in the order in which layers make them."""

    layer: Layer
    bottom_ids: list[int] = field(default_factory=list)
    top_ids: list[int] = field(default_factory=list)
    bottoms: list[Blob] = field(default_factory=list)
    tops: list[Blob] = field(default_factory=list)
    propagate_down: list[bool] = field(default_factory=list)  # which bottoms get a gradient


class Graph:
    """The built net: `nodes` in the order of the file, all blobs, the learnable weights.

    A node's layer `needs_backward` if it or anything below it learns and anything above it is part of the loss. Nodes
    before the first such one are the frozen prefix: they run forward only and keep nothing.
    """

    def __init__(self, net: Any) -> None:
        if net.layers:
            raise NetError(
                f"the net {net.name!r} has {len(net.layers)} `layers` of an old form; upgrade it first, as read_net"
            )
        self.name: str = net.name
        self.nodes: list[Node] = []
        self.blobs: list[Blob] = []
        self.blob_names: list[str] = []
        self.loss_weights: list[float] = []  # per blob
        self.input_ids: list[int] = []
        self.output_ids: list[int] = []
        self.learnable: list[Learnable] = []
        self._gets_gradient: list[bool] = []  # per blob
        self._id_of: dict[str, int] = {}
        self._unread: set[str] = set()  # blobs that no layer has read
        self._owners: dict[str, tuple[Blob, Learnable]] = {}  # of weights with a name

        kept = filter_layers(net)
        self._log = NetLog(kept)
        for param in insert_splits(kept).layer:
            if not param.HasField("phase"):
                param.phase = net.state.phase
            self._add_layer(param)
        self._drop_useless_backward()
        self._log.traced_back(self.nodes)
        if net.force_backward:
            self._force_backward()
        self.output_ids = [self._id_of[name] for name in sorted(self._unread)]
        self._log.finished(sorted(self._unread))

    def _add_layer(self, param: Any) -> None:
        if param.propagate_down and len(param.propagate_down) != len(param.bottom):
            raise NetError(
                f"layer {param.name!r} has {len(param.propagate_down)} propagate_down for {len(param.bottom)} bottoms; "
                "give one for each, or none"
            )
        layer = create_layer(param)
        node = Node(layer)
        for index, name in enumerate(param.bottom):
            self._add_bottom(node, index, name)
        needs_backward = any(self._gets_gradient[number] for number in node.bottom_ids)
        for index, name in enumerate(param.top):
            self._add_top(node, index, name)
        while layer.adds_missing_tops and len(node.tops) < layer.top_range[0]:
            self._new_blob(node, "(automatic)")
        if param.type == "Input":
            self.input_ids.extend(node.top_ids)
        self._log.connected(node)
        layer.connect(node.bottoms, node.tops)
        self._log.set_up(node)
        for index, number in enumerate(node.top_ids):
            self.loss_weights[number] = layer.loss_weight(index)
        learns = list(self._add_weights(layer))
        layer.set_learns(learns)
        layer.needs_backward = needs_backward or any(learns)
        if layer.needs_backward:
            for number in node.top_ids:
                self._gets_gradient[number] = True
        self.nodes.append(node)

    def _add_bottom(self, node: Node, index: int, name: str) -> None:
        if name not in self._unread:
            raise NetError(f"layer {node.layer.name!r} reads the unknown blob {name!r}")
        self._unread.discard(name)
        number = self._id_of[name]
        node.bottom_ids.append(number)
        node.bottoms.append(self.blobs[number])
        stated = node.layer.param.propagate_down
        node.propagate_down.append(stated[index] if stated else self._gets_gradient[number])

    def _add_top(self, node: Node, index: int, name: str) -> None:
        bottoms = node.layer.param.bottom
        if index < len(bottoms) and bottoms[index] == name:  # in place
            node.top_ids.append(self._id_of[name])
            node.tops.append(self.blobs[self._id_of[name]])
        elif name in self._id_of:
            raise NetError(f"layer {node.layer.name!r} makes the blob {name!r}, which a layer before it makes too")
        else:
            self._id_of[name] = self._new_blob(node, name)
        self._unread.add(name)

    def _new_blob(self, node: Node, name: str) -> int:
        self.blobs.append(Blob())
        self.blob_names.append(name)
        self.loss_weights.append(0.0)
        self._gets_gradient.append(False)
        node.top_ids.append(len(self.blobs) - 1)
        node.tops.append(self.blobs[-1])
        return len(self.blobs) - 1

    def _add_weights(self, layer: Layer) -> Iterator[bool]:
        """Enter the layer's weights, or let them be those of their name's first layer; yields which of them learn.

        Source: Net::AppendParam.
        """
        specs = list(layer.param.param)
        if len(specs) > len(layer.blobs):
            raise layer.error(f"has {len(specs)} param for its {len(layer.blobs)} weight arrays")
        specs += [caffe_pb2.ParamSpec()] * (len(layer.blobs) - len(specs))
        for index, (blob, spec) in enumerate(zip(layer.blobs, specs, strict=True)):
            if spec.name in self._owners:
                self._share_weight(layer, blob, spec)
            else:
                states = spec.HasField("lr_mult"), spec.HasField("decay_mult")
                learnable = Learnable(blob, layer.name, index, spec.lr_mult, spec.decay_mult, *states)
                self.learnable.append(learnable)
                if spec.name:
                    self._owners[spec.name] = blob, learnable
            yield spec.lr_mult != 0

    def _share_weight(self, layer: Layer, blob: Blob, spec: Any) -> None:
        owner, learnable = self._owners[spec.name]
        self._log.shared(spec.name, learnable)
        is_permissive = spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
        if blob.count != owner.count or (blob.shape != owner.shape and not is_permissive):
            raise layer.error(
                f"cannot share the param {spec.name!r} of layer {learnable.layer_name!r}: its shape is {owner.shape}, "
                f"here {blob.shape} is needed"
            )
        if spec.HasField("lr_mult"):
            if learnable.states_lr and spec.lr_mult != learnable.lr_mult:
                raise layer.error(f"shares the param {spec.name!r} with another lr_mult than {learnable.lr_mult:g}")
            learnable.lr_mult, learnable.states_lr = spec.lr_mult, True
        if spec.HasField("decay_mult"):
            if learnable.states_decay and spec.decay_mult != learnable.decay_mult:
                raise layer.error(
                    f"shares the param {spec.name!r} with another decay_mult than {learnable.decay_mult:g}"
                )
            learnable.decay_mult, learnable.states_decay = spec.decay_mult, True
        blob.share_data(owner)
        blob.share_diff(owner)

    def _drop_useless_backward(self) -> None:
        """No gradient where nothing above is part of the loss, nor where every top's reader sends none down."""
        under_loss: set[int] = set()
        skipped: set[int] = set()
        for node in reversed(self.nodes):
            in_loss = any(self.loss_weights[number] or number in under_loss for number in node.top_ids)
            if all(number in skipped for number in node.top_ids) and node.layer.needs_backward:
                node.layer.needs_backward = False
                node.propagate_down = [False] * len(node.bottoms)
            if in_loss:
                under_loss.update(node.bottom_ids)
            else:
                node.layer.needs_backward = False
                node.propagate_down = [False] * len(node.bottoms)
            skipped.update(
                number for number, wanted in zip(node.bottom_ids, node.propagate_down, strict=True) if not wanted
            )

    def _force_backward(self) -> None:
        for node in self.nodes:
            node.layer.needs_backward = True
            node.propagate_down = [
                wanted or node.layer.allows_force_backward(index) for index, wanted in enumerate(node.propagate_down)
            ]
            node.layer.set_learns([True] * len(node.layer.blobs))
