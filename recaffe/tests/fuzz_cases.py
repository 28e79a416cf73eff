"""What the parsers are tried on: messages drawn from the schema, prototxt in every notation, and damaged files."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st
from recaffe.proto import caffe_pb2
from recaffe.proto.text import is_repeated

TESTS = Path(__file__).resolve().parent
_WHOLE = {
    FieldDescriptor.CPPTYPE_INT32: st.sampled_from([0, 1, 2, 3, -1, 7, 2**31 - 1, -(2**31)]),
    FieldDescriptor.CPPTYPE_UINT32: st.sampled_from([0, 1, 2, 3, 7, 2**32 - 1]),
    FieldDescriptor.CPPTYPE_INT64: st.sampled_from([0, 1, 2, 3, -1, 7, 2**63 - 1, -(2**63)]),
}
_NUMBER = st.sampled_from([0.0, -0.0, 1.0, 0.5, -1.5, 1e-3, 3e38, 1e-45, float("inf"), float("-inf")])
_NAME = st.sampled_from(["a", "b", "data", "", "Convolution", "é'\"\\\n\t\0#{", "con", "pad ding"])
_JUNK = [
    *"{}<>[]:;,-#'\"\\.\n\0\v@é0",
    *(
        "0x1F",
        "017",
        "08",
        "1.5e3f",
        ".5",
        "1e",
        "inf",
        "-nan",
        "true",
        "t",
        "TRUE",
        "MAX",
        "'\\x41'",
        "'\\q'",
        "'\\400'",
    ),
    *(
        "name",
        "layer",
        "layers",
        "type",
        "top",
        "convolution_param",
        "[1, 2]",
        "[]",
        "# comment\n",
        "999999999999999999",
    ),
]


def messages(message_class: Any, most: int = 3) -> st.SearchStrategy[Any]:
    """Messages of a class with up to `most` fields each, and repeated ones up to three times."""

    @st.composite
    def draw_message(draw: st.DrawFn) -> Any:
        message = message_class()
        _fill(draw, message, most)
        return message

    return draw_message()


def _fill(draw: st.DrawFn, message: Any, most: int) -> None:
    fields = list(message.DESCRIPTOR.fields)
    for field in draw(st.lists(st.sampled_from(fields), max_size=most, unique_by=lambda field: field.name)):
        fill_field(draw, message, field, most)
    for name in message.FindInitializationErrors():
        if name in message.DESCRIPTOR.fields_by_name:
            fill_field(draw, message, message.DESCRIPTOR.fields_by_name[name], most)


def fill_field(draw: st.DrawFn, message: Any, field: FieldDescriptor, most: int) -> None:
    """Set a field to drawn values; required fields of messages in it are set too."""
    for _ in range(draw(st.integers(1, 3)) if is_repeated(field) else 1):
        if field.message_type is not None:
            inner = getattr(message, field.name)
            inner = inner.add() if is_repeated(field) else inner
            inner.SetInParent() if not is_repeated(field) else None
            _fill(draw, inner, most)
        elif is_repeated(field):
            getattr(message, field.name).append(draw(_scalar(field)))
        else:
            setattr(message, field.name, draw(_scalar(field)))


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _NAME.map(str.encode) if field.type == FieldDescriptor.TYPE_BYTES else _NAME
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return _WHOLE.get(field.cpp_type, _NUMBER)


@st.composite
def notations(draw: st.DrawFn, message: Any) -> str:
    """The message as prototxt, every value in a notation of its own."""
    lines = []
    for field, values in message.ListFields():
        colon = ":" if field.message_type is None else draw(st.sampled_from(["", ":", " : "]))
        texts = [draw(_notation(field, value)) for value in (values if is_repeated(field) else [values])]
        if is_repeated(field) and draw(st.booleans()):
            texts = [f"[{','.join(texts)}]"]
        lines += [f"{field.name}{colon} {text}{draw(st.sampled_from(['', ',', ';', '#x']))}" for text in texts]
    return "\n".join(lines)


def _notation(field: FieldDescriptor, value: Any) -> st.SearchStrategy[str]:
    if field.message_type is not None:
        return st.builds(
            lambda pair, text: f"{pair[0]}{text}\n{pair[1]}", st.sampled_from(["{}", "<>"]), notations(value)
        )
    if field.enum_type is not None:
        return st.sampled_from([field.enum_type.values_by_number[value].name, str(value), hex(value)])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        data = value if isinstance(value, bytes) else value.encode()
        octal = "".join(f"\\{byte:03o}" for byte in data)
        return st.sampled_from([f'"{octal}"', f"'{octal}'", f"\"{octal}\" ''", f"'' \n \"{octal}\""])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.sampled_from(["true", "True", "t", "1", "0x1"] if value else ["false", "False", "f", "0", "00"])
    if isinstance(value, int):
        sign, size = "-" if value < 0 else "", abs(value)
        return st.sampled_from([f"{sign}{size}", f"{sign} {size:#x}", f"{sign}0{size:o}"])
    return st.sampled_from(
        [repr(value), f"{value!r}f" if "." in repr(value) else repr(value), f"{value:+.9e}".lstrip("+")]
    )


@st.composite
def damaged(draw: st.DrawFn, whole: str) -> str:
    """The text with up to four cuts, repetitions, swaps of characters and pieces of junk."""
    text = whole
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        middle = draw(st.sampled_from(["", text[start:end] * 2, *_JUNK]))
        text = text[:start] + middle + text[end:]
    return text


@contextmanager
def real_parser(python: Path, folder: Path) -> Iterator[Any]:
    """`read(message_class, content, form="text", upgrade=False)`: real_parser.py's answer, and the message or None."""
    source, out = folder / "case", folder / "case.out"
    command = [str(python), str(TESTS / "real_parser.py")]
    environment = {**os.environ, "GLOG_minloglevel": "4"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, env=environment, text=True) as server:
        assert server.stdin and server.stdout

        def read(message_class: Any, content: bytes, form: str = "text", upgrade: bool = False) -> tuple[str, Any]:
            source.write_bytes(content)
            out.unlink(missing_ok=True)
            request = [message_class.DESCRIPTOR.name, form, upgrade, str(source), str(out)]
            print(json.dumps(request), file=server.stdin, flush=True)
            answer = server.stdout.readline().strip()
            return answer, message_class.FromString(out.read_bytes()) if out.exists() else None

        yield read
        server.stdin.close()


_BLOB = st.sampled_from("abc")


def _old_net(draw: st.DrawFn, layers: list[Any], inputs: list[str]) -> Any:
    dims = [1, 2, 3, 4] * draw(st.sampled_from([len(inputs), len(inputs), 0, 1]))
    return caffe_pb2.NetParameter(layers=layers, input=inputs, input_dim=dims)


@st.composite
def v1_nets(draw: st.DrawFn) -> Any:
    """Nets of V1 layers of any type with any fields."""
    layers = draw(st.lists(messages(caffe_pb2.V1LayerParameter), min_size=1, max_size=4))
    types = st.sampled_from([value.number for value in caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values])
    for layer in layers:
        layer.ClearField("layer")
        layer.type = draw(st.sampled_from([5, 12, 24]) | types)  # those that read data have more to upgrade
        for name in ("data_param", "image_data_param", "window_data_param"):
            if draw(st.booleans()):
                _fill(draw, getattr(layer, name), 3)
    return _old_net(draw, layers, draw(st.lists(_BLOB, max_size=2, unique=True)))


@st.composite
def v0_nets(draw: st.DrawFn) -> Any:
    """Nets of V0 layers of any type, with the fields that their types have, a padding layer here and there."""
    layers = [caffe_pb2.V1LayerParameter() for _ in range(draw(st.integers(1, 5)))]
    inputs = draw(st.lists(_BLOB, min_size=1, max_size=2, unique=True))
    made = set(inputs)
    descriptor = caffe_pb2.V0LayerParameter.DESCRIPTOR
    for layer in layers:
        layer.layer.type = draw(st.sampled_from(["padding", "conv", "pool"]) | st.sampled_from(V0_TYPES))
        layer.bottom.append(draw(st.sampled_from(sorted(made))))
        layer.top.append(draw(_BLOB))
        if draw(st.integers(0, 4)) == 0:
            layer.bottom.extend(draw(st.lists(_BLOB, max_size=1)))
            layer.top.extend(draw(st.lists(_BLOB, max_size=1)))
        made.update(layer.top)
        names = V0_FIELDS.get(layer.layer.type, "") + " name blobs blobs_lr weight_decay scale meanfile mirror"
        for name in draw(st.lists(st.sampled_from(names.split()), max_size=4, unique=True)):
            fill_field(draw, layer.layer, descriptor.fields_by_name[name], 2)
        if draw(st.integers(0, 9)) == 0:
            fill_field(draw, layer.layer, draw(st.sampled_from(list(descriptor.fields))), 2)
    return _old_net(draw, layers, inputs)


V0_TYPES = (
    *("accuracy", "bnll", "concat", "conv", "data", "dropout", "euclidean_loss", "flatten", "hdf5_data", "hdf5_output"),
    *(
        "im2col",
        "images",
        "infogain_loss",
        "innerproduct",
        "lrn",
        "multinomial_logistic_loss",
        "padding",
        "pool",
        "relu",
    ),
    *("sigmoid", "softmax", "softmax_loss", "split", "tanh", "window_data"),
)
V0_FIELDS = {
    "conv": "num_output biasterm weight_filler bias_filler pad kernelsize group stride",
    "innerproduct": "num_output biasterm weight_filler bias_filler",
    "pool": "pad kernelsize stride pool",
    "padding": "pad",
    "dropout": "dropout_ratio",
    "lrn": "local_size alpha beta k",
    "data": "source batchsize rand_skip cropsize",
    "images": "source batchsize rand_skip shuffle_images new_height new_width",
    "hdf5_data": "source batchsize",
    "hdf5_output": "hdf5_output_param",
    "infogain_loss": "source",
    "concat": "concat_dim",
    "window_data": "source batchsize det_fg_threshold det_bg_threshold det_fg_fraction det_context_pad det_crop_mode",
}


@st.composite
def mutated(draw: st.DrawFn, whole: Any) -> Any:
    """A copy of a message in which up to three fields, mostly some that it has, hold something else or more."""
    message = type(whole)()
    message.CopyFrom(whole)
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, message)
    return message


def _mutate(draw: st.DrawFn, message: Any) -> None:
    present = message.ListFields()
    if present and draw(st.integers(0, 4)):
        field, value = draw(st.sampled_from(present))
    else:
        field = draw(st.sampled_from(list(message.DESCRIPTOR.fields)))
        value = getattr(message, field.name)
    if field.message_type is not None and draw(st.integers(0, 5)) and (value if is_repeated(field) else True):
        _mutate(draw, draw(st.sampled_from(list(value))) if is_repeated(field) else value)
        return
    if is_repeated(field) and draw(st.booleans()):
        message.ClearField(field.name)
    fill_field(draw, message, field, 2)
