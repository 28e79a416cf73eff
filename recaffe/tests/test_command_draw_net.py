"""recaffe draw_net. Pictures need Graphviz; its text needs pydot only."""

from __future__ import annotations

from pathlib import Path

import pytest
from recaffe.commands import main

NET = """
layer { name: "data" type: "Data" top: "data" include { phase: TRAIN } data_param { source: "db" batch_size: 4 } }
layer { name: "blank" type: "Input" top: "data" include { phase: TEST } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 3 }
        inner_product_param { num_output: 7 } }
"""
REAL_GRAPH = """
import sys
sys.path.insert(0, sys.argv[2])  # where pydot is
from google.protobuf import text_format
from caffe import draw
from caffe.proto import caffe_pb2
net = text_format.Parse(open(sys.argv[1]).read(), caffe_pb2.NetParameter())
sys.stdout.write(draw.get_pydot_graph(net, "TB", phase=caffe_pb2.TEST, display_lrm=True).to_string())
"""
OLD_NET = 'layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "ip" inner_product_param { num_output: 7 } }'


@pytest.fixture
def net(tmp_path):
    pytest.importorskip("pydot")
    (tmp_path / "net.prototxt").write_text(NET)
    return str(tmp_path / "net.prototxt")


@pytest.mark.parametrize(
    ("phase", "drawn", "left_out"),
    [("TRAIN", "(Data)", "(Input)"), ("TEST", "(Input)", "(Data)"), ("ALL", "(Data)", "?")],
)
def test_the_layers_of_a_phase_are_drawn(net, tmp_path, phase, drawn, left_out):
    assert main(["draw_net", net, f"{tmp_path}/net.raw", "--phase", phase]) == 0
    text = (tmp_path / "net.raw").read_text()
    assert drawn in text and "(InnerProduct)" in text and left_out not in text


@pytest.mark.caffe
def test_the_graph_is_real_caffes(net, tmp_path, real_caffe, conform):
    for name in ("pydot", "pyparsing"):  # pure Python; real Caffe's own has neither
        (tmp_path / name).symlink_to(Path(pytest.importorskip(name).__file__).parent)
    assert main(["draw_net", net, f"{tmp_path}/net.raw", "--rankdir=TB", "--phase=TEST", "--display_lrm"]) == 0
    assert (tmp_path / "net.raw").read_text() == real_caffe(REAL_GRAPH, net, tmp_path).decode()
    conform("commands", "draw_net", "result", 0)


def test_direction_and_rates_are_drawn_as_asked(net, tmp_path):
    assert main(["draw_net", "--rankdir=TB", "--display_lrm", net, f"{tmp_path}/net.raw"]) == 0
    text = (tmp_path / "net.raw").read_text()
    assert "rankdir=TB" in text and "3.0" in text
    assert main(["draw_net", net, f"{tmp_path}/net.raw"]) == 0
    text = (tmp_path / "net.raw").read_text()
    assert "rankdir=LR" in text and "3.0" not in text


def test_an_old_net_is_drawn_too(net, tmp_path):
    (tmp_path / "old.prototxt").write_text(OLD_NET)
    assert main(["draw_net", f"{tmp_path}/old.prototxt", f"{tmp_path}/old.raw"]) == 0
    assert "(InnerProduct)" in (tmp_path / "old.raw").read_text()


def test_a_picture_that_cannot_be_made_is_not_there(net, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["draw_net", net, f"{tmp_path}/net.png"]) == 1
    assert "Graphviz makes no png of the net" in capsys.readouterr().err
    assert not (tmp_path / "net.png").exists()


def test_wrong_arguments_are_usage(net, capsys):
    assert main(["draw_net", net, "x.raw", "--phase=train"]) == 2
    assert "flag --phase is 'train', expected TRAIN, TEST or ALL" in capsys.readouterr().err
    assert main(["draw_net", net]) == 2
