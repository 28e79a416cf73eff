"""The study's page of boundaries and of candidates: boxes and p-values, FROC curves and bars, from made-up runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from eval.boundary import compare
from eval.judged import judged_lines
from eval.significance import significance
from eval.study import read_study
from eval.study_page import StudyPage, study_page
from layerwise.files import read_csv, read_json, write_csv, write_json
from tests.made_up_run import make_run, reported
from tests.test_boundary_report import make_regions_run
from tests.test_report import Page


def twice(run: Path, file: str, column: str, change: float) -> Path:
    """A second scheme beside `run`, whose `column` is off by up to `change`; both reported. Returns the runs folder."""
    other = run.parents[1] / "finetune-conv1" / run.name
    shutil.copytree(run, other)
    rows, rng = read_csv(run / file), np.random.default_rng(1)
    for row in rows:
        row[column] = str(np.clip(float(row[column]) + change * rng.uniform(), 0, None))
    write_csv(other / file, list(rows[0]), rows)
    write_json(other / "run.json", {**read_json(run / "run.json"), "scheme": "finetune-conv1"})
    for folder in (run, other):
        reported(folder)
    return run.parents[2]


def page_of(runs: Path) -> StudyPage:
    (study,), left_out = read_study([runs])
    return study_page(study, left_out)


def test_boundaries_have_boxes_and_the_papers_numbers_beside_ours(tmp_path: Path) -> None:
    page = page_of(twice(make_regions_run(tmp_path), "boundaries.csv", "li_px", 3.0))
    figures = {drawn.name: drawn for drawn in page.figures}
    assert set(figures) == {"depth", "fig9a", "fig9b", "fig10"}
    assert [row["boundary"] for row in figures["fig9a"].rows] == ["LI", "LI"]
    # OFF_PX moves LI by 0, 1, 2, 1 and 0 rows of 50 um.
    assert next(row for row in figures["fig9a"].rows if row["scheme"] == "finetune-conv4")["mean_um"] == pytest.approx(
        40
    )
    assert Page(page.html).open == []
    assert "LI, PHANTOM" in page.html and "24.7 ± 11.4" in page.html
    assert '<span class="paper">.5491</span>' in page.html


def test_boundaries_are_compared_by_paired_tests_over_regions(tmp_path: Path) -> None:
    (study,), _ = read_study([twice(make_regions_run(tmp_path), "boundaries.csv", "li_px", 3.0)])
    pair = next(pair for pair in significance(study).pairs if pair.column == "LI")
    deep, shallow = (
        judged_lines(study.cells[name, 1.0].runs[0]).errors_um[:, 0] for name in ("finetune-conv1", "finetune-conv4")
    )
    expected = compare(deep, shallow)
    assert (pair.first, pair.p["p_t"], pair.p["p_wilcoxon"]) == (
        "finetune-conv1",
        expected["p_t"],
        expected["p_wilcoxon"],
    )
    assert pair.better_by == pytest.approx(shallow.mean() - deep.mean())
    assert pair.by_bars is None and pair.p["p_permutation"] is None


def test_candidates_have_the_papers_axes_and_worst_errors_as_pictures(tmp_path: Path) -> None:
    run = make_run(tmp_path, n_groups=8)
    page = page_of(twice(run, "scores.csv", "score", 0.0))
    figures = {drawn.name: drawn for drawn in page.figures}
    assert set(figures) == {"depth", "curves", "fig2a", "fig2b", "fig10"}
    assert "finetune-fc8, finetune-fc7" in figures["fig2a"].caption
    assert "Table S1 by the paper" in page.html and "Worst errors at 0.1 false positives per frame" in page.html
    assert "data:image/png" in page.html
    same = [pair for pair in page.significance.pairs if pair.column == "mean sensitivity"]
    assert [(pair.better_by, pair.p["p_permutation"], pair.p["p_group_bootstrap"]) for pair in same] == [(0, 1, 1)]
