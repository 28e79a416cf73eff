"""Fixtures: the modules beside the tests, real Caffe in a process of its own, and what it computed when recorded."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

# pytest names this file recaffe.tests.conftest and takes the folder recaffe/ for that package: give the name back.
if getattr(sys.modules.get("recaffe"), "__file__", None) is None:
    sys.modules.pop("recaffe", None)
import recaffe

TESTS = Path(__file__).resolve().parent
Arrays = dict[str, np.ndarray]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recaffe_tests_{name}", TESTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """oracle.py: the lines that both engines run."""
    return _module("oracle")


@pytest.fixture(scope="session")
def training_case() -> ModuleType:
    """training_case.py: a small study on a made-up database."""
    return _module("training_case")


@pytest.fixture(scope="session")
def recorded() -> dict[str, Arrays]:
    """What real Caffe gave for tests/cases ("layers") and the training case ("training"), by record.py."""
    return {path.stem: dict(np.load(path)) for path in (TESTS / "recorded").glob("*.npz")}


@pytest.fixture(scope="session")
def real_caffe() -> Callable[..., bytes]:
    """Run a Python script under real Caffe with arguments (turned into text), in folder `cwd`; returns what it printed.

    Skips the test, with the reason, where there is no real Caffe.
    """
    python = Path(os.environ.get("CAFFE_PYTHON", TESTS.parents[1] / ".caffe" / "caffe-python")).absolute()
    if not python.exists():
        pytest.skip(f"no real Caffe at {python}: run `make caffe`, or name its Python in $CAFFE_PYTHON")

    def run(script: str, *arguments: object, cwd: Path | None = None) -> bytes:
        environment = {**os.environ, "GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}
        command = [str(python), "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, cwd=cwd, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def real_arrays(real_caffe, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Arrays]:
    """`real_arrays(verb, *arguments, cwd=None)`: what oracle.py's verb gives under real Caffe."""

    def run(verb: str, *arguments: object, cwd: Path | None = None) -> Arrays:
        path = tmp_path_factory.mktemp("real") / "arrays.npz"
        real_caffe((TESTS / "oracle.py").read_text(), verb, *arguments, path, cwd=cwd)
        return dict(np.load(path))

    return run


@pytest.fixture
def make_net(tmp_path: Path) -> Callable[..., recaffe.Net]:
    """`make_net(prototxt text, phase=TRAIN)`: the net, with the random stream at seed 7."""

    def make(text: str, phase: int = recaffe.TRAIN, **options: Any) -> recaffe.Net:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        recaffe.set_random_seed(7)
        return recaffe.Net(str(path), phase, **options)

    return make


@pytest.fixture
def make_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`make_solver(net text, options)`: the solver of a net in tmp_path, which becomes the working directory."""

    def make(net: str, options: str) -> Any:
        monkeypatch.chdir(tmp_path)
        Path("net.prototxt").write_text(net)
        Path("solver.prototxt").write_text(
            f'net: "net.prototxt" snapshot_prefix: "{tmp_path}/snap" random_seed: 1 {options}\n'
        )
        return recaffe.get_solver("solver.prototxt")

    return make
