"""The boundary to real Caffe: JSON lines to a child, tried with stand-ins for its Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from layerwise.engine import CaffeEngine, find_caffe_python, open_engine
from layerwise.errors import EngineError, UsageError

# A `caffe` with one parameter that halves at every step, and one fault that a test may choose.
STAND_IN = """
import os, sys
import numpy as np
TEST, __version__ = 1, "stand-in"
FAULT = {fault!r}
class Blob:
    def __init__(self, data): self.data = np.asarray(data, np.float32)
class SGDSolver:
    def __init__(self):
        self.iter = 0
        self.net = self
        self.blobs = {{"loss": Blob(8.0)}}
        self.params, self._layer_names = {{"fc8": [Blob([1.0])]}}, ["fc8"]
    def copy_from(self, path): print("noise on stdout")
    def step(self, n):
        self.iter += n
        self.blobs["loss"].data = self.blobs["loss"].data / 2
        if FAULT == "abort":
            sys.stderr.write("F1122 caffe.cpp:12] Check failed: the reason\\n")
            sys.stderr.flush()
            os.abort()
        if FAULT == "raise":
            raise ValueError("shapes differ")
        if FAULT == "nan":
            self.params["fc8"][0].data[:] = np.nan
            self.blobs["loss"].data = np.float32("nan")
    def snapshot(self): pass
def get_solver(path): return SGDSolver()
class Net:
    def __init__(self, *args): self.blobs = {{"data": Blob(np.zeros((2, 3, 1, 1)))}}
    def share_with(self, other): pass
    def forward(self):
        p = self.blobs["data"].data[:, 0, 0, 0] / 255
        return {{"prob": np.stack([1 - p, p], axis=1)}}
def set_mode_cpu(): pass
"""


def stand_in(tmp_path: Path, fault: str = "") -> CaffeEngine:
    """An engine whose 'Caffe' is STAND_IN under this very Python."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "caffe.py").write_text(STAND_IN.format(fault=fault))
    python = tmp_path / "caffe-python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "lib"} exec {sys.executable} -W error "$@"\n')
    python.chmod(0o755)
    return CaffeEngine(python)


@pytest.fixture
def job(tmp_path):
    import numpy as np

    patches = np.zeros((3, 3, 1, 1), np.uint8)
    patches[:, 0, 0, 0] = [0, 51, 255]
    np.save(tmp_path / "val.npy", patches)
    return {
        "solver": "s",
        "deploy": "d",
        "weights": "w",
        "restore": None,
        "max_iter": 3,
        "validate_at": [2],
        "val_patches": str(tmp_path / "val.npy"),
        "mean_bgr": [0, 0, 0],
        "snapshot_prefix": "p",
        "device": "cpu",
    }


def run(engine, job, tmp_path, replies=None):
    events = []

    def on_event(event):
        events.append(event)
        return (replies or {}).get((event["event"], event.get("iteration")))

    engine.run("train", job, on_event, tmp_path / "train.log")
    return events


def test_events_come_in_the_order_of_the_loop(tmp_path, job):
    events = run(stand_in(tmp_path), job, tmp_path)
    names = [(event["event"], event["iteration"]) for event in events]
    assert names == [("ready", 0), ("step", 1), ("step", 2), ("scores", 2), ("step", 3), ("scores", 3), ("done", 3)]
    assert [event["loss"] for event in events if event["event"] == "step"] == [4.0, 2.0, 1.0]


def test_every_patch_is_scored_once_though_the_batch_does_not_divide_them(tmp_path, job):
    events = run(stand_in(tmp_path), job, tmp_path)
    assert events[3]["scores"] == pytest.approx([0.0, 0.2, 1.0])


def test_stop_and_snapshot_are_the_drivers_decisions(tmp_path, job):
    events = run(stand_in(tmp_path), job, tmp_path, {("scores", 2): {"snapshot": True, "stop": True}})
    assert [event["event"] for event in events][-2:] == ["snapshot", "done"]
    assert events[-2]["solverstate"] == "p_iter_2.solverstate"


def test_what_caffe_prints_goes_to_the_log_not_between_events(tmp_path, job):
    run(stand_in(tmp_path), job, tmp_path)
    assert "noise on stdout" in (tmp_path / "train.log").read_text()


def test_death_of_caffe_is_an_engine_error_with_the_end_of_its_log(tmp_path, job):
    with pytest.raises(EngineError, match=r"(?s)died \(exit status -6\) during train.*Check failed: the reason"):
        run(stand_in(tmp_path, "abort"), job, tmp_path)


def test_exception_in_pycaffe_keeps_its_words(tmp_path, job):
    with pytest.raises(EngineError, match="ValueError: shapes differ"):
        run(stand_in(tmp_path, "raise"), job, tmp_path)


def test_loss_that_is_not_finite_names_the_first_bad_layer(tmp_path, job):
    with pytest.raises(EngineError, match="loss is nan at iteration 1; first bad: parameter 0 of layer 'fc8'"):
        run(stand_in(tmp_path, "nan"), job, tmp_path)


def test_error_in_the_driver_ends_the_child(tmp_path, job):
    def on_event(event):
        raise EngineError("enough")

    with pytest.raises(EngineError, match="enough"):
        stand_in(tmp_path).run("train", job, on_event, tmp_path / "train.log")


def test_missing_caffe_says_which_command_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CAFFE_PYTHON", str(tmp_path / "nowhere"))
    with pytest.raises(EngineError, match="make caffe"):
        find_caffe_python()


def test_unknown_engine_is_a_usage_error():
    with pytest.raises(UsageError, match="unknown engine 'tensorflow'"):
        open_engine("tensorflow")
