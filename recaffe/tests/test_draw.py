"""Nets as graphs for Graphviz."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from recaffe import CaffeError, draw
from recaffe.proto import caffe_pb2, text

pydot = pytest.importorskip("pydot")

NET = """
name: "drawn"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 7 } include { phase: TRAIN } }
layer { name: "input" type: "Input" top: "data" exclude { phase: TRAIN } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 kernel_size: 5 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up" convolution_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" include { phase: TRAIN } }
"""
PRINT_GRAPHS = """
import sys
sys.path[:0] = sys.argv[2:]  # where pydot is
from google.protobuf import text_format
from caffe import draw
from caffe.proto import caffe_pb2
net = text_format.Parse(sys.argv[1], caffe_pb2.NetParameter())
for options in (("LR",), ("TB", False), ("BT", True, caffe_pb2.TRAIN), ("LR", True, caffe_pb2.TEST, True)):
    print(draw.get_pydot_graph(net, *options).to_string())
"""


@pytest.fixture
def net():
    return text.parse(NET, caffe_pb2.NetParameter)


def test_labels_say_type_window_and_multipliers(net):
    conv, pool, ip = (layer for layer in net.layer if layer.name in ("conv", "pool", "ip"))
    assert draw.get_layer_label(conv, "TB") == '"conv (Convolution) kernel size: 3 stride: 1 pad: 1"'
    assert draw.get_layer_label(conv, "LR", True).endswith(r'pad: 1\nlr mult: 2.0, 1.0"')
    assert draw.get_layer_label(pool, "BT") == '"pool (Pooling AVE) kernel size: 2 stride: 2 pad: 0"'
    assert [draw.get_edge_label(layer) for layer in (net.layer[0], conv, pool, ip)] == ["Batch 7", "4", '""', "3"]
    assert draw.get_layer_lr_mult(ip) == (1.0, 1.0)
    with pytest.raises(ValueError, match=r"'pool' \(Pooling\) has no lr_mult"):
        draw.get_layer_lr_mult(pool)


def test_phase_leaves_layers_out(net):
    both, train, test = (draw.get_pydot_graph(net, "LR", phase=phase).to_string() for phase in (None, 0, 1))
    assert "(Data)" in train and "(Input)" not in train and "SoftmaxWithLoss" in train
    assert "(Data)" not in test and "(Input)" in test and "SoftmaxWithLoss" not in test
    assert "(Data)" in both and "(Input)" in both
    net.layer[0].exclude.add(phase=1)
    with pytest.raises(ValueError, match="'data' has include and exclude rules"):
        draw.get_pydot_graph(net, "LR", phase=0)


def test_text_is_written_without_graphviz(net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    draw.draw_net_to_file(net, str(tmp_path / "net.raw"), "TB")
    written = (tmp_path / "net.raw").read_text()
    assert written.startswith("digraph drawn {") and "rankdir=TB" in written and "pool (Pooling AVE)" in written
    with pytest.raises(CaffeError, match=r"no png of the net: .*Install its program `dot`"):
        draw.draw_net_to_file(net, str(tmp_path / "net.png"))
    assert not (tmp_path / "net.png").exists()


def test_missing_pydot_is_named(net, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(ImportError, match="pip install pydot"):
        draw.get_pydot_graph(net, "LR")


@pytest.mark.caffe
def test_real_caffe_draws_the_same_graphs(net, tmp_path: Path, real_caffe, capsys: pytest.CaptureFixture[str]):
    for name in ("pydot", "pyparsing"):  # pure Python; real Caffe's own has neither
        (tmp_path / name).symlink_to(Path(__import__(name).__file__).parent)
    theirs = real_caffe(PRINT_GRAPHS, NET, tmp_path).decode()
    for options in (("LR",), ("TB", False), ("BT", True, caffe_pb2.TRAIN), ("LR", True, caffe_pb2.TEST, True)):
        print(draw.get_pydot_graph(net, *options).to_string())
    assert capsys.readouterr().out == theirs
