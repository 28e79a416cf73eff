"""What is said while a net is built. The lines are real Caffe's for the same net; see also test_command_train.py."""

from __future__ import annotations

import logging

import recaffe
from recaffe.glog import GlogFormatter

NET = """
name: "rules"
layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
layer { name: "high" type: "ReLU" bottom: "a" top: "a" include { min_level: 2 } }
layer { name: "low" type: "ReLU" bottom: "a" top: "a" include { max_level: 0 } include { stage: "x" not_stage: "y" } }
layer { name: "both" type: "ReLU" bottom: "a" top: "a" include { stage: "x" not_stage: "z" } }
layer { name: "out" type: "ReLU" bottom: "a" top: "a" exclude { stage: "z" } }
layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "b" }
"""
LINES = """
The NetState level (1) is above the min_level (2) specified by a rule in layer high
The NetState level (1) is above the max_level (0) specified by a rule in layer low
The NetState contained a not_stage 'y' specified by a rule in layer low
The NetState did not contain stage 'z' specified by a rule in layer out
Creating layer in
Creating Layer in
in -> a
in -> b
Setting up in
Top shape: 2 3 (6)
Top shape: 2 3 (6)
Memory required for data: 48
Creating layer both
Creating Layer both
both <- a
both -> a (in-place)
Setting up both
Top shape: 2 3 (6)
Memory required for data: 72
Creating layer out
Creating Layer out
out <- a
out -> a (in-place)
Setting up out
Top shape: 2 3 (6)
Memory required for data: 96
Creating layer loss
Creating Layer loss
loss <- a
loss <- b
loss -> (automatic)
Setting up loss
Top shape: (1)
    with loss weight 1
Memory required for data: 100
loss does not need backward computation.
out does not need backward computation.
both does not need backward computation.
in does not need backward computation.
Network initialization done.
"""


def test_building_a_net_is_logged_as_by_real_caffe(make_net, caplog):
    with caplog.at_level(logging.INFO, logger="recaffe"):
        make_net(NET, recaffe.TEST, level=1, stages=["x", "y"])
    found = [record.getMessage() for record in caplog.records]
    assert found.pop(4).startswith('Initializing net from parameters: \nname: "rules"\nstate {\n  phase: TEST\n')
    assert found == LINES.strip("\n").split("\n")


def test_a_message_that_ends_its_line_gets_no_empty_line_after_it():
    record = logging.LogRecord("recaffe", logging.INFO, "net.py", 1, "parameters: \n%s", ("a: 1\n",), None)
    assert GlogFormatter().format(record).endswith("net.py:1] parameters: \na: 1")


def test_where_nobody_listens_nothing_is_printed_into_text(make_net, monkeypatch):
    def refuse(message: object) -> str:
        raise AssertionError("printed a net that no log shows")

    monkeypatch.setattr("recaffe.net_log.debug_string", refuse)
    logging.getLogger("recaffe").setLevel(logging.WARNING)
    try:
        make_net(NET, recaffe.TEST)
    finally:
        logging.getLogger("recaffe").setLevel(logging.NOTSET)
