"""What a detection run's report says in one number, and the paper's bars: those of `python -m eval.froc`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.candidates import FRAME, read_test_truth
from eval.idca import fit_idca
from layerwise.files import read_csv, read_json
from tests.made_up_run import make_run, make_volume_run, reported


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("frames"), n_groups=9, frames_per_group=10)
    reported(folder)
    return folder


def evaluation(folder: Path) -> dict[str, Any]:
    return read_json(folder / "evaluation.json")


def test_cpm_is_the_mean_over_seven_rates_of_the_curve(run: Path) -> None:
    curve = [(float(row["fps_per_image"]), float(row["sensitivity"])) for row in read_csv(run / "froc.csv")]
    at = [max((value for rate, value in curve if rate <= wanted), default=0.0) for wanted in 2.0 ** np.arange(-3, 4)]
    assert evaluation(run)["cpm"] == pytest.approx(np.mean(at))
    low, high = evaluation(run)["cpm_ci95_group"]
    assert low < evaluation(run)["cpm"] < high


def test_papers_bars_stand_beside_the_intervals_over_groups(run: Path) -> None:
    dataset = Path(read_json(run / "run.json")["data"]["dataset_dir"])
    truth = read_test_truth(dataset, FRAME)
    score = np.array([float(row["score"]) for row in read_csv(run / "candidate_scores.csv")])
    fit = fit_idca(truth.matches(score), len(truth.lesions), len(truth.images))
    low, high = evaluation(run)["idca"]["ci95"]["0.1"]
    assert (low, high) == fit.interval_at(0.1)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert f"<td>{low:.3f} to {high:.3f}</td>" in page
    assert f"<dt>CPM</dt><dd>{evaluation(run)['cpm']:.3f} (" in page


def test_every_volume_with_an_embolus_leaves_no_afroc_but_a_reason(tmp_path: Path) -> None:
    folder = make_volume_run(tmp_path)
    reported(folder)
    found = evaluation(folder)
    assert (found["afroc"], found["wafroc"]) == (None, None)
    assert any("images without lesion" in note for note in found["notes"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<dt>AFROC area</dt><dd>–:" in page and "0 images without lesion" in page
