"""pycaffe's caffe.draw: a net as a graph for Graphviz (python/caffe/draw.py).

The graph itself needs pydot, pictures need Graphviz's program `dot` too; both are asked for when they are used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLORS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")
_NO_LABEL = '""'


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the pooling methods: {0: "MAX", ...}."""
    return {number: name for name, number in caffe_pb2.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: Any) -> str:
    """What stands at the edges to a layer's tops: the batch, or the number of outputs, or '""'."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return _NO_LABEL


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """lr_mult of a learning layer's weights and bias, 1.0 where it states none. Raises ValueError for other layers."""
    if layer.type not in _LEARNING:
        raise ValueError(f"layer {layer.name!r} ({layer.type}) has no lr_mult; {', '.join(_LEARNING)} have")
    stated = [spec.lr_mult for spec in layer.param]
    if len(stated) > 2:
        raise ValueError(f"layer {layer.name!r} has {len(stated)} param, expected 2 at most")
    weights, bias = stated + [1.0] * (2 - len(stated))
    return weights, bias


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """The text of a layer's node, in double quotes; in one line where `rankdir` is vertical ("TB", "BT")."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    kind = layer.type
    if kind == "Pooling":
        kind += " " + get_pooling_types_dict()[layer.pooling_param.pool]
    parts = [layer.name, f"({kind})"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        parts += [f"{name}: {size}" for name, size in zip(_WINDOW, _window(layer), strict=True)]
    if display_lrm and layer.type in _LEARNING:
        multipliers = get_layer_lr_mult(layer)
        if any(multipliers):
            parts.append("lr mult: {:.1f}, {:.1f}".format(*multipliers))
    return f'"{separator.join(parts)}"'


_WINDOW = ("kernel size", "stride", "pad")


def _window(layer: Any) -> tuple[int, int, int]:
    """(kernel size, stride, pad), of a layer with several values for one thing the first."""
    if layer.type == "Pooling":
        return layer.pooling_param.kernel_size, layer.pooling_param.stride, layer.pooling_param.pad
    param = layer.convolution_param
    kernel, stride, pad = (
        values[0] if values else default
        for values, default in ((param.kernel_size, 1), (param.stride, 1), (param.pad, 0))
    )
    return kernel, stride, pad


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's node."""
    return _COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Any:
    """The pydot.Dot of a NetParameter: layers and blobs are nodes.

    rankdir: "LR", "TB" or "BT". label_edges: write batch and output sizes at edges. phase: only the layers that its
    include and exclude rules keep for this phase. display_lrm: write lr_mult into learning layers.
    Raises ImportError without pydot, ValueError for a layer with include and exclude rules.
    """
    pydot = _pydot()
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str, str]] = []
    for layer in _layers_of_phase(caffe_net, phase):
        name = f"{layer.name}_{layer.type}"
        is_in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        color = {"fillcolor": choose_color_by_layertype(layer.type)}
        style = NEURON_LAYER_STYLE if is_in_place else {**LAYER_STYLE_DEFAULT, **color}
        nodes[name] = pydot.Node(get_layer_label(layer, rankdir, display_lrm), **style)
        for blob in layer.bottom:
            nodes[f"{blob}_blob"] = pydot.Node(blob, **BLOB_STYLE)
            edges.append((f"{blob}_blob", name, _NO_LABEL))
        for blob in layer.top:
            nodes[f"{blob}_blob"] = pydot.Node(blob)
            edges.append((name, f"{blob}_blob", get_edge_label(layer) if label_edges else _NO_LABEL))
    for node in nodes.values():
        graph.add_node(node)
    for start, end, label in edges:
        graph.add_edge(pydot.Edge(nodes[start], nodes[end], label=label))
    return graph


def _layers_of_phase(net: Any, phase: int | None) -> Iterator[Any]:
    for layer in net.layer:
        if phase is not None and layer.include and layer.exclude:
            raise ValueError(f"layer {layer.name!r} has include and exclude rules; give one kind")
        is_included = not layer.include or any(rule.phase == phase for rule in layer.include)
        if phase is None or (is_included and all(rule.phase != phase for rule in layer.exclude)):
            yield layer


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture in the format `ext`; "raw" gives the text for Graphviz itself. For the rest see `get_pydot_graph`.

    Raises CaffeError where Graphviz cannot make it.
    """
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return graph.to_string().encode()
    try:
        return graph.create(format=ext)
    except (OSError, AssertionError) as error:  # pydot: no program `dot`, or it failed
        raise CaffeError(
            f"Graphviz makes no {ext} of the net: {error}. Install its program `dot`, or draw to a file named .raw"
        ) from None


def draw_net_to_file(
    caffe_net: Any, filename: str, rankdir: str = "LR", phase: int | None = None, display_lrm: bool = False
) -> None:
    """Draw into a file in the format that its ending names; ".raw" is the text for Graphviz. See `draw_net`."""
    picture = draw_net(caffe_net, rankdir, str(filename).rpartition(".")[2], phase, display_lrm)
    Path(filename).write_bytes(picture)


def _pydot() -> Any:
    try:
        return importlib.import_module("pydot")
    except ImportError:
        raise ImportError("drawing nets needs pydot: pip install pydot") from None
