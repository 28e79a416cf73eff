"""The study's tables and findings, from samples drawn by hand and from run folders of made-up frames."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.findings import findings
from eval.measured import Sample, yardstick_of
from eval.overall import overall
from eval.results import BEGIN, END, main, put_between
from eval.results_table import caution, main_table, missing_runs, provenance, reduced_table
from eval.run_results import RunResult
from eval.study import ApplicationStudy, Cell, read_study
from layerwise.applications import APPLICATIONS
from layerwise.errors import DataError
from layerwise.files import read_json, write_csv, write_json
from layerwise.schemes import HANDCRAFTED, SCHEMES
from tests.made_up_run import run_record

N = 100  # redraws of the drawn studies
WOBBLE = np.sin(np.arange(N))  # what every redraw does to every scheme alike


def drawn_study(application: str, headlines: dict[str, float], reduced: dict[tuple[str, float], float] | None = None):
    """Each scheme has its headline, moved in every redraw by 0.1 as all are, and by 0.01 of its own."""
    cells = {}
    everything = {**{(scheme, 1.0): value for scheme, value in headlines.items()}, **(reduced or {})}
    columns = yardstick_of(APPLICATIONS[application]).columns
    for index, ((scheme, fraction), value) in enumerate(everything.items()):
        replicates = value + 0.1 * WOBBLE + 0.01 * np.cos(np.arange(N) * (index + 2))
        both = Sample(("x",), 7, np.full(len(columns) + 1, value), np.column_stack([replicates] * (len(columns) + 1)))
        cells[scheme, fraction] = Cell((drawn_run(scheme, fraction),), both)
    return ApplicationStudy(APPLICATIONS[application], yardstick_of(APPLICATIONS[application]), cells)


def drawn_run(scheme: str, fraction: float) -> RunResult:
    is_net = scheme != HANDCRAFTED
    record = run_record(Path("data/polyp/phantom-seed0-demo"), True)
    return RunResult(
        Path("runs/x"), "polyp", scheme, "recaffe" if is_net else "scikit-learn", "alexnet_half" if is_net else None, 0,
        fraction, "data/x", "a", True, 40, 0.9 if is_net else None, {"candidate AUC": 0.8}, record,
    )  # fmt: skip


def texts(study: ApplicationStudy) -> dict[str, str]:
    return {finding.question: finding.text for finding in findings(study)}


DEPTHS = [name for name in SCHEMES if name.startswith("finetune")]  # fc8 first


def rising(step: float) -> dict[str, float]:
    return {name: 0.3 + step * index for index, name in enumerate(DEPTHS)}


def test_deeper_is_better_agrees_with_the_paper_on_polyps() -> None:
    text = texts(drawn_study("polyp", rising(0.05)))["depth"]
    assert text.startswith("Best depth: finetune-conv1, mean sensitivity 0.650.")
    assert "best depth in 100 % of the redraws" in text
    assert "finetune-conv1 is ahead of finetune-fc8 by 0.350 (0.3" in text
    assert "finetune-conv1 is ahead of the best other, finetune-conv3, by 0.100" in text
    assert text.endswith("significant. This agrees.")


def test_shallow_is_best_contradicts_the_paper_on_polyps() -> None:
    text = texts(drawn_study("polyp", rising(-0.02)))["depth"]
    assert text.startswith("Best depth: finetune-fc8")
    assert "finetune-conv2 is behind the best other, finetune-fc8, by 0.120 (0." in text
    assert text.endswith("significant. This contradicts it.")


def test_depths_that_hardly_differ_confirm_nothing() -> None:
    text = texts(drawn_study("polyp", rising(0.0001)))["depth"]
    assert "not significant" in text
    assert text.endswith("This neither confirms nor refutes it.")


def test_of_errors_in_um_the_smallest_is_best() -> None:
    study = drawn_study("intima", {"finetune-fc8": 90.0, "finetune-conv5": 30.0, HANDCRAFTED: 95.0})
    found = texts(study)
    assert found["depth"].startswith("Best depth: finetune-conv5, mean error of LI and MA 30.0 µm.")
    assert "finetune-conv5 is ahead of handcrafted by 65.0 µm (65.0 to 65.0), significant." in found["handcrafted"]
    assert found["handcrafted"].endswith("This agrees.")
    assert "**finetune-conv5**" in main_table(study)


@pytest.mark.parametrize(("rival", "answer"), [(0.5, "This agrees: no diff"), (0.3, "This does not agree.")])
def test_the_papers_embolism_net_and_rival_cannot_be_told_apart(rival: float, answer: str) -> None:
    assert answer in texts(drawn_study("embolism", {"finetune-conv1": 0.5, HANDCRAFTED: rival}))["handcrafted"]


def test_reduced_sets_pair_tuning_with_scratch_and_each_with_its_whole_set() -> None:
    whole = {"finetune-conv1": 0.6, "scratch-xavier": 0.5}
    reduced = {("finetune-conv1", 0.5): 0.58, ("scratch-xavier", 0.5): 0.3, ("finetune-conv1", 0.25): 0.5}
    study = drawn_study("polyp", whole, reduced)
    found = texts(study)
    assert "finetune-conv1 is ahead of scratch-xavier by 0.280 (0.2" in found["reduced to 50 %"]
    assert "This agrees." in found["reduced to 50 %"]
    assert "scratch-xavier is behind itself with the whole set by 0.200" in found["reduced to 50 %"]
    assert found["reduced to 25 %"] == "With 25 % of the training set: runs are missing."
    rows = [[cell.strip("| *") for cell in row.split(" | ")] for row in reduced_table(study).splitlines()[2:]]
    assert [row[:3] for row in rows] == [
        ["50 %", "finetune-conv1", "0.900"], ["50 %", "scratch-xavier", "0.900"],
        ["25 %", "finetune-conv1", "0.900"], ["25 %", "scratch-xavier", "missing"],
    ]  # fmt: skip


def test_missing_schemes_are_rows_and_are_listed() -> None:
    study = drawn_study("polyp", {"finetune-conv1": 0.6, HANDCRAFTED: 0.5})
    rows = main_table(study).splitlines()[2:]
    assert len(rows) == 12
    assert sum("missing" in row for row in rows) == 10
    assert len(missing_runs(study)) == 10
    assert reduced_table(study) == ""
    assert texts(study)["scratch"].startswith("Against scratch: runs are missing.")


def test_a_row_has_intervals_and_what_the_training_took() -> None:
    study = drawn_study("polyp", {"finetune-conv1": 0.6, "scratch-xavier": 0.5, HANDCRAFTED: 0.5})
    row = next(row for row in main_table(study).splitlines() if row.startswith("| scratch-xavier"))
    assert "| 0.900 | 0.800 | 0.500 (0.397-0.603) |" in row
    assert row.endswith("| 4 min 32 s, 2 epochs (40) |")
    rival = main_table(study).splitlines()[-1]
    assert rival.startswith("| handcrafted | – | 0.800 |") and rival.endswith("| 4 min 32 s |")
    assert caution(study) == " Only 7 test videos: such intervals tend to be too narrow."
    line = provenance(study)
    for part in (
        "**phantom** `phantom-seed0-demo`",
        "7 test videos",
        "seed 0",
        "alexnet_half",
        "2 cores",
        "2025-01-01",
    ):
        assert part in line


def test_applications_are_summed_up_by_claim() -> None:
    answers = {
        "polyp": findings(drawn_study("polyp", {**rising(0.05), "scratch-xavier": 0.2})),
        "frames": findings(drawn_study("frames", {**rising(-0.05), "scratch-xavier": 0.29})),
    }
    depth, scratch = overall(answers)
    assert depth.startswith("Best depth: polyp finetune-conv1 (in 100 % of the redraws); frames finetune-fc8")
    assert depth.endswith("all name the same depth in 0 % of the draws.")
    assert scratch.endswith("is significantly ahead: polyp; not significantly different: frames.")


def write_run(root: Path, scheme: str, shift: float, **changes: Any) -> Path:
    """A frames run as its report leaves it: 6 videos of 10 frames, positives scored higher by `shift`."""
    folder = root / "frames" / scheme / f"{changes.get('engine', 'recaffe')}-seed{changes.get('seed', 0)}"
    rng = np.random.default_rng(5)
    frames = [
        {"frame_id": f"v{video}/{n}", "group_id": f"v{video}", "label": n % 2, "score": rng.normal(shift * (n % 2))}
        for video in range(6)
        for n in range(10)
    ]
    write_csv(folder / "frame_scores.csv", ("frame_id", "group_id", "label", "score"), frames)
    points = [{"false_positive_rate": rate, "sensitivity": 0.5} for rate in (0.1, 0.15, 0.2)]
    write_csv(folder / "operating_points.csv", ("false_positive_rate", "sensitivity"), points)
    write_json(folder / "evaluation.json", {"auc_frames": 0.75})
    record = run_record(Path("data/frames/phantom-seed0-tiny"), True)
    record |= {"application": "frames", "scheme": scheme, "seed": changes.get("seed", 0)}
    if "engine" in changes:
        record["engine"] = {**record["engine"], "name": changes["engine"]}
    write_json(folder / "run.json", record)
    return folder


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["eval.results", *map(str, arguments)])
    return main()


def test_command_writes_tables_findings_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    write_run(runs, "finetune-conv4", 3.0)
    write_run(runs, "scratch-xavier", 0.2)
    (write_run(runs, "finetune-fc8", 1.0) / "evaluation.json").unlink()
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    outputs = {"--markdown": tmp_path / "a.md", "--json": tmp_path / "a.json", "--readme": readme}
    assert run_main(monkeypatch, runs, *(part for pair in outputs.items() for part in pair)) == 0
    text = outputs["--markdown"].read_text(encoding="utf-8")
    assert text.startswith("PHANTOM DATA")
    assert "| **finetune-conv4** |" in text and "| finetune-conv5 | missing |" in text
    assert "finetune-conv4 is ahead of scratch-xavier by" in text
    assert "Missing applications, of which there is no run: polyp, embolism, intima." in text
    assert "finetune-fc8/recaffe-seed0: not evaluated" in text
    made = readme.read_text(encoding="utf-8")
    assert made.startswith(f"before\n{BEGIN}\n") and made.endswith(f"{END}\nafter\n")
    assert text in made and "old" not in made
    numbers = read_json(outputs["--json"])["applications"]["frames"]
    assert [row["scheme"] for row in numbers["rows"]] == ["finetune-conv4", "scratch-xavier"]
    assert numbers["rows"][0]["measured"]["mean sensitivity"]["value"] > 0.8
    assert (
        next(found for found in numbers["findings"] if found["question"] == "scratch")["numbers"]["verdict"] == "ahead"
    )


def test_seeds_of_a_scheme_are_one_row(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path, "finetune-conv4", 1.0 + seed, seed=seed)
    (study,), _ = read_study([tmp_path])
    assert len(study.cells["finetune-conv4", 1.0].runs) == 2
    assert "seed 0, 1" in provenance(study)


def test_runs_of_two_engines_do_not_stand_in_one_table(tmp_path: Path) -> None:
    write_run(tmp_path, "finetune-conv4", 1.0)
    write_run(tmp_path, "finetune-conv5", 1.0, engine="caffe")
    with pytest.raises(DataError, match=r"the runs of frames have more than one engine \(caffe, recaffe\)"):
        read_study([tmp_path])


def test_no_run_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, tmp_path) == 2
    assert "none of these folders holds an evaluated run" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["no marks", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_a_readme_without_its_marks_is_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="expected the line"):
        put_between("new", path)
    assert path.read_text(encoding="utf-8") == content
