"""The commands behind `make polyp-finetune-conv4`, one after the other, on the smallest phantom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.roc import auc
from layerwise.files import read_csv, read_json
from layerwise.run_folder import SCORE_COLUMNS, TRAIN_COLUMNS

ROOT = Path(__file__).parents[1]
SCHEME = ("polyp", "finetune-conv4")


class Workplace:
    """An empty folder in which commands are run as a user would from the repository's root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, module: str, *arguments: str, expect: int = 0) -> str:
        """Run `python -m module`; returns stdout and stderr together."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(workplace, run folder, what each command printed) after the whole path."""
    place = Workplace(tmp_path_factory.mktemp("place"))
    said = {"data": place.run("data_prep.polyp", "--scale", "smoke", "--workers", "1")}
    said["train"] = place.run("tools.train", *SCHEME, "--scale", "smoke", "--epochs", "1")
    said["predict"] = place.run("tools.predict", *SCHEME)
    said["report"] = place.run("eval.report", *SCHEME)
    return place, place.folder / "runs" / "polyp" / "finetune-conv4" / "recaffe-seed0", said


def test_run_folder_has_the_files_of_the_design(trained):
    _place, folder, _said = trained
    names = (
        "run.json train_val.prototxt deploy.prototxt solver.prototxt train.csv train.log best.caffemodel val_scores.csv"
    )
    names += " scores.csv froc.csv operating_points.csv candidate_scores.csv report.html figures/froc.svg"
    assert [name for name in names.split() if not (folder / name).is_file()] == []
    assert not list(folder.glob(".*"))  # nothing half-written is left


def test_tables_have_the_columns_that_others_rely_on(trained):
    _place, folder, _said = trained
    train, scores = read_csv(folder / "train.csv"), read_csv(folder / "scores.csv")
    assert tuple(train[0]) == TRAIN_COLUMNS and train[0]["iteration"] == "1"
    assert tuple(scores[0]) == (*SCORE_COLUMNS, "candidate_id", "frame_id")
    val_scores = read_csv(folder / "val_scores.csv")
    assert tuple(val_scores[0]) == tuple(scores[0])
    best = auc([int(row["label"]) for row in val_scores], [float(row["score"]) for row in val_scores])
    assert best == pytest.approx(read_json(folder / "run.json")["best_val_auc"], abs=1e-6)
    assert list(read_csv(folder / "froc.csv")[0]) == ["threshold", "fps_per_image", "sensitivity"]


def test_first_thing_said_is_that_these_are_phantom_images_and_which_weights(trained):
    _place, folder, said = trained
    assert said["train"].startswith("data     phantom-seed0-smoke (PHANTOM, synthetic images: no clinical meaning)")
    assert "weights  alexnet_half_fractal" in said["train"]
    run = read_json(folder / "run.json")
    assert run["data"]["is_phantom"] is True
    assert run["weights"]["name"] == "alexnet_half_fractal"
    assert "PHANTOM DATA" in said["report"]
    assert said["report"].splitlines()[-1] == "report: runs/polyp/finetune-conv4/recaffe-seed0/report.html"


def test_a_second_time_nothing_is_trained_or_scored_again(trained):
    place, folder, _said = trained
    before = (folder / "train.csv").stat().st_mtime_ns
    again = place.run("tools.train", *SCHEME, "--scale", "smoke", "--epochs", "1")
    assert "trained already" in again
    assert "up to date" in place.run("tools.predict", *SCHEME)
    assert (folder / "train.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("polyp", "finetune-conv9", "--scale", "smoke"), 2, "finetune-conv"),
        (("polyp", "finetune-conv4", "--scale", "smoke", "--weights", "none"), 2, "WEIGHTS=none"),
        (("polyp", "finetune-conv4", "--scale", "smoke", "--net", "alexnet"), 1, "python -m tools.fetch_model"),
        (("polyp", "finetune-conv3", "--scale", "demo"), 1, "python -m data_prep.polyp"),
        (("polyp", "finetune-conv3", "--scale", "smoke", "--resume"), 2, "nothing to resume"),
        (("polyp", "finetune-conv3", "--scale", "smoke", "--device", "gpu7"), 2, "unknown device"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(trained, arguments, code, words):
    place, _folder, _said = trained
    said = place.run("tools.train", *arguments, expect=code)
    assert words in said
    assert "Traceback" not in said


def test_missing_caffe_says_how_to_get_it(trained, monkeypatch):
    place, _folder, _said = trained
    monkeypatch.setenv("CAFFE_PYTHON", "/nowhere")
    assert "make caffe" in place.run("tools.train", *SCHEME, "--scale", "smoke", "--engine", "caffe", expect=1)
