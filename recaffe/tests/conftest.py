"""Fixtures: the modules beside the tests, real Caffe in a process of its own, and what it computed when recorded."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
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
def log_case() -> ModuleType:
    """log_case.py: a small training job and real Caffe's log of it."""
    return _module("log_case")


@pytest.fixture(scope="session")
def recorded() -> dict[str, Arrays]:
    """What real Caffe gave for each family of tests/cases and for the training case ("training"), by record.py."""
    return {path.stem: dict(np.load(path)) for path in (TESTS / "recorded").glob("*.npz")}


def _real_python() -> Path:
    """The Python that has real Caffe. Skips the test, with the reason, where there is none."""
    python = Path(os.environ.get("CAFFE_PYTHON", TESTS.parents[1] / ".caffe" / "caffe-python")).absolute()
    if not python.exists():
        pytest.skip(f"no real Caffe at {python}: run `make caffe`, or name its Python in $CAFFE_PYTHON")
    return python


_QUIET = {"GLOG_minloglevel": "2", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def real_caffe() -> Callable[..., bytes]:
    """Run a Python script under real Caffe with arguments (turned into text), in folder `cwd`; returns what it printed.

    Skips the test, with the reason, where there is no real Caffe.
    """
    python = _real_python()

    def run(script: str, *arguments: object, cwd: Path | None = None) -> bytes:
        command = [str(python), "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, cwd=cwd, env={**os.environ, **_QUIET}, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def real_tool() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`real_tool(name, *arguments, cwd=None)`: run a program of real Caffe's tools ("caffe", "extract_features", ...).

    Its log (stderr) is not quieted. Skips the test, with the reason, where there is no real Caffe.
    """
    beside = _real_python().with_name("run")

    def run(name: str, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(beside), name] if beside.exists() else [name]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment, check=False
        )

    return run


@pytest.fixture(scope="session")
def real_arrays(real_caffe, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Arrays]:
    """`real_arrays(verb, *arguments, cwd=None)`: what oracle.py's verb gives under real Caffe."""

    def run(verb: str, *arguments: object, cwd: Path | None = None) -> Arrays:
        path = tmp_path_factory.mktemp("real") / "arrays.npz"
        real_caffe((TESTS / "oracle.py").read_text(), verb, *arguments, path, cwd=cwd)
        return dict(np.load(path))

    return run


@pytest.fixture(scope="module")
def real_layers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, int], Arrays]]:
    """`real_layers(prototxt path, seed)`: oracle.py's `layer_arrays` from one real Caffe that stays up."""
    out = tmp_path_factory.mktemp("real") / "arrays.npz"
    errors = out.with_name("errors")
    command = [str(_real_python()), str(TESTS / "oracle.py"), "serve"]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **_QUIET},
            text=True,
        ) as server,
    ):
        assert server.stdin and server.stdout

        def ask(prototxt: Path, seed: int) -> Arrays:
            assert server.stdin and server.stdout
            server.stdin.write(json.dumps([str(prototxt), seed, str(out)]) + "\n")
            server.stdin.flush()
            assert server.stdout.readline() == "done\n", f"{prototxt.read_text()}\n{errors.read_text()[-3000:]}"
            with np.load(out) as arrays:
                return dict(arrays)

        yield ask
        server.stdin.close()


@pytest.fixture(scope="session")
def conform() -> Callable[[str, str, str, float], None]:
    """`conform(table, row, column, error)`: one measurement for the conformance table, see conformance.py."""
    path = os.environ.get("RECAFFE_CONFORMANCE")

    def note(table: str, row: str, column: str, error: float) -> None:
        if path:
            with Path(path).open("a") as file:
                file.write(json.dumps([table, row, column, float(error)]) + "\n")

    return note


@pytest.fixture
def gpu() -> Iterator[None]:
    """Compute on a GPU during the test; skips it where there is none."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    recaffe.set_device(0)
    recaffe.set_mode_gpu()
    yield
    recaffe.set_mode_cpu()


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
