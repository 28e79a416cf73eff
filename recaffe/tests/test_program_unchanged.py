"""Programs written for pycaffe, in the ways pycaffe is used in the wild, run unchanged and print the same numbers.

The programs stand in tests/programs; what they print under real Caffe is recorded there, and compared live.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe import permissions, run
from record_programs import NAMES, PROGRAMS, RUN_ALL, words_and_numbers


def recorded(name: str) -> str:
    return (PROGRAMS / "printed" / f"{name}.txt").read_text()


def assert_same(printed: str, expected: str, tolerance: float = 1e-5) -> float:
    """Returns the largest difference of a number, relative to the largest number of its line."""
    worst = 0.0
    words, numbers = words_and_numbers(printed)
    expected_words, expected_numbers = words_and_numbers(expected)
    assert words == expected_words
    for line, found, wanted in zip(words, numbers, expected_numbers, strict=True):
        scale = max(map(abs, wanted), default=0)
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=line)
        differences = np.abs(np.subtract(found, wanted))
        worst = max(worst, differences.max(initial=0) / (scale or 1))
    return worst


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`python -m recaffe.run ARGUMENTS` within this process, in tmp_path; returns what was printed."""
    for name, value in (("meta_path", [*sys.meta_path]), ("path", [*sys.path]), ("argv", []), ("modules", sys.modules)):
        monkeypatch.setattr(sys, name, value)
    monkeypatch.setattr(permissions, "_python_layers", None)
    monkeypatch.setattr(recaffe.io, "load_image", recaffe.io.load_image)  # a program puts its own there
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def run_program(*arguments: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the programs close no file
            assert run.main(arguments) == 0
        return capsys.readouterr().out

    yield run_program
    for module in set(sys.modules) - before:
        if module.partition(".")[0] in ("caffe", "toy_layers"):
            del sys.modules[module]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "solver_wrapper"])
def test_program_prints_what_it_prints_under_real_caffe(name: str, run_here, conform):
    error = assert_same(run_here("--allow-python-layers", str(PROGRAMS / f"{name}.py")), recorded(name))
    conform("programs", name, "printed numbers", error)
    if name == "memory_data":
        conform("layers", "MemoryData", "forward CPU", error)


def test_program_with_python_layers_runs_by_command(tmp_path: Path, conform):
    command = [sys.executable, "-m", "recaffe.run", "--allow-python-layers", str(PROGRAMS / "solver_wrapper.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    error = assert_same(done.stdout, recorded("solver_wrapper"))
    conform("programs", "solver_wrapper", "printed numbers", error)
    for direction in ("forward", "backward"):
        conform("layers", "Python", f"{direction} CPU", error)


@pytest.mark.caffe
def test_real_caffe_prints_what_was_recorded(tmp_path: Path, real_caffe):
    real_caffe(RUN_ALL, PROGRAMS, *NAMES, cwd=tmp_path)
    for name in NAMES:
        assert_same((tmp_path / f"{name}.txt").read_text(), recorded(name))


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_program_prints_the_same_on_a_gpu(name: str, run_here, monkeypatch: pytest.MonkeyPatch):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    back_to_cpu = recaffe.set_mode_cpu
    monkeypatch.setattr(recaffe, "set_mode_cpu", recaffe.set_mode_gpu)
    try:
        printed = run_here("--allow-python-layers", str(PROGRAMS / f"{name}.py"))
    finally:
        back_to_cpu()
    assert_same(printed, recorded(name), tolerance=1e-3)  # cuDNN adds in another order
