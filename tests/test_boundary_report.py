"""The report of a run that traces boundaries, from lines drawn by hand: found lines lie a known distance off."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from eval.boundary import read_errors
from eval.boundary_errors import LINE_COLUMNS
from eval.boundary_evaluation import ROI_COLUMNS, agreement_of, errors_of, evaluate_boundaries
from eval.boundary_figures import agreement_figure, box_figure
from layerwise.files import read_csv, read_json, write_csv, write_json
from layerwise.run_folder import TRAIN_COLUMNS
from tests.made_up_run import report, reported, run_record, train_rows
from tests.test_figures import texts
from tests.test_report import Page

PIXEL_UM = 50.0
WIDTH, TOP, BOTTOM, LEFT = 8, 100, 130, 20
# Of the regions 0, 1, ... of the test split: by how many rows LI and MA are found too low.
OFF_PX = [(0.0, 1.0), (1.0, -1.0), (2.0, 2.0), (-1.0, 0.0), (0.0, 4.0)]


def make_regions_run(root: Path, off_px=OFF_PX, subject_of=("s1", "s1", "s1", "s2", "s3")) -> Path:
    """A run of intima and its data set under `root`; LI at row 110, MA at row 120, both level, and 10 rows apart.

    A region of the training split lies beside those of the test split. The lumen is black, the wall bright from LI on.
    """
    dataset = root / "data" / "intima" / "phantom-seed0-tiny"
    run = root / "runs" / "intima" / "finetune-conv4" / "r0"
    rois, expert, found = [], [], []
    for index, (off, subject) in enumerate([((0.0, 0.0), "s0"), *zip(off_px, subject_of, strict=True)]):
        roi_id = f"r{index}"
        frame = np.zeros((150, 60), np.uint8)
        frame[110:] = 200
        (dataset / "raw").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(dataset / "raw" / f"{roi_id}.png"), frame)
        rois.append(
            {"roi_id": roi_id, "group_id": subject, "split": "test" if index else "train", "pixel_um": PIXEL_UM}
            | {"path": f"raw/{roi_id}.png", "first_column_px": LEFT, "columns": WIDTH}
            | {"top_px": TOP, "bottom_px": BOTTOM}
        )
        for column in range(LEFT, LEFT + WIDTH):
            expert.append({"roi_id": roi_id, "column_px": column, "li_px": 110, "ma_px": 120})
            found.append({"roi_id": roi_id, "column_px": column, "li_px": 110 + off[0], "ma_px": 120 + off[1]})
    folder = dataset / "rois"
    write_csv(folder / "rois.csv", ROI_COLUMNS, rois)
    write_csv(folder / "boundaries.csv", LINE_COLUMNS, expert)
    write_json(folder / "rois.json", {"splits": {"test": {"observers_li_um": 17.0, "observers_ma_um": 25.0}}})
    write_csv(run / "boundaries.csv", LINE_COLUMNS, found)
    write_csv(run / "train.csv", TRAIN_COLUMNS, train_rows(np.random.default_rng(0)))
    write_json(run / "run.json", {**run_record(dataset, True), "application": "intima"})
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(run folder, what the report printed)."""
    run = make_regions_run(tmp_path_factory.mktemp("regions"))
    return run, reported(run)


def page_of(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_means_are_of_the_distances_by_hand(made: tuple[Path, str]) -> None:
    """LI: 0 1 2 1 0 rows of 50 um, mean 40. MA: 1 1 2 0 4 rows, mean 80. Thickness: 1 -2 0 1 4 rows, mean of |.| 80."""
    found = read_json(made[0] / "evaluation.json")
    assert (found["n_groups"], found["n_regions"]) == (3, 5)
    means = {name: of["mean_um"] for name, of in found["boundaries"].items()}
    assert means == pytest.approx({"LI": 40.0, "MA": 80.0, "IMT": 80.0})
    assert found["thickness"]["bias_um"] == pytest.approx(40.0)


def test_errors_csv_is_what_the_stand_alone_command_reads(made: tuple[Path, str]) -> None:
    of = read_errors(made[0] / "errors.csv")
    assert of["MA"].error_um.tolist() == [50, 50, 100, 0, 200]
    assert of["LI"].group_id.tolist() == ["s1", "s1", "s1", "s2", "s3"]


def test_limits_of_agreement_are_two_deviations_about_the_bias(made: tuple[Path, str]) -> None:
    """Thickness off by 50 -100 0 50 200 um: bias 40, SD of a sample 108.4."""
    run, _ = made
    found = read_json(run / "evaluation.json")["thickness"]
    spread = 1.96 * np.std([50, -100, 0, 50, 200], ddof=1)
    assert found["limits_low_um"] == pytest.approx(40 - spread)
    assert found["limits_high_um"] == pytest.approx(40 + spread)


def test_the_page_stands_alone_and_says_what_it_compares(made: tuple[Path, str]) -> None:
    run, printed = made
    text = page_of(run)
    page = Page(text)
    assert page.open == []
    assert [ref for ref in page.references if not ref.startswith(("data:", "#"))] == []
    assert "25.0 ± 9.9" in text and "30.6 ± 12.0" in text  # the paper's Figure 9, finetune-conv4
    assert "paper, Figure 9: 132 regions of 11 subjects, real ultrasound" in text
    assert "5 regions of 3 subjects, <strong>PHANTOM</strong>" in text
    assert "Only 3 test subjects" in text
    assert "17.0 µm (LI) and 25.0 µm (MA) apart" in text
    assert "0.947" in text  # validation AUC
    assert "whole training set" not in text
    assert "intima-media thickness, found minus expert: +40.0 um" in printed
    figures = sorted(path.name for path in (run / "figures").iterdir())
    assert figures == ["convergence.svg", "errors.svg", "thickness.svg"]


def test_worst_regions_come_first_and_at_most_two_of_a_subject(made: tuple[Path, str]) -> None:
    """Mean of both lines: r3 100, r5 100, r2 50, r1 25 (a third of s1, left out), r4 25."""
    captions = re.findall(r"region (r\d), subject (s\d)", page_of(made[0]))
    assert captions == [("r3", "s1"), ("r5", "s3"), ("r2", "s1"), ("r4", "s2")]


def test_expert_lines_lie_on_the_edge_they_trace(made: tuple[Path, str]) -> None:
    """The wall is bright from row 110 on, 10 rows below the picture's top: LI's pixels have their middle at 10.5."""
    text = page_of(made[0])
    image = re.findall(r'<image href="data:image/png;base64,([^"]+)"', text)[0]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(image), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    assert pixels.shape == (BOTTOM - TOP, WIDTH)
    assert (pixels[:10] == 0).all() and (pixels[10:] == 200).all()
    points = re.findall(r'class="trace expert" points="([^"]+)"', text)[0].split()
    assert points == [f"{column + 0.5:.1f},10.50" for column in range(WIDTH)]


def test_images_that_are_gone_leave_the_lines_and_a_note(tmp_path: Path) -> None:
    run = make_regions_run(tmp_path)
    dataset = tmp_path / "data" / "intima" / "phantom-seed0-tiny"
    (dataset / "raw").rename(dataset / "elsewhere")
    reported(run)
    assert "image not at hand" in page_of(run)
    assert 'class="trace found"' in page_of(run)


def test_a_region_without_lines_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_regions_run(tmp_path)
    rows = [row for row in read_csv(run / "boundaries.csv") if row["roi_id"] != "r2"]
    write_csv(run / "boundaries.csv", LINE_COLUMNS, rows)
    assert report(monkeypatch, run) == 1
    assert "has no boundaries of 1 of 5 test regions" in capsys.readouterr().err
    assert not (run / "errors.csv").exists()


def test_run_that_was_not_traced_is_told_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_regions_run(tmp_path)
    (run / "boundaries.csv").unlink()
    assert report(monkeypatch, run) == 1
    assert "python -m tools.predict" in capsys.readouterr().err


def test_a_reduced_run_is_not_set_beside_the_paper_as_if_it_were_whole(tmp_path: Path) -> None:
    run = make_regions_run(tmp_path)
    write_json(run / "run.json", {**read_json(run / "run.json"), "fraction": 0.01})
    reported(run)
    assert "real ultrasound, whole training set" in page_of(run)
    assert "1 % of the training set" in page_of(run)


def test_one_region_of_one_subject_has_no_spread(tmp_path: Path) -> None:
    run = make_regions_run(tmp_path, OFF_PX[:1], ("s1",))
    reported(run)
    found = read_json(run / "evaluation.json")
    assert found["thickness"]["limits_low_um"] is None
    assert found["boundaries"]["LI"]["sd_um"] is None
    assert "± –" in page_of(run)


def test_box_axis_grows_with_the_errors_and_means_stand_above(tmp_path: Path) -> None:
    run = make_regions_run(tmp_path)
    evaluation = evaluate_boundaries(
        run / "boundaries.csv", tmp_path / "data" / "intima" / "phantom-seed0-tiny" / "rois"
    )
    shown = texts(box_figure(evaluation.summaries, "PHANTOM DATA"))
    assert {"LI", "MA", "IMT", "PHANTOM DATA", "200"} <= set(shown)
    assert "40.0 ± 41.8" in shown
    assert errors_of(evaluation.errors, "LI").error_um.tolist() == [0, 50, 100, 50, 0]
    assert "bias: +40.0" in texts(agreement_figure(agreement_of(evaluation.errors), ""))
