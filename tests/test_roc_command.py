"""`python -m eval.roc`: numbers by hand, stated answers for odd tables, complaints about bad ones."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from eval.roc_command import main

ROOT = Path(__file__).resolve().parents[1]
# score  0.9  0.8  0.7  0.6  0.4  0.3  0.2
# label   +    -    +   +-    -    +    -     p1 has the first three, p2 the tie, p3 the rest
SCORES = """id,group_id,label,score
a,p1,1,0.9
b,p1,0,0.8
c,p1,1,0.7
d,p2,1,0.6
e,p2,0,0.6
f,p3,0,0.4
g,p3,1,0.3
h,p3,0,0.2
"""
# False positive rates 0, 1/4, 1/4, 1/2, 3/4, 3/4, 1 with sensitivities 1/4, 1/4, 1/2, 3/4, 3/4, 1, 1.


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Exit code, results (None if it failed) and what was printed, for a table as text and further arguments."""

    def command(scores=SCORES, *arguments, validation=None):
        options = ["--replicates", "100"]
        for name, text in (("scores.csv", scores), ("val.csv", validation)):
            if text is not None:
                (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        if validation is not None:
            options += ["--validation", str(tmp_path / "val.csv")]
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        monkeypatch.setattr(
            sys, "argv", ["eval.roc", str(tmp_path / "scores.csv"), "--json", str(out), *options, *arguments]
        )
        code = main()
        printed = capsys.readouterr()
        return code, json.loads(out.read_text()) if out.exists() else None, printed.out + printed.err

    return command


def test_numbers_of_a_drawn_table(run):
    code, result, printed = run(SCORES, "--at", "0", ".25", "0.6")
    assert code == 0
    assert [result[key] for key in ("n", "n_positive", "n_negative", "n_groups")] == [8, 4, 4, 3]
    rows = [tuple(point.values()) for point in result["points"]]
    assert list(result["points"][0]) == ["threshold", "false_positive_rate", "sensitivity"]
    assert rows == [
        (None, 0, 0),  # nothing is accepted
        (0.9, 0, 0.25),
        (0.8, 0.25, 0.25),
        (0.7, 0.25, 0.5),
        (0.6, 0.5, 0.75),  # equal scores: both at once
        (0.4, 0.75, 0.75),
        (0.3, 0.75, 1),
        (0.2, 1, 1),
    ]
    read = result["sensitivity_at_fpr"]
    assert {name: point["sensitivity"] for name, point in read.items()} == {"0": 0.25, ".25": 0.5, "0.6": 0.75}
    assert (read["0.6"]["threshold"], read["0.6"]["false_positive_rate"]) == (0.6, 0.5)
    # + 0.9 beats 4, + 0.7 beats 3, + 0.6 beats 2 and ties with 1, + 0.3 beats 1: 10.5 of 16 pairs
    assert result["auc"] == 10.5 / 16
    assert set(result) >= {"auc_ci95_delong", "auc_ci95_obuchowski", "auc_ci95_group"}
    assert "8 rows in 3 groups: 4 positive, 4 negative" in printed and "area 0.6562" in printed


def test_partial_area_is_scikit_learns(run):
    label, score = np.array([1, 0, 1, 1, 0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.6, 0.4, 0.3, 0.2])
    result = run(SCORES, "--max-fpr", "0.4")[1]
    expected = metrics.roc_auc_score(label, score, max_fpr=0.4)
    assert result["partial_auc"] == {"max_fpr": 0.4, "standardised": pytest.approx(expected, rel=1e-12)}


def test_no_threshold_with_so_few_false_positives_is_sensitivity_zero(run):
    result = run("id,group_id,label,score\na,p,0,2\nb,p,1,1\nc,q,0,0\n", "--at", "0.3", "0.5")[1]
    read = result["sensitivity_at_fpr"]
    assert (read["0.3"]["sensitivity"], read["0.3"]["threshold"]) == (0, None)
    assert (read["0.5"]["sensitivity"], read["0.5"]["threshold"]) == (1, 1)
    assert result["calibration"] is None
    assert any(note.startswith("calibration: only scores that are all in 0 .. 1") for note in result["notes"])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , "),
        lambda text: "\n".join(f"extra{n},{line}" for n, line in enumerate(text.split())) + "\n",
        lambda text: "\n".join([text.split()[0], *random.Random(1).sample(text.split()[1:], 8)]),
        lambda text: text.replace(",1,", ",1.0,"),
    ],
    ids=["byte order mark", "CRLF", "empty lines", "blanks", "extra column", "order of rows", "labels as floats"],
)
def test_form_of_the_table_changes_no_number(run, change):
    assert run(change(SCORES))[1] == run()[1]


def test_one_group_has_no_bars_and_says_so(run):
    _, result, printed = run(SCORES.replace("p2", "p1").replace("p3", "p1"))
    assert result["auc_ci95_group"] is None and result["auc_ci95_obuchowski"] is None
    assert result["auc_ci95_delong"] is not None
    assert result["sensitivity_at_fpr"]["0.1"]["ci95_group"] is None
    assert "note: group intervals and tests: all rows are of one group" in printed


def test_perfect_order_is_area_one_without_interval(run):
    rows = "".join(f"r{n},g{n % 3},{int(n > 4)},{n}\n" for n in range(10))
    _, result, printed = run("id,group_id,label,score\n" + rows)
    assert result["auc"] == 1
    assert [result[f"auc_ci95_{name}"] for name in ("delong", "obuchowski", "group")] == [None] * 3
    assert "note: auc: no pair is out of order" in printed


def second(text, values):
    lines = text.split()
    return (
        "\n".join([lines[0] + ",score_b", *(f"{line},{b}" for line, b in zip(lines[1:], values, strict=True))]) + "\n"
    )


def test_second_system_is_compared(run):
    """b swaps the scores of b and g: one positive passes three negatives."""
    code, result, printed = run(second(SCORES, [0.9, 0.3, 0.7, 0.6, 0.6, 0.4, 0.8, 0.2]), "--at", "0.25")
    assert code == 0
    assert result["auc_b"] == result["b"]["auc"] == 15.5 / 16
    assert result["auc_difference"] == 5 / 16
    assert 0 < result["p_delong_paired"] < 1 and 0 < result["p_obuchowski_paired"] < 1
    assert 0 < result["p_group_bootstrap"] <= 1
    test = result["sensitivity_difference_at_fpr"]["0.25"]
    assert test["difference"] == 0.5 and test["p_group_bootstrap"] == test["p_group_bootstrap_holm"]
    assert "system b: area 0.9688" in printed and "b - a: area +0.3125" in printed


def test_a_copy_of_the_first_system_does_not_differ(run):
    result = run(second(SCORES, [0.9, 0.8, 0.7, 0.6, 0.6, 0.4, 0.3, 0.2]))[1]
    assert result["auc_difference"] == 0 and result["auc_difference_ci95_group"] == [0, 0]
    assert [result[f"p_{name}"] for name in ("delong_paired", "obuchowski_paired", "group_bootstrap")] == [1, 1, 1]
    assert all(point["p_group_bootstrap_holm"] == 1 for point in result["sensitivity_difference_at_fpr"].values())


# On validation 0.75 is the lowest threshold with no false positive, 0.5 the lowest with one of two.
VALIDATION = "id,group_id,label,score\nv1,q1,1,0.75\nv2,q1,0,0.6\nv3,q2,1,0.5\nv4,q2,0,0.1\n"


def test_thresholds_chosen_on_validation_obtain_what_they_do_on_test(run):
    _, result, printed = run(SCORES, "--at", "0", "0.5", validation=VALIDATION)
    none, half = result["transfer"]["0"], result["transfer"]["0.5"]
    assert (none["threshold"], none["val_sensitivity"], none["val_false_positive_rate"]) == (0.75, 0.5, 0)
    assert (none["sensitivity"], none["false_positive_rate"]) == (0.25, 0.25)  # a, and b
    assert (half["threshold"], half["sensitivity"], half["false_positive_rate"]) == (0.5, 0.75, 0.5)
    low, high = half["sensitivity_ci95_group"]
    assert 0 <= low < 0.75 < high <= 1  # p1 and p2 all of theirs, p3 none
    assert "thresholds chosen on validation" in printed and not result["notes"]


def test_groups_in_both_tables_are_called_a_flattery(run):
    result = run(validation=VALIDATION.replace("q2", "p2"))[1]
    assert "transfer: 1 groups are in both tables, the first is 'p2'; it flatters" in result["notes"]


def test_validation_needs_the_second_system_too(run):
    code, _, printed = run(second(SCORES, [0.5] * 8), validation=VALIDATION)
    assert code == 1 and "val.csv, line 1: column score_b is missing" in printed


def test_scores_that_keep_their_promise_are_calibrated(run):
    """0.25 four times with one positive, 0.75 four times with three: both bins on the diagonal."""
    label = [1, 0, 0, 0, 1, 1, 1, 0]
    rows = "".join(f"r{n},g{n % 2},{y},{0.25 if n < 4 else 0.75}\n" for n, y in enumerate(label))
    found = run("id,group_id,label,score\n" + rows)[1]["calibration"]
    filled = [part for part in found["bins"] if part["n"]]
    assert [(part["low"], part["n"], part["mean_score"], part["share_positive"]) for part in filled] == [
        (0.2, 4, 0.25, 0.25),
        (0.7, 4, 0.75, 0.75),
    ]
    score = [0.25] * 4 + [0.75] * 4
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(label, score)) == 0.1875
    assert found["brier_base_rate"] == 0.25
    assert sum(part["n"] for part in found["bins"]) == 8 and len(found["bins"]) == 10
    assert found["bins"][0]["share_positive"] is None and found["bins"][0]["ci95_group"] is None


def test_a_score_of_one_is_in_the_last_bin(run):
    found = run("id,group_id,label,score\na,g,1,1\nb,g,0,0\nc,h,0,1\n")[1]["calibration"]
    assert [part["n"] for part in found["bins"]] == [1, *[0] * 8, 2]
    assert found["bins"][9]["share_positive"] == 0.5


def rows(*lines):
    return "\n".join(["id,group_id,label,score", "a,p1,1,0.9", "b,p1,0,0.2", *lines]) + "\n"


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [
        (
            SCORES.replace("score\n", "points\n"),
            "scores.csv, line 1: column score is missing; found id, group_id",
        ),
        (SCORES.replace("group_id", "group"), "column group_id is missing"),
        (rows("c,p1,1,nan"), "scores.csv, row 3 (line 4), column score: found 'nan', expected a finite number"),
        (rows("", "c,p1,1,inf"), "row 3 (line 5), column score: found 'inf'"),
        (rows("c,p1,1,"), "row 3 (line 4), column score: found ''"),
        (rows("c,p1,2,0.5"), "row 3 (line 4), column label: found '2', expected 0 or 1"),
        (rows("c,p1,0.5,0.5"), "column label: found '0.5', expected 0 or 1"),
        (rows("c,p1,yes,0.5"), "row 3 (line 4), column label: found 'yes'"),
        (rows("a,p1,1,0.5"), "row 3 (line 4), column id: 'a' is listed twice, first in row 1"),
        (rows("c,,1,0.5"), "row 3 (line 4), column group_id: is empty"),
        (rows("c,p1,1"), "row 3 (line 4): 3 cells under 4 columns"),
        ("id,group_id,label,score\na,p,1,0.5\nb,p,1,0.4\n", "column label: all rows, 1 to 2, have label 1"),
        ("id,group_id,label,score\n", "scores.csv has no row"),
        ("", "scores.csv, line 1: column id, group_id, label, score is missing; found nothing"),
        (second(rows(), [0.5, "nan"]), "row 2 (line 3), column score_b: found 'nan'"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_place(run, scores, complaint):
    code, result, printed = run(scores)
    assert (code, result) == (1, None)
    assert printed.startswith("error: ") and complaint in printed


@pytest.mark.parametrize("option", [("--at", "1.5"), ("--at", "x"), ("--max-fpr", "0"), ("--replicates", "0")])
def test_options_out_of_range_are_usage_errors(run, option):
    code, result, printed = run(SCORES, *option)
    assert (code, result) == (2, None) and option[0] in printed


def test_command_runs_as_a_module_without_torch(tmp_path):
    (tmp_path / "s.csv").write_text(second(SCORES, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]))
    code = (
        "import runpy, sys; sys.argv = ['x', 's.csv', '--svg', 'f.svg', '--csv', 'f.csv', '--replicates', '50']\n"
        "try: runpy.run_module('eval.roc', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules and 'recaffe' not in sys.modules"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "f.csv").read_text().splitlines()[:3] == [
        "threshold,false_positive_rate,sensitivity",
        ",0.0,0.0",
        "0.9,0.0,0.25",
    ]
    picture = (tmp_path / "f.svg").read_text()
    assert "a area 0.656" in picture and "b area" in picture and "share of positives in the bin" in picture


def test_example_of_the_documentation_prints_what_it_says(tmp_path):
    page = (ROOT / "docs" / "evaluate_your_own.md").read_text(encoding="utf-8")
    found = re.search(r"## A classifier: ROC.*?```sh\n(.*?)```.*?```\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    commands = found[1].replace("/tmp/", f"{tmp_path}/").replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["bash", "-ec", commands], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", found[2])
    assert json.loads((tmp_path / "roc.json").read_text())["auc_b"] > 0
    assert (tmp_path / "roc.svg").read_text().count("<svg") == 1


@pytest.mark.slow
def test_a_million_rows(tmp_path):
    draw = np.random.default_rng(0)
    n = 1_000_000
    label = draw.integers(0, 2, n)
    score = draw.normal(label, 1.0)
    with (tmp_path / "s.csv").open("w") as table:
        table.write("id,group_id,label,score\n")
        table.writelines(f"r{row},g{row % 500},{label[row]},{float(score[row])!r}\n" for row in range(n))
    command = [sys.executable, "-m", "eval.roc", "s.csv", "--json", "o.json"]
    subprocess.run(command, cwd=tmp_path, check=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    result = json.loads((tmp_path / "o.json").read_text())
    assert result["auc"] == pytest.approx(metrics.roc_auc_score(label, score), rel=1e-12)
    assert len(result["points"]) == n + 1
    # Groups are dealt by number here, so they say nothing, and both intervals are of independent rows.
    assert result["auc_ci95_group"] == pytest.approx(result["auc_ci95_delong"], abs=2e-4)
