"""The report of a classification run: frame scores, the ROC's operating points with group intervals, the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from eval.compare import comparison
from eval.roc_evaluation import FRAME_COLUMNS, SCORE_COLUMNS, evaluate_roc, roc_points
from eval.run_results import read_result
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv, write_json
from layerwise.run_folder import TRAIN_COLUMNS
from tests.made_up_run import report, reported, run_record, train_rows
from tests.test_report import Page

CROPS = 3


def make_frames_run(root: Path, note: str = "", group_unit: str = "video") -> Path:
    """A run of `frames` and its data set under `root`: 6 videos of 12 frames, 0 and 1 train, 2 validates."""
    rng = np.random.default_rng(0)
    dataset, run = root / "data" / "frames" / "phantom-seed0-tiny", root / "runs" / "frames" / "finetune-conv4" / "r0"
    frames, scores = [], []
    for video in range(6):
        for number in range(12):
            label = number % 2
            frame = {"frame_id": f"v{video}/{number}", "group_id": f"v{video}", "label": label}
            frame |= {"split": "train" if video < 2 else "val" if video == 2 else "test"}
            path = dataset / "raw" / f"v{video}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((35, 50, 3), (40, 60, 90 + number), np.uint8))
            kind = "informative" if label else "blurred"
            frames.append({**frame, "kind": kind, "path": f"raw/{path.name}", "width_px": 50, "height_px": 35})
            centre = rng.normal(1.0 if label else -1.0, 1.0)
            if frame["split"] == "test":
                for crop in range(CROPS):
                    score = 1 / (1 + np.exp(-rng.normal(centre, 0.5)))
                    kept = {key: frame[key] for key in ("frame_id", "group_id", "label")}
                    scores.append({**kept, "key": f"{video}_{number:02d}_{crop}", "score": f"{score:.9g}"})
    write_csv(dataset / "frames" / "frames.csv", (*FRAME_COLUMNS, "width_px", "height_px"), frames)
    write_json(dataset / "frames" / "frames.json", {"note": note, "group_unit": group_unit})
    write_csv(run / "scores.csv", SCORE_COLUMNS, scores)
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(rng))
    write_json(run / "run.json", {**run_record(dataset, True), "application": "frames"})
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(run folder, what the report printed)."""
    run = make_frames_run(tmp_path_factory.mktemp("frames"), note="labels are bowel preparation scores")
    return run, reported(run)


def frame_means(run: Path) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for row in read_csv(run / "scores.csv"):
        sums.setdefault(row["frame_id"], []).append(float(row["score"]))
    return {frame: float(np.mean(values)) for frame, values in sums.items()}


def test_a_frames_score_is_the_mean_over_its_crops(made: tuple[Path, str]) -> None:
    run, _ = made
    written = {row["frame_id"]: float(row["score"]) for row in read_csv(run / "frame_scores.csv")}
    assert written == pytest.approx(frame_means(run), rel=1e-12)
    assert len(written) == 36


def test_sensitivity_is_read_at_the_papers_false_positive_rates(made: tuple[Path, str]) -> None:
    run, _ = made
    points = read_csv(run / "operating_points.csv")
    assert [float(point["false_positive_rate"]) for point in points] == [0.10, 0.15, 0.20]
    scored = [(float(row["score"]), row["label"] == "1") for row in read_csv(run / "frame_scores.csv")]
    negatives = [score for score, positive in scored if not positive]
    positives = [score for score, positive in scored if positive]
    for point in points:
        best = max(
            sum(p >= t for p in positives) / len(positives)
            for t, _ in [*scored, (2.0, False)]
            if sum(n >= t for n in negatives) / len(negatives) <= float(point["false_positive_rate"])
        )
        assert float(point["sensitivity"]) == best
        assert float(point["obtained_rate"]) <= float(point["false_positive_rate"])
        assert float(point["ci95_low"]) <= best <= float(point["ci95_high"])


def test_tables_have_the_columns_others_rely_on(made: tuple[Path, str]) -> None:
    run, _ = made
    assert list(read_csv(run / "roc.csv")[0]) == ["threshold", "false_positive_rate", "sensitivity"]
    assert list(read_csv(run / "frame_scores.csv")[0]) == ["frame_id", "group_id", "label", "kind", "score"]
    summary = read_json(run / "evaluation.json")
    assert (summary["n_groups"], summary["n_positive"], summary["n_negative"]) == (3, 18, 18)
    assert 0.5 < summary["auc_frames"] <= 1


def test_intervals_of_the_area_stand_on_the_page_and_in_evaluation_json(made: tuple[Path, str]) -> None:
    run, printed = made
    found = read_json(run / "evaluation.json")
    for low, high in found["auc_frames_ci95"].values():
        assert low < found["auc_frames"] <= high
    assert set(found["auc_frames_ci95"]) == {"delong", "obuchowski", "group"}
    assert "Obuchowski" in (run / "report.html").read_text(encoding="utf-8")
    assert "95 % obuchowski:" in printed


def test_reliability_of_frames_is_written_by_bin(made: tuple[Path, str]) -> None:
    run, _ = made
    bins = read_csv(run / "reliability.csv")
    columns = ["low", "high", "n", "mean_score", "share_positive", "ci95_group_low", "ci95_group_high"]
    assert list(bins[0]) == columns and len(bins) == 10
    scored = [(float(row["score"]), int(row["label"])) for row in read_csv(run / "frame_scores.csv")]
    assert sum(int(part["n"]) for part in bins) == len(scored)
    brier = np.mean([(score - label) ** 2 for score, label in scored])
    assert read_json(run / "evaluation.json")["brier_frames"] == pytest.approx(brier, rel=1e-12)


def test_thresholds_come_from_validation_where_the_run_kept_its_scores(made: tuple[Path, str], tmp_path: Path) -> None:
    assert not (made[0] / "transfer.csv").exists()
    run = make_frames_run(tmp_path)
    rows = [("v2/0", 0, 0.1), ("v2/0", 0, 0.3), ("v2/2", 0, 0.6), ("v2/1", 1, 0.5), ("v2/3", 1, 0.9)]
    write_csv(
        run / "val_scores.csv",
        SCORE_COLUMNS,
        (
            {"key": str(n), "group_id": "v2", "label": label, "score": score, "frame_id": frame}
            for n, (frame, label, score) in enumerate(rows)
        ),
    )
    reported(run)
    points = read_csv(run / "transfer.csv")
    # v2/0 means 0.2; the lowest threshold without a false positive, which one of two frames would be, is 0.9.
    assert {float(point["threshold"]) for point in points} == {0.9}
    assert {float(point["val_sensitivity"]) for point in points} == {0.5}
    scored = [(float(row["score"]), row["label"]) for row in read_csv(run / "frame_scores.csv")]
    positives = [score for score, label in scored if label == "1"]
    assert float(points[0]["sensitivity"]) == sum(score >= 0.9 for score in positives) / len(positives)
    assert "Thresholds chosen on validation" in (run / "report.html").read_text(encoding="utf-8")


def test_runs_of_one_set_stand_side_by_side(made: tuple[Path, str]) -> None:
    text = comparison([read_result(made[0])])
    assert "frame AUC" in text
    assert "sens. at 0.1 FPR" in text


def test_the_page_stands_alone_and_is_well_formed(made: tuple[Path, str]) -> None:
    run, printed = made
    text = (run / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert [ref for ref in page.references if not ref.startswith(("data:", "#"))] == []
    assert "data:image/png;base64," in text
    assert "Note: labels are bowel preparation scores." in text
    assert "NOTE: labels are bowel preparation scores." in printed
    assert sorted(path.name for path in (run / "figures").iterdir()) == [
        "convergence.svg",
        "reliability.svg",
        "roc.svg",
    ]
    assert "Only 3 test videos" in text
    assert "nothing says which" not in text


def test_frames_of_unknown_videos_are_called_so(tmp_path: Path) -> None:
    run = make_frames_run(tmp_path, group_unit="image")
    reported(run)
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "nothing says which video each frame is of" in text
    assert "redraws of whole images" in text


def test_a_reduced_training_set_is_named_on_the_page(tmp_path: Path) -> None:
    run = make_frames_run(tmp_path)
    write_json(run / "run.json", {**read_json(run / "run.json"), "fraction": 0.05})
    reported(run)
    assert "5 % of the training set" in (run / "report.html").read_text(encoding="utf-8")


def test_groups_of_one_frame_each_have_intervals() -> None:
    rng = np.random.default_rng(1)
    label = np.arange(60) % 2
    score = rng.normal(label, 1.0)
    (point,) = roc_points(label, score, np.arange(60), (0.2,))
    assert point.ci95_low is not None
    assert point.ci95_high is not None
    assert point.ci95_low < point.sensitivity < point.ci95_high


def test_intervals_are_wider_where_frames_of_a_video_are_alike() -> None:
    rng = np.random.default_rng(1)
    video = np.repeat(np.arange(8), 40)
    label = np.arange(320) % 2
    score = rng.normal(np.where(video % 2, 4.0, 0.0) * label, 1.0)  # every second video is easy

    def width(group: np.ndarray) -> float:
        (point,) = roc_points(label, score, group, (0.2,))
        assert point.ci95_low is not None
        assert point.ci95_high is not None
        return point.ci95_high - point.ci95_low

    assert width(video) > 1.5 * width(np.arange(320))


def change(path: Path, row: int, **values: Any) -> None:
    rows = read_csv(path)
    rows[row] |= values
    write_csv(path, list(rows[0]), rows)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frame_id": "v9/1"}, r"line 2: a crop with label 0 of frame 'v9/1', which is not in the test split"),
        ({"label": "1"}, r"line 2: a crop with label 1 of frame 'v3/0', which has label 0"),
        ({"score": "nan"}, r"line 2: score is 'nan', expected a finite number in 0 .. 1"),
        ({"key": "3_00_1"}, "is listed twice"),
    ],
)
def test_scores_that_do_not_fit_are_named(tmp_path: Path, values: dict[str, str], message: str) -> None:
    run = make_frames_run(tmp_path)
    change(run / "scores.csv", 0, **values)
    with pytest.raises(DataError, match=message):
        evaluate_roc(run / "scores.csv", tmp_path / "data" / "frames" / "phantom-seed0-tiny", (0.1,))


def test_a_frame_without_crops_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_frames_run(tmp_path)
    rows = read_csv(run / "scores.csv")
    write_csv(run / "scores.csv", SCORE_COLUMNS, rows[CROPS:])
    assert report(monkeypatch, run) == 1
    assert "1 of 36 test frames have no crop, the first is 'v3/0'" in capsys.readouterr().err
    assert not (run / "report.html").exists()
    assert not (run / "roc.csv").exists()
