"""The pages over many runs, from drawn studies and from made-up runs of frames: what they show is what was counted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from eval.convergence import convergence
from eval.filters import draw_filters, read_filters
from eval.froc import froc_curve
from eval.judged import JudgedScores, judged_scores
from eval.paper_bars import paper_bars, verdict_by_bars
from eval.paper_tables import NOT_SIGNIFICANT, paper_cell
from eval.results import main as results_main
from eval.roc_evaluation import roc_matches
from eval.significance import significance, smallest_p
from eval.significance_tables import against, p_text, triangles
from eval.study import ApplicationStudy, read_study
from eval.study_curves import corners
from eval.study_page import recommended
from eval.study_report import main
from layerwise.applications import APPLICATIONS
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_bytes, write_csv, write_json
from layerwise.schemes import HANDCRAFTED
from tests.made_up_run import make_rival, reported
from tests.test_report import Page
from tests.test_results import drawn_study, rising
from tests.test_roc_report import make_frames_run

SHIFTS = {"finetune-fc8": -0.8, "finetune-conv1": 0.0, "scratch-xavier": -1.5}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds `runs` and `reports` of frames: three nets, one also on 5 % of the data, and a rival."""
    root = tmp_path_factory.mktemp("study")
    made = make_frames_run(root)
    for scheme, shift in SHIFTS.items():
        write_scheme(made, scheme, shift, "recaffe-seed0", 1.0)
    write_scheme(made, "finetune-conv1", -1.0, "recaffe-seed0-fraction0.05", 0.05)
    rival = make_rival(made, read_csv(made / "scores.csv"), list(read_csv(made / "scores.csv")[0]))
    shutil.rmtree(made)
    made.parent.rmdir()
    for run in [*sorted(root.glob("runs/frames/*/recaffe-*")), rival]:
        reported(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["eval.study_report", "--runs", str(root / "runs"), "--out", str(root / "reports")])
        assert main() == 0
    return root


def write_scheme(made: Path, scheme: str, shift: float, name: str, fraction: float) -> None:
    """A copy of `made` whose positive crops score lower by `-shift` on the logit scale, with filters of its own."""
    folder = made.parents[1] / scheme / name
    shutil.copytree(made, folder)
    rows = read_csv(made / "scores.csv")
    for row in rows:
        odds = np.log(float(row["score"]) / (1 - float(row["score"]))) + shift * int(row["label"])
        row["score"] = str(1 / (1 + np.exp(-odds)))
    write_csv(folder / "scores.csv", list(rows[0]), rows)
    weights = str(made.parents[1] / "source.caffemodel")
    record = read_json(folder / "run.json")
    record |= {"scheme": scheme, "fraction": fraction, "weights": {**record["weights"], "path": weights}}
    write_json(folder / "run.json", record)
    write_caffemodel(Path(weights), 1.0)
    write_caffemodel(folder / "best.caffemodel", 1.5)


def write_caffemodel(path: Path, factor: float, channels: int = 3) -> None:
    net = caffe_pb2.NetParameter(name="drawn")
    blob = net.layer.add(name="conv1", type="Convolution").blobs.add()
    blob.shape.dim.extend((10, channels, 5, 5))
    blob.data.extend((factor * np.sin(np.arange(10 * channels * 25))).tolist())
    write_bytes(path, net.SerializeToString())


def page_of(pages: Path) -> str:
    return (pages / "reports" / "frames" / "report.html").read_text(encoding="utf-8")


def study_of(pages: Path) -> ApplicationStudy:
    (study,), _ = read_study([pages / "runs"])
    return study


def test_page_stands_alone_and_says_that_its_data_are_phantoms(pages: Path) -> None:
    text = page_of(pages)
    assert Page(text).open == []
    assert 'class="banner phantom"' in text
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "<script" not in text


def test_numbers_of_the_page_are_those_of_the_results(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = pages / "results.md"
    monkeypatch.setattr(sys, "argv", ["eval.results", str(pages / "runs"), "--markdown", str(target)])
    assert results_main() == 0
    rows = [line.strip("| ").split(" | ") for line in target.read_text(encoding="utf-8").splitlines() if " | " in line]
    text = page_of(pages)
    cells = [
        cell.replace("**", "") for row in rows if row[0].strip("*").startswith(("finetune", "scratch")) for cell in row
    ]
    assert len(cells) > 30
    assert [cell for cell in cells if f"<td>{cell}</td>" not in text] == []


def test_what_has_no_run_is_named_in_the_captions(pages: Path) -> None:
    text = page_of(pages)
    assert "Not drawn, as there is no run: finetune-conv5." in text
    assert "scratch-xavier with 5 %" in text
    assert "No run: scratch-gaussian, scratch-msra." in text


def test_figures_have_their_numbers_beside_them(pages: Path) -> None:
    folder = pages / "reports" / "frames" / "figures"
    names = {path.stem for path in folder.glob("*.svg")}
    assert names == {"depth", "curves", "fig6a", "fig6b", "fig10"} == {path.stem for path in folder.glob("*.csv")}
    bars = [row for row in read_csv(folder / "fig6a.csv") if row["what"] == "bar" and row["scheme"] == "finetune-fc8"]
    sample = study_of(pages).cells["finetune-fc8", 1.0].sample
    assert [float(row["sensitivity"]) for row in bars] == sample.values[:3].tolist()
    assert {row["scheme"] for row in read_csv(folder / "fig10.csv")} == set(SHIFTS)


def test_best_run_brings_its_worst_errors_and_the_weights_their_filters(pages: Path) -> None:
    text = page_of(pages)
    assert "Worst errors at a false positive rate of 0.1" in text
    assert text.count('alt="10 filters of conv1') == 3
    assert "moved by 50.0 % of the source" in text


def test_page_over_all_applications_links_to_each_and_names_the_absent(pages: Path) -> None:
    text = (pages / "reports" / "report.html").read_text(encoding="utf-8")
    assert Page(text).open == []
    assert 'href="frames/report.html"' in text
    assert "No run of: polyp, embolism, intima." in text


def test_pairs_stand_in_a_table_with_every_test(pages: Path) -> None:
    rows = read_csv(pages / "reports" / "frames" / "significance.csv")
    assert len(rows) == 6 * 4  # four schemes, three rates and their mean
    study = study_of(pages)
    for row in rows:
        values = [study.cells[row[name], 1.0].sample.headline for name in ("first", "second")]
        if row["column"] == "mean sensitivity":
            assert float(row["better_by"]) == pytest.approx(values[0] - values[1])
            assert float(row["p_permutation"]) >= smallest_p(3)
        assert float(row["p_permutation_holm"]) >= float(row["p_permutation"])


def test_no_run_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["eval.study_report", "polyp", "--runs", str(tmp_path)])
    assert main() == 2


def test_page_opens_in_a_browser_to_its_end(pages: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    page = (pages / "reports" / "frames" / "report.html").as_uri()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={pages / 'profile'}"]
    shown = subprocess.run([browser, *options, page], capture_output=True, text=True, check=True, timeout=120).stdout
    assert 'id="provenance"' in shown and shown.index('id="runs"') > shown.index('id="cost-table"')
    assert shown.count("<svg") >= 5


def test_recommended_is_the_best_depth_and_enough_the_shallowest_that_is_level_with_it() -> None:
    wide = recommended(drawn_study("polyp", rising(0.05)))
    assert wide is not None and (wide.best, wide.enough) == ("finetune-conv1", "finetune-conv1")
    level = recommended(drawn_study("polyp", {"finetune-fc8": 0.2, "finetune-fc7": 0.499, "finetune-conv1": 0.5}))
    assert level is not None and (level.best, level.enough) == ("finetune-conv1", "finetune-fc7")
    assert recommended(drawn_study("polyp", {"finetune-fc8": 0.2})) is None


def drawn_scores(gap: float, n: int = 400) -> JudgedScores:
    rng = np.random.default_rng(0)
    label, group = np.arange(n) % 2, np.arange(n) // 2 % 8
    matches, positives, negatives = roc_matches(label, rng.normal(gap * label), group)
    return JudgedScores(tuple(map(str, range(n))), matches, group, positives, negatives)


def test_papers_bars_of_a_roc_curve_hold_the_truth_of_drawn_scores() -> None:
    """Normal scores a gap apart: the true positive rate at 0.1 is Phi(gap - 1.2816)."""
    (bar,), reason = paper_bars(drawn_scores(2.0), (0.1,), is_froc=False)
    assert reason == "" and bar is not None
    assert bar[0] < 0.7638 < bar[1]
    assert bar[1] - bar[0] < 0.2


def test_curves_differ_by_the_papers_rule_where_bars_do_not_overlap() -> None:
    (low,), _ = paper_bars(drawn_scores(0.5), (0.1,), is_froc=False)
    (high,), _ = paper_bars(drawn_scores(2.5), (0.1,), is_froc=False)
    assert (verdict_by_bars(high, low), verdict_by_bars(low, high)) == ("ahead", "behind")
    assert verdict_by_bars((0.1, 0.5), (0.5, 0.7)) == "level"
    assert verdict_by_bars(None, low) is None


def test_scores_that_determine_no_curve_have_no_bars_but_a_reason() -> None:
    bars, reason = paper_bars(drawn_scores(50.0), (0.1,), is_froc=False)
    assert bars == [None] and "do not overlap" in reason


def test_corners_of_a_curve_read_as_the_curve() -> None:
    judged = drawn_scores(1.0)
    curve = froc_curve(judged.matches, judged.n_lesions, judged.n_images)
    rate, value = corners(curve)
    assert len(rate) < len(curve.fps_per_image)
    for at in np.linspace(0, 1, 50):
        inside = [v for r, v in zip(rate, value, strict=True) if r <= at]
        index = curve.index_at(at)
        assert (inside[-1] if inside else 0.0) == (0.0 if index is None else curve.sensitivity[index])


def test_papers_tables_are_asked_by_our_names() -> None:
    assert paper_cell("polyp", "", "finetune-conv1", "finetune-conv3") == "0.001 0.01"
    assert paper_cell("polyp", "", "finetune-conv1", "finetune-conv2") == NOT_SIGNIFICANT
    assert paper_cell("embolism", "", "finetune-conv1", "finetune-fc6") == "3"
    assert paper_cell("intima", "LI", "scratch-msra", "finetune-fc6") == ".7829"
    assert paper_cell("intima", "MA", HANDCRAFTED, "finetune-fc8") == ".5109"
    assert paper_cell("polyp", "", "scratch-msra", "scratch-xavier") == ""


def test_triangle_has_every_pair_once_and_the_best_stands_first_in_its_own_table(pages: Path) -> None:
    study = study_of(pages)
    found = significance(study, n_exchanges=50)
    rule, *tests = triangles(study, found)
    assert rule.heads == ("fc8", "conv1", "xavier") and [name for name, _ in rule.rows] == [
        "conv1",
        "xavier",
        HANDCRAFTED,
    ]
    assert [sum(not cell.is_empty for cell in cells) for _, cells in rule.rows] == [1, 2, 3]
    assert len(tests) == 2
    own = against(study, found, "finetune-fc8")
    assert [pair.first for pair in own] == ["finetune-fc8"] * 3
    behind = next(pair for pair in own if pair.second == "finetune-conv1")
    low, high = behind.ci95
    assert behind.better_by < 0 and low is not None and high is not None and low <= behind.better_by <= high


def test_p_values_are_printed_as_the_paper_prints_them() -> None:
    assert [p_text(p) for p in (0.00001, 0.0234, 1.0, None)] == ["<.0001", ".0234", "1.0000", "–"]


def test_nearly_converged_is_at_95_percent_of_what_was_kept(pages: Path) -> None:
    run = study_of(pages).cells["finetune-conv1", 1.0].runs[0]
    found = convergence(run)
    at = found.curve.validated.tolist().index(found.iterations_nearly)
    assert found.curve.val_auc[at] >= 0.95 * found.kept_auc > found.curve.val_auc[at - 1]
    assert found.seconds_nearly == pytest.approx(found.iterations_nearly * 64 / 120)


def test_each_filter_is_stretched_to_its_own_range() -> None:
    weights = np.zeros((9, 3, 5, 5), np.float32)
    weights[0, 2, 0, 0], weights[8, 0, 0, 0] = 0.01, 100.0
    page = draw_filters(weights)
    assert page[0, 0].tolist() == [0, 0, 255] and page[22, 0].tolist() == [255, 0, 0]
    assert page.shape == (2 * 22 - 2, 8 * 22 - 2, 3)


def test_filters_that_are_not_of_colours_are_refused(tmp_path: Path) -> None:
    write_caffemodel(tmp_path / "grey.caffemodel", 1.0, channels=1)
    with pytest.raises(DataError, match="expected filters of three channels"):
        read_filters(tmp_path / "grey.caffemodel")


def test_scores_of_a_run_are_read_once_for_curves_and_measures(pages: Path) -> None:
    run = study_of(pages).cells["finetune-conv1", 1.0].runs[0]
    judged = judged_scores(run, APPLICATIONS["frames"])
    assert (judged.n_lesions, judged.n_images, len(judged.images_per_group)) == (18, 18, 3)
