"""Fillers: against small cases by hand, and live against real Caffe to the last bit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from recaffe.fillers import FillerError, fill
from recaffe.proto import caffe_pb2, text
from recaffe.random_stream import RandomStream


def _filler(content: str) -> caffe_pb2.FillerParameter:
    return text.parse(content, caffe_pb2.FillerParameter)


def test_constant_fills_without_taking_words():
    stream = RandomStream(1)
    values = fill(_filler("value: 0.1"), (2, 3), stream)
    assert values.dtype == np.float32 and values.tolist() == [[np.float32(0.1)] * 3] * 2
    assert stream.word() == RandomStream(1).word()


@pytest.mark.parametrize(
    ("variance_norm", "n"), [("FAN_IN", 3 * 5 * 5), ("FAN_OUT", 8 * 5 * 5), ("AVERAGE", (3 + 8) / 2 * 25)]
)
def test_variance_norm_sets_the_width(variance_norm: str, n: float):
    shape = (8, 3, 5, 5)
    xavier = fill(_filler(f'type: "xavier" variance_norm: {variance_norm}'), shape, RandomStream(2))
    assert 0.95 * math.sqrt(3 / n) < np.abs(xavier).max() <= math.sqrt(3 / n) * (1 + 1e-6)
    msra = fill(_filler(f'type: "msra" variance_norm: {variance_norm}'), shape, RandomStream(2))
    assert msra.std() == pytest.approx(math.sqrt(2 / n), rel=0.1)


def test_sparse_gaussian_keeps_that_many_per_output():
    values = fill(_filler('type: "gaussian" sparse: 10'), (50, 2000), RandomStream(3))
    assert (values != 0).mean() == pytest.approx(10 / 50, rel=0.02)


def test_positive_unitball_rows_sum_to_one():
    rows = fill(_filler('type: "positive_unitball"'), (4, 3, 5), RandomStream(3)).reshape(4, -1)
    assert (rows > 0).all() and rows.sum(axis=1) == pytest.approx(1)


def test_bilinear_kernel_is_the_one_that_doubles_an_image():
    values = fill(_filler('type: "bilinear"'), (2, 1, 4, 4), RandomStream(3))
    line = np.array([0.25, 0.75, 0.75, 0.25])
    assert np.array_equal(values, np.broadcast_to(np.outer(line, line), (2, 1, 4, 4)))


@pytest.mark.parametrize(
    ("content", "shape", "problem"),
    [
        ('type: "xaver"', (2, 2), "unknown filler 'xaver'; the nearest is 'xavier'"),
        ('type: "xavier"', (2, 0), r"an array of shape \(2, 0\) has nothing to fill"),
        ('type: "msra" sparse: 3', (2, 2), "only gaussian can be sparse"),
        ('type: "gaussian" sparse: 3', (2, 2), "probability of 1.5"),
        ('type: "gaussian" std: 0', (2, 2), r"filler 'gaussian' of shape \(2, 2\): .* std 0"),
        ('type: "uniform" min: 2', (2, 2), "lower end must not be above"),
        ('type: "bilinear"', (2, 1, 3, 4), "expected four axes, the last two of one size"),
    ],
)
def test_what_cannot_be_filled_is_refused(content: str, shape: tuple[int, ...], problem: str):
    with pytest.raises(FillerError, match=problem):
        fill(_filler(content), shape, RandomStream(1))


CASES = [
    ('type: "gaussian" std: 0.01', (300, 1000)),
    ('type: "gaussian" std: 0.3 mean: -2', (300, 7)),
    ('type: "gaussian" std: 0.1 sparse: 15', (64, 500)),
    ('type: "gaussian" sparse: 0', (4, 4)),
    ('type: "uniform" min: -3 max: 0.7', (100, 1000)),
    ('type: "uniform" min: 2 max: 2', (100,)),
    ('type: "xavier"', (96, 3, 11, 11)),
    ('type: "xavier" variance_norm: FAN_OUT', (5000,)),
    ('type: "xavier" variance_norm: AVERAGE', (50, 20, 5, 5)),
    ('type: "msra" variance_norm: FAN_OUT', (96, 48, 5, 5)),
    ('type: "msra" variance_norm: AVERAGE', (96, 48, 5, 5)),
    ('type: "positive_unitball"', (33, 777)),
    ('type: "bilinear"', (2, 3, 7, 7)),
    ('type: "bilinear"', (2, 1, 4, 4)),
    ("value: 0.1", (3, 3)),
]


@pytest.mark.caffe
def test_every_filler_is_real_caffes_to_the_last_bit(tmp_path: Path, real_caffe, conform):
    net = caffe_pb2.NetParameter()
    for index, (content, shape) in enumerate(CASES):
        layer = net.layer.add(name=f"p{index}", type="DummyData", top=[f"p{index}"])
        layer.dummy_data_param.shape.add(dim=shape)
        layer.dummy_data_param.data_filler.append(_filler(content))
    (tmp_path / "net.prototxt").write_text(text.format(net))
    script = """
import sys, numpy, caffe
net = caffe.Net(sys.argv[1], caffe.TRAIN)
caffe.set_random_seed(11)  # random fillers of DummyData draw at each forward pass, in the order of the layers
net.forward()
numpy.savez(sys.argv[2], **{name: blob.data for name, blob in net.blobs.items()})
"""
    real_caffe(script, tmp_path / "net.prototxt", tmp_path / "real.npz")
    stream = RandomStream(11)
    with np.load(tmp_path / "real.npz") as real:
        for index, (content, shape) in enumerate(CASES):
            ours = fill(_filler(content), shape, stream)
            assert ours.tobytes() == real[f"p{index}"].tobytes(), content
            conform("fillers", _filler(content).type, "values", 0)
