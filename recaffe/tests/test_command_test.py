"""recaffe test, time and device_query: what they log, against real Caffe."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe.commands import device_query, main

NET = """
name: "measured"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } data_filler { type: "constant" value: 0.5 }
  data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool_of_long_name" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 2 }
layer { name: "seen" type: "Power" bottom: "ip" top: "seen" include { phase: TEST stage: "show" } }
"""
DEPLOY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "pool" }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A folder, made the working directory, with a net and its weights."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Path("deploy.prototxt").write_text(DEPLOY)
    recaffe.set_random_seed(5)
    recaffe.Net("net.prototxt", recaffe.TEST).save("net.caffemodel")
    return tmp_path


def _without_copying(lines: list[str]) -> list[str]:
    return [line for line in lines if ": copied, " not in line]


@pytest.mark.caffe
def test_scores_are_logged_as_by_real_caffe(measured, log_case, real_tool, capsys, conform):
    arguments = ["test", "--model=net.prototxt", "-weights", "net.caffemodel", "--iterations=3", "--stage=show,x"]
    assert main(arguments) == 0
    ours = _without_copying(log_case.messages(capsys.readouterr().err))
    real = real_tool("caffe", *arguments, cwd=measured)
    assert real.returncode == 0
    number = re.compile(r"(?<== )[-\d.e]+|(?<=Loss: )\S+")
    theirs = log_case.messages(real.stderr)
    assert [number.sub("#", line) for line in ours] == [number.sub("#", line) for line in theirs]
    found, expected = (
        np.array([float(value) for line in lines for value in number.findall(line)]) for lines in (ours, theirs)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    conform("commands", "test", "result", np.abs(found - expected).max() / np.abs(expected).max())


def test_the_mean_of_the_batches_is_logged_last(measured, capsys):
    assert main(["test", "--model=net.prototxt", "--weights=net.caffemodel", "--iterations=2"]) == 0
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    net = recaffe.Net("net.prototxt", recaffe.TEST, weights="net.caffemodel")
    loss = float(net.forward()["loss"])
    start = lines.index("Running for 2 iterations.")
    assert lines[start + 1 :] == [
        f"Batch 0, accuracy = {float(net.blobs['accuracy'].data):g}",
        f"Batch 0, loss = {loss:g}",
        f"Batch 1, accuracy = {float(net.blobs['accuracy'].data):g}",
        f"Batch 1, loss = {loss:g}",
        f"Loss: {2 * loss:g}",
        f"accuracy = {float(net.blobs['accuracy'].data):g}",
        f"loss = {loss:g} (* 2 = {2 * loss:g} loss)",
    ]


@pytest.mark.caffe
@pytest.mark.parametrize("model", ["net.prototxt", "deploy.prototxt"])
def test_times_are_logged_as_by_real_caffe(measured, log_case, real_tool, capsys, conform, model):
    arguments = ["time", f"--model={model}", "--iterations=2"]
    assert main(arguments) == 0
    ours = log_case.messages(capsys.readouterr().err)
    real = real_tool("caffe", *arguments, cwd=measured)
    assert real.returncode == 0
    number = re.compile(r"\S+(?= ms\.)|(?<=loss: )\S+")
    assert [number.sub("#", line) for line in ours] == [
        number.sub("#", line) for line in log_case.messages(real.stderr)
    ]
    conform("commands", "time", "result", 0)


def test_the_layers_times_add_up_to_the_passes(measured, capsys):
    assert main(["time", "--model=net.prototxt", "--phase=TEST", "--iterations=3"]) == 0
    text = capsys.readouterr().err
    for name, total in (("forward", "Forward"), ("backward", "Backward")):
        layers = [float(ms) for ms in re.findall(rf"\t{name}: (\S+) ms\.", text)]
        (whole,) = re.findall(rf"Average {total} pass: (\S+) ms\.", text)
        assert len(layers) == 9 and sum(layers) == pytest.approx(float(whole), rel=1e-3)
    (both,) = re.findall(r"Average Forward-Backward: (\S+) ms\.", text)
    assert float(both) >= float(whole)
    assert len(re.findall(r"Iteration: \d forward-backward time: \S+ ms\.", text)) == 3


def test_device_query_has_caffes_layout():
    """The values are made up: an attribute's own number, and yes for the two questions."""
    lines = [
        f"{label + ':':31}{value}"
        for label, value in device_query.layout(0, "GeForce", 2**30, lambda number: 1 if number in (15, 17) else number)
    ]
    assert lines == [  # the labels and their order as in src/caffe/common.cpp
        "Device id:                     0",
        "Major revision number:         75",
        "Minor revision number:         76",
        "Name:                          GeForce",
        "Total global memory:           1073741824",
        "Total shared memory per block: 8",
        "Total registers per block:     12",
        "Warp size:                     10",
        "Maximum memory pitch:          11",
        "Maximum threads per block:     1",
        "Maximum dimension of block:    2, 3, 4",
        "Maximum dimension of grid:     5, 6, 7",
        "Clock rate:                    13",
        "Total constant memory:         9",
        "Texture alignment:             14",
        "Concurrent copy and execution: Yes",
        "Number of multiprocessors:     16",
        "Kernel execution timeout:      Yes",
    ]


def test_without_a_gpu_device_query_says_so_and_fails(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert main(["device_query"]) == 1
    assert "there is no GPU: PyTorch finds no CUDA device here" in capsys.readouterr().err
    assert main(["device_query", "-gpu", "1"]) == 1
    assert "there is no GPU 1; PyTorch finds 0" in capsys.readouterr().err


@pytest.mark.gpu
def test_device_query_asks_the_driver(capsys):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    assert main(["device_query", "--gpu=0"]) == 0
    found = dict(re.findall(r"\] ([^:\n]+): +(.+)\n", capsys.readouterr().err))
    properties = torch.cuda.get_device_properties(0)
    assert found["Name"] == properties.name
    assert found["Major revision number"] == str(properties.major)
    assert found["Number of multiprocessors"] == str(properties.multi_processor_count)
    assert found["Warp size"] == "32" and found["Maximum threads per block"] == "1024"


@pytest.mark.parametrize(
    ("argv", "code", "problem"),
    [
        (["test"], 2, "Need a model definition to score"),
        (["test", "--model=net.prototxt"], 2, "Need model weights to score"),
        (["test", "--model=net.prototxt", "--weights=gone.caffemodel"], 1, "gone.caffemodel"),
        (["time"], 2, "Need a model definition to time"),
        (["time", "--model=gone.prototxt"], 1, "gone.prototxt"),
        (["time", "--model=net.prototxt", "--phase=FOO"], 2, "flag --phase is 'FOO', expected TRAIN or TEST"),
        (["time", "--model=net.prototxt", "--iterations=0"], 2, "flag --iterations is 0, expected 1 or more"),
    ],
)
def test_what_cannot_be_run_is_said_and_coded(measured, capsys, argv, code, problem):
    assert main(argv) == code
    assert problem in capsys.readouterr().err
