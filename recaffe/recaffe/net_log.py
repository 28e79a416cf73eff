"""What Caffe says while it builds a net (src/caffe/net.cpp, Net::Init): the same lines in the same order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recaffe.proto import caffe_pb2
from recaffe.proto.debug_string import debug_string

if TYPE_CHECKING:
    from recaffe.blob import Blob
    from recaffe.net_build import Learnable, Node

log = logging.getLogger("recaffe.net")
_FLOAT_BYTES = 4


class NetLog:
    """The log of one net, told of each step as it is made."""

    def __init__(self, net: Any) -> None:
        """net: the NetParameter with the layers that its state keeps."""
        if log.isEnabledFor(logging.INFO):
            log.info("Initializing net from parameters: \n%s", debug_string(net))
        self._values = 0  # in all tops so far

    def connected(self, node: Node) -> None:
        """The layer is made and knows its bottoms and tops."""
        param = node.layer.param
        log.info("Creating layer %s", param.name)
        log.info("Creating Layer %s", param.name)
        for name in param.bottom:
            log.info("%s <- %s", param.name, name)
        for index in range(len(node.tops)):
            name = param.top[index] if index < len(param.top) else "(automatic)"
            in_place = index < len(param.bottom) and param.bottom[index] == name
            log.info("%s -> %s%s", param.name, name, " (in-place)" if in_place else "")

    def set_up(self, node: Node) -> None:
        """The layer's tops have their shapes."""
        if _has_inner_layer(node.layer.param):
            log.info("Creating layer %s", node.layer.name)
        _say_what_is_read(node)
        log.info("Setting up %s", node.layer.name)
        for index, blob in enumerate(node.tops):
            log.info("Top shape: %s", _shape(blob))
            if node.layer.loss_weight(index):
                log.info("    with loss weight %g", node.layer.loss_weight(index))
            self._values += blob.count
        log.info("Memory required for data: %d", self._values * _FLOAT_BYTES)

    def shared(self, name: str, owner: Learnable) -> None:
        """A layer's weights are those that `owner` has under the param `name`."""
        log.info("Sharing parameters '%s' owned by layer '%s', param index %d", name, owner.layer_name, owner.index)

    def traced_back(self, nodes: Sequence[Node]) -> None:
        """It is known which layers need a backward pass."""
        for node in reversed(nodes):
            verb = "needs" if node.layer.needs_backward else "does not need"
            log.info("%s %s backward computation.", node.layer.name, verb)

    def finished(self, outputs: Sequence[str]) -> None:
        for name in outputs:
            log.info("This network produces output %s", name)
        log.info("Network initialization done.")


def _has_inner_layer(param: Any) -> bool:
    """Whether real Caffe makes a layer of the same name, a Softmax or a Bias, inside this one."""
    return param.type in ("SoftmaxWithLoss", "InfogainLoss") or (param.type == "Scale" and param.scale_param.bias_term)


def _say_what_is_read(node: Node) -> None:
    """Source and size of images that a layer reads; real Caffe names the source a few lines earlier."""
    param = node.layer.param
    if param.type == "Data":
        kind = caffe_pb2.DataParameter.DB.Name(param.data_param.backend).lower()
        log.info("Opened %s %s", kind, param.data_param.source)
    elif param.type == "ImageData":
        log.info("Opening file %s", param.image_data_param.source)
    if param.transform_param.mean_file:
        log.info("Loading mean file from: %s", param.transform_param.mean_file)
    if param.type in ("Data", "ImageData", "WindowData"):
        log.info("output data size: %s", ",".join(map(str, node.tops[0].shape)))


def _shape(blob: Blob) -> str:
    return "".join(f"{size} " for size in blob.shape) + f"({blob.count})"
