"""The semantic diff of two prototxt files: what it sees, what it passes over, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from recaffe.proto import caffe_pb2, text, upgrade

from layerwise.errors import ModelError
from layerwise.schemes import SCHEMES
from prototxt.diff import diff_files, format_differences
from prototxt.differences import ADDED, CHANGED, MOVED, REMOVED, compare_messages

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "prototxt" / "polyp"


def net(*layers):
    message = text.parse("\n".join(f"layer {{ {layer} }}" for layer in layers), caffe_pb2.NetParameter)
    upgrade.upgrade_net(message)
    return message


def solver(content):
    return text.parse(content, caffe_pb2.SolverParameter)


def layer_changes(old, new):
    """(kind, name, {field: (old, new)}) of each layer that differs."""
    return [
        (change.kind, change.name, {field.field: (field.old, field.new) for field in change.fields})
        for change in compare_messages(old, new).layers
    ]


def field_changes(old, new):
    return {change.field: (change.old, change.new) for change in compare_messages(old, new).fields}


def relu(name, top=None):
    return f'name: "{name}" type: "ReLU" bottom: "b" top: "{top or name}"'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('name: "x" type: "ReLU"', 'type: "ReLU" # after the type\n name: "x"'),
        ('type: "ReLU"', 'type: "ReLU" relu_param { negative_slope: 0 engine: DEFAULT }'),
        ('type: "InnerProduct"', 'type: "InnerProduct" param { lr_mult: 1 } param { decay_mult: 1 }'),
        ('type: "Convolution"', 'type: "Convolution" convolution_param { pad: 0 stride: 1 dilation: 1 }'),
        (
            'type: "Convolution" convolution_param { kernel_size: 3 pad: [1, 1] }',
            'type: "Convolution" convolution_param { kernel_h: 3 kernel_w: 3 pad_h: 1 pad_w: 1 }',
        ),
        ('type: "Concat" concat_param { concat_dim: 2 }', 'type: "Concat" concat_param { axis: 2 }'),
        ('type: "SoftmaxWithLoss"', 'type: "SoftmaxWithLoss" loss_weight: 1'),
        (
            'type: "InnerProduct" inner_product_param { weight_filler { type: "xavier" std: 3 } }',
            'type: "InnerProduct" inner_product_param { weight_filler { type: "xavier" } }',
        ),
    ],
)
def test_what_means_the_same_is_no_difference(one, other):
    assert not compare_messages(net(one), net(other))


@pytest.mark.parametrize(
    ("one", "other", "field", "values"),
    [
        ("include { }", "include { phase: TRAIN }", "include[0].phase", ("(not set)", "TRAIN")),
        (
            'type: "BatchNorm"',
            'type: "BatchNorm" batch_norm_param { use_global_stats: false }',
            "batch_norm_param.use_global_stats",
            ("(not set)", "false"),
        ),
        (
            'type: "SoftmaxWithLoss"',
            'type: "SoftmaxWithLoss" loss_param { ignore_label: 0 }',
            "loss_param.ignore_label",
            ("(not set)", "0"),
        ),
        (
            'type: "LRN"',
            'type: "LRN" lrn_param { alpha: 0.0001 }',
            "lrn_param.alpha",
            ("1 (default)", "0.0001"),
        ),
        (
            'type: "Convolution" convolution_param { kernel_size: 3 }',
            'type: "Convolution" convolution_param { kernel_h: 3 kernel_w: 5 }',
            "convolution_param.kernel_size",
            ("3", "3, 5"),
        ),
        (
            'type: "Bias" bias_param { filler { type: "gaussian" std: 0.1 } }',
            'type: "Bias" bias_param { filler { value: 2 } }',
            "bias_param.filler",
            ("gaussian 0.1", "constant 2"),
        ),
        ("param { lr_mult: 2 }", "", "param[0].lr_mult", ("2", "1 (default)")),
        ('top: "a"', 'top: "a" top: "b"', "top", ('"a"', '"a", "b"')),
    ],
)
def test_a_field_that_means_something_else_is_shown_from_old_to_new(one, other, field, values):
    assert layer_changes(net(one), net(other)) == [(CHANGED, "", {field: values})]


def test_old_dialects_are_compared_by_what_they_mean():
    old = text.parse(
        'input: "data" input_dim: [1, 3, 8, 8] layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" '
        "blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 convolution_param { num_output: 2 kernel_size: 3 } }",
        caffe_pb2.NetParameter,
    )
    upgrade.upgrade_net(old)
    new = net(
        'name: "input" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } }',
        'name: "c" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 } '
        "convolution_param { num_output: 2 kernel_size: 3 }",
    )
    assert not compare_messages(old, new)


def test_layers_are_added_and_removed_with_all_that_they_say():
    found = layer_changes(net(relu("a"), relu("c")), net(relu("a"), 'name: "b" type: "TanH" top: "t"'))
    assert found == [
        (ADDED, "b", {"top": ("(not set)", '"t"')}),
        (REMOVED, "c", {"bottom": ('"b"', "(not set)"), "top": ('"c"', "(not set)")}),
    ]


def test_a_layer_of_another_name_at_the_same_place_is_the_same_layer():
    found = layer_changes(
        net(relu("a"), relu("fc8", "x"), relu("z")), net(relu("a"), relu("fc8_polyp", "x"), relu("z"))
    )
    assert found == [(CHANGED, "fc8_polyp", {"name": ('"fc8"', '"fc8_polyp"')})]


def test_a_layer_that_changed_its_place_is_the_only_one_that_is_said_to_have_moved():
    names = ["a", "b", "c", "d", "e"]
    found = layer_changes(net(*map(relu, names)), net(*map(relu, ["b", "c", "d", "a", "e"])))
    assert found == [(MOVED, "a", {})]


def test_data_layers_of_two_phases_are_told_apart_by_their_rules():
    train, test = (f'name: "data" type: "Data" include {{ phase: {phase} }}' for phase in ("TRAIN", "TEST"))
    batch = "data_param { batch_size: 9 }"
    changes = compare_messages(net(train, test), net(f"{test} {batch}", train)).layers
    found = [(change.kind, change.what, len(change.fields)) for change in changes]
    assert found == [(CHANGED, "Data, TEST", 1), (MOVED, "Data, TRAIN", 0)]


def test_solvers_are_compared_field_by_field():
    old, new = solver("base_lr: 0.001 momentum: 0.9"), solver('momentum: 0.9 iter_size: 1 type: "SGD" base_lr: 0.01')
    assert field_changes(old, new) == {"base_lr": ("0.001", "0.01")}
    assert field_changes(solver("stepvalue: [5, 9]"), solver("")) == {"stepvalue": ("5, 9", "(not set)")}


@pytest.mark.parametrize("name", [name for name in SCHEMES if name.startswith("finetune")][1:])
def test_two_depths_differ_in_the_rates_of_one_layer(name):
    shallower = list(SCHEMES)[list(SCHEMES).index(name) - 1]
    found = diff_files(str(STUDY / shallower / "train_val.prototxt"), str(STUDY / name / "train_val.prototxt"))
    assert not found.fields
    ((layer,),) = (found.layers,)
    assert layer.name == SCHEMES[name].first_tuned
    assert [change.field for change in layer.fields] == ["param[0].lr_mult", "param[1].lr_mult"]


def test_a_long_value_is_cut():
    found = compare_messages(solver(""), solver(f'snapshot_prefix: "{"x" * 1000}"'))
    assert len(format_differences(found)) < 250


def command(*args):
    done = subprocess.run([sys.executable, "-m", "prototxt.diff", *args], cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_exit_codes_are_those_of_diff(tmp_path):
    shallow, deep = (str(STUDY / f"finetune-{name}" / "train_val.prototxt") for name in ("fc8", "fc7"))
    broken = tmp_path / "broken.prototxt"
    broken.write_text('name: "x"\nlayer {\n  tipe: "ReLU"\n}\n')
    assert command(shallow, shallow) == (0, "no difference: both mean the same\n", "")
    code, out, _ = command(shallow, deep)
    assert code == 1
    assert "layer fc7 (InnerProduct)\n    param[0].lr_mult: 0 -> 1\n" in out
    code, out, err = command(shallow, str(broken))
    assert (code, out) == (2, "")
    assert f"{broken}:3:3" in err
    assert "'tipe'" in err
    assert command(shallow)[0] == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"", "says nothing"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"base_lr: 0.1\nlr_polic: 3\n", r":2:1: .*'lr_policy' \(read as a solver\)"),
        (b"base_lr: 0.1", "is a solver and .* a net"),
        (b'layer { name: "a" } layers { name: "b" }', "both 'layer'"),
    ],
)
def test_a_file_that_cannot_be_compared_is_an_error_that_names_it(content, problem, tmp_path):
    path = tmp_path / "file.prototxt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=f"(?s){path}.*{problem}|{problem}"):
        diff_files(str(path), str(STUDY / "finetune-fc8" / "train_val.prototxt"))
