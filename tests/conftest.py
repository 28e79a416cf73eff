"""Fixtures of the toolkit's tests: real Caffe where it can be had, and small databases of patches."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import settings
from recaffe.proto import caffe_pb2

from layerwise.engine import CaffeEngine, find_caffe_python
from layerwise.errors import EngineError

# A machine that does other work too is no failure of the property.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def caffe_engine() -> CaffeEngine:
    """The engine of real Caffe; skips, with the reason, where there is none."""
    try:
        return CaffeEngine(find_caffe_python())
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def real_caffe(caffe_engine) -> Callable[..., bytes]:
    """Run a Python script under real Caffe with arguments (turned into text); returns what it printed."""

    def run(script: str, *arguments: object) -> bytes:
        command = [str(caffe_engine.python), "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env={**os.environ, "GLOG_minloglevel": "2"}, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return done.stdout

    return run


@pytest.fixture
def blob_database() -> Callable[[Path, int, int, int], Path]:
    """Make an LMDB of (3, size, size) patches: class 1 has a bright disc on noise, class 0 has noise alone."""

    def make(path: Path, n: int, size: int, seed: int) -> Path:
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[:size, :size]
        with lmdb.open(str(path), map_size=1 << 28) as environment, environment.begin(write=True) as txn:
            for index in range(n):
                label = int(rng.integers(2))
                patch = rng.normal(110, 25, (3, size, size))
                if label:
                    centre, radius = rng.uniform(0.3, 0.7, 2) * size, rng.uniform(0.15, 0.3) * size
                    patch[:, np.hypot(rows - centre[0], columns - centre[1]) < radius] += 120
                pixels = np.clip(patch, 0, 255).astype(np.uint8)
                datum = caffe_pb2.Datum(channels=3, height=size, width=size, data=pixels.tobytes(), label=label)
                txn.put(f"{index:08d}_patch".encode(), datum.SerializeToString())
        return path

    return make
