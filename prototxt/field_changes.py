"""What two messages of Caffe say differently, field by field.

A field that is not set is one that is set to its default, except where Caffe asks whether it is set.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from recaffe.proto import caffe_pb2, text
from recaffe.proto.text import is_repeated

from prototxt.fillers import filler_text

NOT_SET = "(not set)"
LONGEST_VALUE = 120  # chosen: one line; weights written into a prototxt are longer

# Fields whose absence Caffe takes for something else than any value (has_... in its sources).
_MAY_BE_ABSENT = {
    "AccuracyParameter": ("ignore_label",),
    "ArgMaxParameter": ("axis",),
    "BatchNormParameter": ("use_global_stats",),
    "LayerParameter": ("phase",),
    "LossParameter": ("ignore_label", "normalize"),
    "NetStateRule": ("phase", "min_level", "max_level"),
}
# What an empty list stands for.
_OF_EMPTY_LIST = {"ConvolutionParameter": {"pad": [0], "stride": [1], "dilation": [1]}}


@dataclass(frozen=True)
class FieldChange:
    """field: its place, as `param[0].lr_mult`. old, new: values as a prototxt has them, and whether by default."""

    field: str
    old: str
    new: str


def field_changes(old: Any, new: Any, where: str = "") -> Iterator[FieldChange]:
    """The fields that mean different things in two messages of one class, in the order of the schema.

    where: what stands before each field's name.
    """
    if old == new:
        return
    of_empty = _OF_EMPTY_LIST.get(old.DESCRIPTOR.name, {})
    for field in old.DESCRIPTOR.fields:
        name, before, after = where + field.name, getattr(old, field.name), getattr(new, field.name)
        if is_repeated(field) and field.message_type is not None:
            yield from _list_changes(list(before), list(after), name)
        elif field.message_type is not None and field.message_type.name == "FillerParameter":
            if filler_text(before) != filler_text(after):
                yield FieldChange(name, filler_text(before), filler_text(after))
        elif field.message_type is not None:
            yield from field_changes(before, after, f"{name}.")
        elif is_repeated(field):
            lists = [
                values_text(old, field, list(values) or of_empty.get(field.name, [])) for values in (before, after)
            ]
            if lists[0] != lists[1]:
                yield FieldChange(name, lists[0] or NOT_SET, lists[1] or NOT_SET)
        elif _differ(old, new, field):
            yield FieldChange(name, _scalar_text(old, field), _scalar_text(new, field))


def canonical_layer(layer: Any) -> Any:
    """A copy of a LayerParameter in which what Caffe lets one say in two ways is said in one."""
    copy = caffe_pb2.LayerParameter()
    copy.CopyFrom(layer)
    for old_form, options in (("concat_dim", copy.concat_param), ("slice_dim", copy.slice_param)):
        if options.HasField(old_form):
            options.axis = getattr(options, old_form)
            options.ClearField(old_form)
    window = copy.convolution_param
    for name in ("kernel", "stride", "pad"):
        sizes = getattr(window, "kernel_size" if name == "kernel" else name)
        if any(window.HasField(f"{name}_{side}") for side in "hw"):
            sizes[:] = [getattr(window, f"{name}_{side}") for side in "hw"]
            window.ClearField(f"{name}_h")
            window.ClearField(f"{name}_w")
    for sizes in (window.kernel_size, window.stride, window.pad, window.dilation):
        if len(sizes) > 1 and len(set(sizes)) == 1:
            sizes[:] = sizes[:1]
    if not copy.loss_weight and copy.type.endswith("Loss"):
        copy.loss_weight.append(1)
    return copy


def values_text(message: Any, field: FieldDescriptor, values: Any) -> str:
    """A value, or several with commas between, as text.format writes them."""
    alone = type(message)()
    if is_repeated(field):
        getattr(alone, field.name).extend(values)
    else:
        setattr(alone, field.name, values)
    return _shortened(", ".join(line.partition(": ")[2] for line in text.format(alone).splitlines()))


def _list_changes(old: list[Any], new: list[Any], name: str) -> Iterator[FieldChange]:
    for place, (before, after) in enumerate(itertools.zip_longest(old, new)):
        where, present = f"{name}[{place}]", before if after is None else after
        if present.DESCRIPTOR.name == "ParamSpec":  # not written, a weight has the default rates
            yield from field_changes(before or type(present)(), after or type(present)(), f"{where}.")
        elif before is None or after is None:
            texts = [
                NOT_SET if each is None else _shortened(" ".join(text.format(each).split())) for each in (before, after)
            ]
            yield FieldChange(where, *texts)
        else:
            yield from field_changes(before, after, f"{where}.")


def _differ(old: Any, new: Any, field: FieldDescriptor) -> bool:
    if field.name in _MAY_BE_ABSENT.get(old.DESCRIPTOR.name, ()) and old.HasField(field.name) != new.HasField(
        field.name
    ):
        return True
    before, after = (values_text(each, field, getattr(each, field.name)) for each in (old, new))
    return before != after


def _scalar_text(message: Any, field: FieldDescriptor) -> str:
    value = values_text(message, field, getattr(message, field.name))
    if message.HasField(field.name):
        return value
    return f"{value} (default)" if field.has_default_value else NOT_SET


def _shortened(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}... ({len(value)} characters)"
