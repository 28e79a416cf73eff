"""debug_info: the log says how large every blob and gradient is, in Caffe's lines."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

NET = """
debug_info: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { name: "shared" } param { lr_mult: 0 }
  inner_product_param { num_output: 1 weight_filler { type: "constant" value: -0.3 }
    bias_filler { type: "constant" value: 0.1 } } }
layer { name: "sig" type: "Sigmoid" bottom: "ip" top: "sig" loss_weight: 2 }
"""
ROWS = [[1, 2], [3, -0.123456789]]
LOGGED = """\
    [Forward] Layer data, top blob data data: 1.53086
    [Forward] Layer ip, top blob ip data: 0.781482
    [Forward] Layer ip, param blob shared data: 0.3
    [Forward] Layer ip, param blob 1 data: 0.1
    [Forward] Layer sig, top blob sig data: 0.314014
    [Backward] Layer sig, bottom blob ip diff: 0.430787
    [Backward] Layer ip, param blob 0 diff: 1.26559
"""
PROGRAM = f"""
import os, sys
os.environ["GLOG_minloglevel"] = "0"
os.dup2(1, 2)
import caffe
open("net.prototxt", "w").write('''{NET}''')
net = caffe.Net("net.prototxt", caffe.TRAIN)
net.blobs["data"].data[...] = {ROWS}
net.forward()
net.backward()
"""


def test_means_of_blobs_and_gradients_are_logged(make_net, caplog: pytest.LogCaptureFixture):
    net = make_net(NET)
    net.blobs["data"].data[...] = ROWS
    with caplog.at_level(logging.INFO, "recaffe"):
        net.forward()
        net.backward()
    assert caplog.messages == LOGGED.splitlines()


@pytest.mark.caffe
def test_real_caffe_logs_the_same(real_caffe, tmp_path):
    lines = real_caffe(PROGRAM, cwd=tmp_path).decode().splitlines()
    found = [line.partition("] ")[2] for line in lines if re.search(r"\[(Forward|Backward)\] Layer", line)]
    assert found == LOGGED.splitlines()


def test_nothing_is_logged_without_debug_info(make_net, caplog: pytest.LogCaptureFixture):
    net = make_net(NET.replace("debug_info: true", ""))
    caplog.clear()
    with caplog.at_level(logging.INFO, "recaffe"):
        net.forward(data=np.ones((2, 2)))
    assert caplog.messages == []
