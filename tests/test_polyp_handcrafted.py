"""The rival of `polyp`: the detector's own score, one row per test candidate, as the evaluation reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.polyp_candidates import CANDIDATE_COLUMNS
from eval.evaluation import evaluate
from handcrafted.polyp import rate
from handcrafted.rival import SCORES, Rated, RivalInputs
from layerwise.applications import get_application
from layerwise.files import read_csv, read_json, write_csv, write_json
from tests.made_up_run import make_run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A data set with candidates whose scores are a detector's: in [0, 1]."""
    make_run(tmp_path, n_groups=9)
    folder = tmp_path / "data" / "polyp" / "phantom-seed0-tiny"
    path = folder / "candidates" / "candidates.csv"
    rows = read_csv(path)
    order = sorted(range(len(rows)), key=lambda k: float(rows[k]["detector_score"]))
    for rank, k in enumerate(order):
        rows[k]["detector_score"] = str(rank / len(order))
    write_csv(path, CANDIDATE_COLUMNS, rows)
    record = read_json(folder / "candidates" / "detector.json")
    trained = {"groups": 2, "frames": 10, "lesions": 6}
    write_json(
        folder / "candidates" / "detector.json",
        {**record, "sha256": "5" * 64, "performance": {"train": {**trained, "sensitivity": 0.9}}},
    )
    return folder


def rated(dataset: Path) -> Rated:
    return rate(RivalInputs(dataset, dataset / "raw", dataset / "patches-131-fraction0.25", seed=0, workers=1))


def test_every_test_candidate_has_one_row_with_the_detectors_score(dataset: Path) -> None:
    answer = rated(dataset)
    own = [row for row in read_csv(dataset / "candidates" / "candidates.csv") if row["split"] == "test"]
    assert answer.file == SCORES
    assert [(row["key"], row["frame_id"], row["group_id"], str(row["label"])) for row in answer.rows] == [
        (row["candidate_id"], row["frame_id"], row["group_id"], row["label"]) for row in own
    ]
    assert [float(row["score"]) for row in answer.rows] == [
        pytest.approx(float(row["detector_score"]), rel=1e-8) for row in own
    ]
    assert all(tuple(row) == answer.columns for row in answer.rows)


def test_its_curve_is_the_detectors_own(dataset: Path, tmp_path: Path) -> None:
    answer = rated(dataset)
    write_csv(tmp_path / "scores.csv", answer.columns, answer.rows)
    found = evaluate(tmp_path / "scores.csv", dataset, get_application("polyp"))
    assert found.froc.sensitivity.tolist() == found.detector_froc.sensitivity.tolist()
    assert found.froc.fps_per_image.tolist() == found.detector_froc.fps_per_image.tolist()


def test_its_facts_say_what_it_was_fitted_on_and_how_good_it_is_on_val(dataset: Path) -> None:
    facts = rated(dataset).facts
    assert facts["fitted_on"] == {"train": {"groups": 2, "frames": 10, "lesions": 6}}
    assert facts["detector_sha256"] == "5" * 64
    val = [row for row in read_csv(dataset / "candidates" / "candidates.csv") if row["split"] == "val"]
    positive, negative = (
        [float(row["detector_score"]) for row in val if row["label"] == label] for label in ("1", "0")
    )
    won = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    assert facts["val_auc"] == pytest.approx(won / (len(positive) * len(negative)))


def test_without_a_val_split_there_is_no_area(dataset: Path) -> None:
    path = dataset / "candidates" / "candidates.csv"
    write_csv(path, CANDIDATE_COLUMNS, [row for row in read_csv(path) if row["split"] != "val"])
    assert rated(dataset).facts["val_auc"] is None
