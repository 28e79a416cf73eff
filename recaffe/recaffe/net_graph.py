"""A net before it is built: which layers a state keeps, and where blobs must be split. Messages in, messages out."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from recaffe.errors import NetError
from recaffe.proto import caffe_pb2

log = logging.getLogger("recaffe.net")
_Place = tuple[int, int]  # (layer index, top index)


def filter_layers(net: Any) -> Any:
    """A copy of the NetParameter with the layers that `net.state` keeps. Source: Net::FilterNet.

    A layer is kept if it has no include rule or meets one, and meets no exclude rule.
    """
    kept = caffe_pb2.NetParameter()
    kept.CopyFrom(net)
    kept.ClearField("layer")
    for layer in net.layer:
        if layer.include and layer.exclude:
            raise NetError(f"layer {layer.name!r} has include and exclude rules; give one kind")
        rules = layer.include or layer.exclude
        if any(_meets(net.state, rule, layer.name) for rule in rules) == bool(layer.include):
            kept.layer.add().CopyFrom(layer)
    return kept


def _meets(state: Any, rule: Any, layer_name: str) -> bool:
    """Whether the state keeps to the rule; says so where not. Source: Net::StateMeetsRule."""
    reason = _breach(state, rule)
    if reason:
        log.info("The NetState %s specified by a rule in layer %s", reason, layer_name)
    return not reason


def _breach(state: Any, rule: Any) -> str:
    """The first condition of the rule that the state does not meet, in Caffe's words; empty if it meets all."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return f"phase ({state.phase}) differed from the phase ({rule.phase})"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return f"level ({state.level}) is above the min_level ({rule.min_level})"  # sic: below
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"level ({state.level}) is above the max_level ({rule.max_level})"
    for stage in rule.stage:
        if stage not in state.stage:
            return f"did not contain stage '{stage}'"
    for stage in rule.not_stage:
        if stage in state.stage:
            return f"contained a not_stage '{stage}'"
    return ""


def insert_splits(net: Any) -> Any:
    """A copy of the NetParameter with a Split layer behind every top that is used more than once.

    A top's own loss_weight is a use. Names are Caffe's: blob b of layer l, top i, becomes b_l_i_split_0, _1, ...
    Source: src/caffe/util/insert_splits.cpp.
    """
    source_of, uses = _count_uses(net)
    split = caffe_pb2.NetParameter()
    split.CopyFrom(net)
    split.ClearField("layer")
    next_index: Counter[_Place] = Counter()
    for index, layer in enumerate(net.layer):
        copy = split.layer.add()
        copy.CopyFrom(layer)
        for number, name in enumerate(layer.bottom):
            source = source_of[index, number]
            if uses[source] > 1:
                copy.bottom[number] = _split_blob_name(net, source, name, next_index[source])
                next_index[source] += 1
        for number, name in enumerate(layer.top):
            source = (index, number)
            if uses[source] > 1:
                weight = layer.loss_weight[number] if number < len(layer.loss_weight) else 0.0
                split.layer.add().CopyFrom(_split_layer(net, source, name, uses[source], weight))
                if weight:
                    copy.ClearField("loss_weight")
                    next_index[source] += 1
    return split


def _count_uses(net: Any) -> tuple[dict[_Place, _Place], Counter[_Place]]:
    """For each bottom (layer, number) the top it reads, and for each top how often it is read or weighted."""
    latest: dict[str, _Place] = {}
    source_of: dict[_Place, _Place] = {}
    uses: Counter[_Place] = Counter()
    for index, layer in enumerate(net.layer):
        for number, name in enumerate(layer.bottom):
            if name not in latest:
                known = ", ".join(repr(blob) for blob in latest) or "none"
                raise NetError(
                    f"layer {layer.name!r} reads the unknown blob {name!r}; made by layers before it: {known}"
                )
            source_of[index, number] = latest[name]
            uses[latest[name]] += 1
        for number, name in enumerate(layer.top):
            latest[name] = (index, number)
            if number < len(layer.loss_weight) and layer.loss_weight[number]:
                uses[index, number] += 1
    return source_of, uses


def _split_layer(net: Any, source: _Place, blob: str, count: int, loss_weight: float) -> Any:
    layer = caffe_pb2.LayerParameter(type="Split", bottom=[blob])
    layer.name = f"{blob}_{net.layer[source[0]].name}_{source[1]}_split"
    for index in range(count):
        layer.top.append(_split_blob_name(net, source, blob, index))
        if loss_weight:
            layer.loss_weight.append(loss_weight if index == 0 else 0.0)
    return layer


def _split_blob_name(net: Any, source: _Place, blob: str, index: int) -> str:
    return f"{blob}_{net.layer[source[0]].name}_{source[1]}_split_{index}"
