"""recaffe upgrade_net_proto_text, upgrade_net_proto_binary and upgrade_solver_proto_text against real Caffe's."""

from __future__ import annotations

import pytest
from recaffe.commands import main
from recaffe.proto import caffe_pb2, files

V0 = """
name: "v0" input: "data" input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 32
layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "data" top: "pad" }
layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 5 blobs_lr: 1. blobs_lr: 2. weight_decay: 0.333
                 weight_filler { type: "gaussian" std: 0.01 } } bottom: "pad" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: MAX kernelsize: 3 stride: 2 } bottom: "conv" top: "pool" }
layers { layer { name: "norm" type: "lrn" local_size: 5 alpha: 1e-4 beta: 0.75 } bottom: "pool" top: "norm" }
"""
V1 = """
name: "v1"
layers { name: "d" type: DATA top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "x" batch_size: 2 backend: LMDB scale: 0.00390625 mirror: true crop_size: 5 mean_file: "m" } }
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2 param: "w" param: "b"
  blob_share_mode: PERMISSIVE convolution_param { num_output: 3 kernel_size: 2 weight_filler { type: "xavier" } } }
layers { name: "l" type: SOFTMAX_LOSS bottom: "c" bottom: "label" top: "l" loss_weight: 0.3 }
"""
INPUTS = """
name: "in" input: "a" input: "b" input_shape { dim: 1 dim: 2 } input_shape { dim: 3 }
layer { name: "p" type: "Silence" bottom: "a" bottom: "b" }
"""
BATCH_NORM = """
layer { name: "n" type: "BatchNorm" bottom: "x" top: "n" param { lr_mult: 1 } param { } param { lr_mult: 3 } }
"""
TODAYS = """
name: "\303\251" layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { scale: 0.3333333 shift: 1e10 } }
"""
OLD = ("V0", "V1")  # dialects with rows of their own in the conformance table
NETS = {"V0": V0, "V1": V1, "inputs": INPUTS, "batch norm": BATCH_NORM, "today's": TODAYS}
OLD_SOLVER = 'net: "x" solver_type: ADAGRAD base_lr: 0.01 lr_policy: "fixed" delta: 1e-8 max_iter: 5'
TODAYS_SOLVER = 'net: "x" type: "Adam" base_lr: 0.001'


@pytest.mark.caffe
@pytest.mark.parametrize("dialect", NETS)
def test_text_nets_come_out_letter_for_letter_as_real_caffes(tmp_path, real_tool, conform, dialect):
    (tmp_path / "old").write_text(NETS[dialect])
    assert main(["upgrade_net_proto_text", f"{tmp_path}/old", f"{tmp_path}/new"]) == 0
    assert real_tool("upgrade_net_proto_text", "old", "real", cwd=tmp_path).returncode == 0
    assert (tmp_path / "new").read_text() == (tmp_path / "real").read_text()
    conform("commands", "upgrade_net_proto_text", "result", 0)
    conform("files", f"prototxt {dialect if dialect in OLD else 'V2'}", "read", 0)
    conform("files", "prototxt V2", "written", 0)


@pytest.mark.caffe
@pytest.mark.parametrize("dialect", NETS)
def test_binary_nets_come_out_byte_for_byte_as_real_caffes(tmp_path, real_tool, conform, dialect):
    (tmp_path / "text").write_text(NETS[dialect])
    files.write_binary(tmp_path / "old", files.read_text(tmp_path / "text", caffe_pb2.NetParameter))
    assert main(["upgrade_net_proto_binary", f"{tmp_path}/old", f"{tmp_path}/new"]) == 0
    assert real_tool("upgrade_net_proto_binary", "old", "real", cwd=tmp_path).returncode == 0
    assert (tmp_path / "new").read_bytes() == (tmp_path / "real").read_bytes()
    conform("commands", "upgrade_net_proto_binary", "result", 0)
    if dialect in OLD:
        conform("files", f"binary net {dialect}", "read", 0)


@pytest.mark.caffe
@pytest.mark.parametrize("solver", [OLD_SOLVER, TODAYS_SOLVER])
def test_solvers_come_out_letter_for_letter_as_real_caffes(tmp_path, real_tool, conform, solver):
    (tmp_path / "old").write_text(solver)
    assert main(["upgrade_solver_proto_text", f"{tmp_path}/old", f"{tmp_path}/new"]) == 0
    assert real_tool("upgrade_solver_proto_text", "old", "real", cwd=tmp_path).returncode == 0
    assert (tmp_path / "new").read_text() == (tmp_path / "real").read_text()
    conform("commands", "upgrade_solver_proto_text", "result", 0)
    conform("files", "solver prototxt with solver_type", "read", 0)


def test_an_old_solver_gets_its_type(tmp_path):
    (tmp_path / "old").write_text(OLD_SOLVER)
    assert main(["upgrade_solver_proto_text", f"{tmp_path}/old", f"{tmp_path}/new"]) == 0
    assert (tmp_path / "new").read_text().splitlines() == [  # as real Caffe's tool wrote it
        "base_lr: 0.01",
        "max_iter: 5",
        'lr_policy: "fixed"',
        'net: "x"',
        "delta: 1e-08",
        'type: "AdaGrad"',
    ]


def test_a_file_in_todays_form_is_named_and_written_as_it_is(tmp_path, capsys):
    (tmp_path / "old").write_text(TODAYS)
    assert main(["upgrade_net_proto_text", f"{tmp_path}/old", f"{tmp_path}/new"]) == 0
    assert f"File already in latest proto format: {tmp_path}/old" in capsys.readouterr().err
    assert files.read_net(tmp_path / "new") == files.read_net(tmp_path / "old")


def test_a_net_that_cannot_be_upgraded_is_not_written(tmp_path, capsys):
    (tmp_path / "old").write_text('layers { layer { name: "c1" type: "con" } }')
    assert main(["upgrade_net_proto_text", f"{tmp_path}/old", f"{tmp_path}/new"]) == 1
    assert "layer 'c1' has the unknown V0 type 'con'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_missing_file_fails_and_a_missing_argument_is_usage(tmp_path, capsys):
    assert main(["upgrade_net_proto_binary", f"{tmp_path}/gone", f"{tmp_path}/new"]) == 1
    assert main(["upgrade_net_proto_binary", f"{tmp_path}/gone"]) == 2
    assert "needs two files, one to read and one to write; found 1" in capsys.readouterr().err
