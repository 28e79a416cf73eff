"""Reports that are not of a net on frames: volumes with their own rates and pictures, and handcrafted rivals."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from layerwise.files import read_csv, read_json, write_json
from layerwise.run_folder import SCORE_COLUMNS
from tests.made_up_run import make_rival, make_run, make_volume_run, report, reported
from tests.test_report import Page
from tests.test_roc_report import make_frames_run


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(run folder, what the report printed) of a run of embolism."""
    run = make_volume_run(tmp_path_factory.mktemp("volumes"))
    return run, reported(run)


def page_of(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_volumes_are_read_at_one_to_five_false_positives_each(volumes: tuple[Path, str]) -> None:
    run, printed = volumes
    rates = [float(row["fps_per_image"]) for row in read_csv(run / "operating_points.csv")]
    assert rates == [1, 2, 3, 4, 5, np.inf]
    assert "3 groups, 3 volumes, 6 lesions" in printed
    assert "FP per volume" in printed and "frame" not in printed
    assert "volume_id" in read_csv(run / "candidate_scores.csv")[0]


def test_last_point_of_volumes_is_the_detector(volumes: tuple[Path, str]) -> None:
    """Of the emboli of three test patients, 7 to 12 of all, the 9th and 12th have no candidate: 4 of 6 can be found."""
    last = read_csv(volumes[0] / "operating_points.csv")[-1]
    assert (float(last["sensitivity"]), float(last["obtained_fps_per_image"])) == (4 / 6, 6.0)


def test_page_of_volumes_speaks_of_volumes_and_patients(volumes: tuple[Path, str]) -> None:
    text = page_of(volumes[0])
    assert "<th>patients</th><th>volumes</th>" in text
    assert "sensitivity at 2 false positives per volume" in text
    assert "at most 2 mm beside it" in text
    assert "Pulmonary embolism detection in CT angiography" in text
    assert "per frame" not in text
    assert Page(text).open == []


def test_candidates_in_volumes_are_shown_by_both_views_of_their_patch(volumes: tuple[Path, str]) -> None:
    """The made-up patch: 200 in the cross-section, which comes first, 100 along the vessel."""
    images = re.findall(r'href="data:image/png;base64,([^"]+)"', page_of(volumes[0]))
    assert images
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(images[0]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    assert pixels.shape == (16, 36)
    assert (pixels[:, :16] == 200).all() and (pixels[:, 20:] == 100).all()


def test_databases_that_are_gone_leave_the_numbers_and_a_note(tmp_path: Path) -> None:
    run = make_volume_run(tmp_path)
    shutil.rmtree(tmp_path / "data" / "embolism" / "phantom-seed0-tiny" / "patches-131")
    reported(run)
    assert "patch not at hand" in page_of(run)
    assert "data:image/png" not in page_of(run)


def test_rival_that_is_the_detector_is_drawn_once_and_its_facts_are_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    candidates = tmp_path / "data" / "polyp" / "phantom-seed0-tiny" / "candidates" / "candidates.csv"
    kept = ("group_id", "label", "candidate_id", "frame_id")
    rows = [
        {**{name: row[name] for name in kept}, "key": row["candidate_id"], "score": logistic(row["detector_score"])}
        for row in read_csv(candidates)
        if row["split"] == "test"
    ]
    make_rival(run, rows, (*SCORE_COLUMNS, "candidate_id", "frame_id"))
    printed = reported("polyp", "handcrafted", "--runs", tmp_path / "runs")
    folder = tmp_path / "runs" / "polyp" / "handcrafted" / "rival-seed0"
    text = page_of(folder)
    for shown in ("A made-up rival.", "train: frames: 7", "0.8125", "Val AUC", "9.0 s"):
        assert shown in text
    assert "What was trained" not in text and "Kept snapshot" not in text
    assert "detector's own score</text>" not in text and "score instead" not in text
    assert "patches" not in printed
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["froc.svg", "roc.svg"]
    assert Page(text).open == []


def logistic(value: str) -> float:
    return 1 / (1 + np.exp(-float(value)))


def test_rival_of_frames_has_no_crops(tmp_path: Path) -> None:
    run = make_frames_run(tmp_path)
    rows = {row["frame_id"]: {**row, "key": row["frame_id"]} for row in read_csv(run / "scores.csv")}
    folder = make_rival(run, rows.values(), (*SCORE_COLUMNS, "frame_id"))
    printed = reported(folder)
    assert "ROC area: frames" in printed
    assert "ROC area, crops" not in page_of(folder)


def test_rival_without_facts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    run = make_frames_run(tmp_path)
    rows = {row["frame_id"]: {**row, "key": row["frame_id"]} for row in read_csv(run / "scores.csv")}
    folder = make_rival(run, rows.values(), (*SCORE_COLUMNS, "frame_id"))
    record = read_json(folder / "run.json")
    del record["facts"]
    write_json(folder / "run.json", record)
    assert report(monkeypatch, folder) == 1
    assert "run.json lacks what the report shows" in capsys.readouterr().err
