"""Data layers give real Caffe's batches to the last bit, and take as many words of the random stream.

`python recaffe/tests/data_cases.py record` records what real Caffe gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import data_cases
import numpy as np
import pytest
import recaffe
import torch
from recaffe.data.shuffle import libc_random


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    data_cases.write(folder)
    return folder


@pytest.fixture(scope="module")
def found(sources: Path) -> dict[str, np.ndarray]:
    """What recaffe gives for all cases, from the state that a process begins in."""
    libc_random.seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(sources)
        return data_cases.forward(recaffe)


def _assert_bit_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    differing = [key for key, array in expected.items() if found[key].tobytes() != array.tobytes()]
    assert not differing, differing
    assert all(found[key].shape == array.shape for key, array in expected.items())


def _report(conform: Callable, column: str) -> None:
    """Enter equality into the conformance table, for each layer type and what the cases draw at random."""
    for layer, _ in data_cases.CASES.values():
        conform("layers", layer.partition('type: "')[2].partition('"')[0], column, 0)


@pytest.fixture
def expected(recorded) -> dict[str, np.ndarray]:
    """What was recorded of the cases that run here."""
    return {key: array for key, array in recorded["data_layers"].items() if key.partition("/")[0] in data_cases.CASES}


def test_batches_are_those_recorded_from_real_caffe(found, expected):
    _assert_bit_equal(found, expected)


@pytest.mark.caffe
def test_batches_are_those_of_real_caffe(found, sources: Path, real_caffe, tmp_path: Path, conform):
    script = (Path(__file__).parent / "data_cases.py").read_text().replace("__file__", repr(data_cases.__file__))
    real_caffe(script, "forward", tmp_path / "real.npz", cwd=sources)
    with np.load(tmp_path / "real.npz") as real:
        _assert_bit_equal(found, dict(real))
    _report(conform, "forward CPU")
    for row in ("crop", "mirror", "shuffle"):
        conform("streams", row, "values", 0)
    for row in ("LMDB", "LevelDB", "mean, binaryproto") if data_cases.HAS_LEVELDB else ("LMDB", "mean, binaryproto"):
        conform("files", row, "read", 0)


@pytest.mark.gpu
def test_batches_on_cuda_are_those_recorded_from_real_caffe(sources: Path, expected, monkeypatch, conform):
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    monkeypatch.chdir(sources)
    libc_random.seed(1)
    recaffe.set_mode_gpu()
    try:
        _assert_bit_equal(data_cases.forward(recaffe), expected)
    finally:
        recaffe.set_mode_cpu()
    _report(conform, "forward CUDA")
