"""One loop, two engines: equal weights, database and seed give the same run on recaffe and on real Caffe."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from data_prep.lmdb_reader import export_patches
from eval.roc import auc
from layerwise.applications import get_application
from layerwise.engine import RecaffeEngine
from layerwise.nets import MEAN_BGR, NetRecord
from layerwise.schemes import get_scheme
from prototxt.generate import write_run_prototxt

# AlexNet's layers, thin and on small patches, so that real Caffe takes a second.
WIDTHS = {"conv1": 8, "conv2": 16, "conv3": 16, "conv4": 16, "conv5": 16, "fc6": 32, "fc7": 32}
TINY = NetRecord("tiny", "thin AlexNet", 67, WIDTHS, train_batch=16, val_batch=10)
N_TRAIN, N_VAL, ITERATIONS = 160, 45, 24


@dataclass
class Recorder:
    """Collects what a worker says, and has one iteration snapshotted."""

    snapshot_at: int = ITERATIONS
    losses: list[float] = field(default_factory=list)
    scores: dict[int, list[float]] = field(default_factory=dict)
    snapshot: dict[str, str] = field(default_factory=dict)

    def __call__(self, event):
        if event["event"] == "step":
            self.losses.append(event["loss"])
        elif event["event"] == "scores":
            self.scores[event["iteration"]] = event["scores"]
            return {"snapshot": event["iteration"] == self.snapshot_at}
        elif event["event"] == "snapshot":
            self.snapshot = event
        return {}


@pytest.fixture
def jobs(tmp_path, blob_database):
    """Function from (scheme, name of the run, weights) to a training job of `pycaffe_worker` on TINY."""
    train = blob_database(tmp_path / "train_lmdb", N_TRAIN, TINY.input_size, seed=1)
    val = blob_database(tmp_path / "val_lmdb", N_VAL, TINY.input_size, seed=2)
    export_patches(val, tmp_path / "val.npy")

    def make(scheme, name, weights=None):
        folder = tmp_path / name
        folder.mkdir()
        application = get_application("polyp")
        files = write_run_prototxt(
            folder, application, get_scheme(scheme), TINY, train, val, N_TRAIN, N_VAL, 16, 2.4, 3, folder / "snap"
        )
        assert files.max_iter == ITERATIONS
        return {
            "solver": str(files.solver),
            "deploy": str(files.deploy),
            "weights": weights,
            "restore": None,
            "max_iter": files.max_iter,
            "validate_at": [1, 5, 10, 15, 20],
            "val_patches": str(tmp_path / "val.npy"),
            "mean_bgr": MEAN_BGR,
            "snapshot_prefix": str(folder / "snap"),
            "device": "cpu",
        }

    return make


def train(engine, job, tmp_path):
    recorder = Recorder()
    engine.run("train", job, recorder, tmp_path / f"{engine.name}.log")
    return recorder


@pytest.mark.caffe
@pytest.mark.parametrize("scheme", ["finetune-conv4", "finetune-conv1"])
def test_engines_agree_on_losses_and_validation_auc(tmp_path, jobs, caffe_engine, scheme):
    source = train(RecaffeEngine(), jobs("scratch-msra", "source"), tmp_path).snapshot["caffemodel"]
    ours = train(RecaffeEngine(), jobs(scheme, "ours", source), tmp_path)
    theirs = train(caffe_engine, jobs(scheme, "theirs", source), tmp_path)
    assert ours.losses[0] == pytest.approx(theirs.losses[0], rel=1e-4)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=2e-2)
    _keys, labels = export_patches(tmp_path / "val_lmdb", tmp_path / "again.npy")
    assert set(ours.scores) == {1, 5, 10, 15, 20, ITERATIONS}
    for iteration, scores in ours.scores.items():
        assert auc(labels, scores) == pytest.approx(auc(labels, theirs.scores[iteration]), abs=0.01)


@pytest.mark.caffe
def test_real_caffe_predicts_with_our_snapshot_what_we_predict(tmp_path, jobs, caffe_engine):
    job = jobs("scratch-msra", "ours")
    trained = train(RecaffeEngine(), job, tmp_path)
    predict = {**job, "weights": trained.snapshot["caffemodel"], "patches": job["val_patches"]}
    scores = {}
    for engine in (RecaffeEngine(), caffe_engine):
        events = []
        engine.run("predict", predict, events.append, tmp_path / "predict.log")
        scores[engine.name] = np.concatenate([e["scores"] for e in events if e["event"] == "scores"])
    assert len(scores["caffe"]) == N_VAL
    np.testing.assert_allclose(scores["recaffe"], scores["caffe"], atol=1e-5)


def test_training_finds_the_disc(tmp_path, jobs):
    trained = train(RecaffeEngine(), jobs("scratch-msra", "ours"), tmp_path)
    _keys, labels = export_patches(tmp_path / "val_lmdb", tmp_path / "again.npy")
    assert auc(labels, trained.scores[ITERATIONS]) > 0.8


def test_resumed_run_is_the_uninterrupted_one_to_the_last_bit(tmp_path, jobs):
    whole = train(RecaffeEngine(), jobs("scratch-msra", "whole"), tmp_path)
    job = jobs("scratch-msra", "interrupted")
    first = Recorder(snapshot_at=10)
    RecaffeEngine().run("train", {**job, "max_iter": 10}, first, tmp_path / "first.log")
    rest = train(RecaffeEngine(), {**job, "restore": first.snapshot["solverstate"]}, tmp_path)
    assert first.losses + rest.losses == whole.losses
    assert rest.scores[ITERATIONS] == whole.scores[ITERATIONS]
