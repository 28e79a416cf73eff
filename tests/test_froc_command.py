"""`python -m eval.froc`: numbers by hand, stated answers for odd studies, complaints about bad tables."""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.froc_command import main

ROOT = Path(__file__).resolve().parents[1]
HEADER = "candidate_id,image_id,group_id,score,lesion_id"
LESIONS = "lesion_id,image_id,group_id\nA,i1,p1\nB,i2,p1\nC,i3,p2\n"
# image 1:  A 0.9  x 0.7    image 2:  B 0.4  x 0.2    image 3:  (C)    image 4: nothing
CANDIDATES = f"{HEADER}\nc1,i1,p1,0.9,A\nc2,i1,p1,0.7,\nc3,i2,p1,0.4,B\nc4,i2,p1,0.2,\n"
# The rates are 0, 0.25, 0.25, 0.5 per image with 1, 1, 2, 2 of 3 lesions.


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Exit code, results (None if it failed) and what was printed, for two tables as text and further arguments."""

    def command(candidates=CANDIDATES, lesions=LESIONS, *arguments, images="4"):
        for name, text in (("candidates.csv", candidates), ("lesions.csv", lesions)):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        out = tmp_path / "out.json"
        out.unlink(missing_ok=True)
        paths = [str(tmp_path / name) for name in ("candidates.csv", "lesions.csv")]
        options = ["--images", images, "--json", str(out), "--replicates", "200", "--exchanges", "50", *arguments]
        monkeypatch.setattr(sys, "argv", ["eval.froc", *paths, *options])
        code = main()
        printed = capsys.readouterr()
        return code, json.loads(out.read_text()) if out.exists() else None, printed.out + printed.err

    return command


def test_numbers_of_a_drawn_study(run):
    code, result, printed = run()
    assert code == 0
    assert (result["n_images"], result["n_lesions"], result["n_groups"]) == (4, 3, 2)
    rows = [tuple(point.values()) for point in result["points"]]
    assert rows == [(0.9, 0.0, 1 / 3), (0.7, 0.25, 1 / 3), (0.4, 0.25, 2 / 3), (0.2, 0.5, 2 / 3)]
    assert list(result["points"][0]) == ["threshold", "fps_per_image", "sensitivity"]
    third, two_thirds = 1 / 3, 2 / 3
    assert result["sensitivity_at"] == {"0.125": third} | dict.fromkeys(["0.25", "0.5", "1", "2", "4", "8"], two_thirds)
    assert result["fps_per_image_at"] == {"0.5": 0.25, "0.7": None, "0.8": None, "0.9": None}
    assert result["cpm"] == pytest.approx((third + 6 * two_thirds) / 7)
    assert result["camelyon16"] == pytest.approx(two_thirds)
    assert result["auc_candidates"] == 0.75  # 0.9 beats both false positives, 0.4 one of them
    # Image 4 is the only one without lesion and has no mark: A and B beat it, C is level with it. One lesion an image.
    assert result["afroc"] == result["wafroc"] == pytest.approx(2.5 / 3)
    assert {"ci95_group", "idca"} <= set(result)
    assert "0.125        0.333" in printed


def test_keys_are_the_rates_as_typed(run):
    result = run(CANDIDATES, LESIONS, "--at", "0", ".25", "1e0", "--at-sensitivity", "0.60")[1]
    assert list(result["sensitivity_at"]) == [*result["ci95_group"]["sensitivity_at"]] == ["0", ".25", "1e0"]
    assert list(result["fps_per_image_at"]) == ["0.60"]


def test_command_runs_as_a_module_without_torch(tmp_path):
    (tmp_path / "c.csv").write_text(CANDIDATES)
    (tmp_path / "l.csv").write_text(LESIONS)
    code = (
        "import runpy, sys; sys.argv = ['x', 'c.csv', 'l.csv', '--images', '4', '--svg', 'f.svg', '--csv', 'f.csv']\n"
        "try: runpy.run_module('eval.froc', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules and 'recaffe' not in sys.modules"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("4 images in 2 groups, 3 lesions")
    assert (tmp_path / "f.csv").read_text().splitlines()[:2] == [
        "threshold,fps_per_image,sensitivity",
        "0.9,0.0,0.3333333333333333",
    ]
    assert (tmp_path / "f.svg").read_text().count("false positives per image") >= 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , ").replace(" , \n", ",\n"),
        lambda text: "\n".join(f"extra{n},{line}" for n, line in enumerate(text.split())) + "\n",
        lambda text: "\n".join([text.split()[0], *random.Random(1).sample(text.split()[1:], len(text.split()) - 1)]),
    ],
    ids=["byte order mark", "CRLF", "empty lines", "blanks", "extra column", "order of rows"],
)
def test_form_of_the_tables_changes_no_number(run, change):
    assert run(change(CANDIDATES), change(LESIONS))[1] == run()[1]


def test_no_candidates_is_sensitivity_zero_everywhere_and_the_rest_has_reasons(run):
    code, result, printed = run(HEADER)
    assert (code, result["points"], set(result["sensitivity_at"].values())) == (0, [], {0.0})
    assert (result["cpm"], result["auc_candidates"], result["idca"]) == (0.0, None, None)
    assert result["afroc"] == 0.5  # every lesion and every healthy image is without mark
    assert "note: idca: 0 lesions found and 0 false positives" in printed
    assert "note: auc_candidates" in printed


def test_all_found_without_false_positive(run):
    rows = "c1,i1,p1,0.9,A\nc2,i2,p1,0.5,B\nc3,i3,p2,0.4,C\n"
    result = run(f"{HEADER}\n{rows}")[1]
    assert set(result["sensitivity_at"].values()) == {1.0} and result["cpm"] == 1.0
    assert result["fps_per_image_at"]["0.9"] == 0.0
    assert (result["auc_candidates"], result["idca"]) == (None, None)


def test_none_found(run):
    result = run(f"{HEADER}\nc1,i1,p1,0.9,\nc2,i2,p1,0.5,\n")[1]
    assert set(result["sensitivity_at"].values()) == {0.0} and result["cpm"] == 0.0
    assert set(result["fps_per_image_at"].values()) == {None}


def test_single_score_level_is_one_point(run):
    rows = "c1,i1,p1,0.5,A\nc2,i1,p1,0.5,\nc3,i2,p1,0.5,B\n"
    result = run(f"{HEADER}\n{rows}")[1]
    assert result["points"] == [{"threshold": 0.5, "fps_per_image": 0.25, "sensitivity": 2 / 3}]
    assert (result["sensitivity_at"]["0.125"], result["sensitivity_at"]["0.25"]) == (0.0, 2 / 3)
    assert result["auc_candidates"] == 0.5 and result["idca"] is None


def test_one_group_has_no_bars(run):
    result = run(CANDIDATES.replace("p2", "p1"), LESIONS.replace("p2", "p1"))[1]
    assert result["ci95_group"] is None
    assert result["afroc_jackknife"]["ci95_groups"] is None
    assert "ci95_group: all images are of one group" in result["notes"][0]


def test_images_can_be_listed_with_their_groups(run, tmp_path):
    """Two groups more, without candidate or lesion: they are drawn too, and the bars move."""
    images = tmp_path / "images.csv"
    images.write_text("image_id,group_id\ni1,p1\ni2,p1\ni3,p2\ni4,p3\ni5,p4\n")
    result = run(images=str(images))[1]
    assert (result["n_images"], result["n_groups"]) == (5, 4)
    assert result["sensitivity_at"]["0.25"] == 2 / 3


def test_images_that_no_table_names_are_spread_over_the_groups(run, tmp_path):
    """Named: p1 has two, p2 one. Six more: four and two, as if they had been listed so."""
    images = tmp_path / "images.csv"
    more = "".join(f"m{n},{'p1' if n < 4 else 'p2'}\n" for n in range(6))
    images.write_text(f"image_id,group_id\ni3,p2\ni1,p1\ni2,p1\n{more}")
    assert run(images="9")[1] == run(images=str(images))[1]


def test_second_system_is_compared(run):
    """b swaps A with the false positive beside it, lacks c4 and finds C."""
    rows = "c1,i1,p1,0.9,0.1,A\nc2,i1,p1,0.7,0.9,\nc3,i2,p1,0.4,0.4,B\nc4,i2,p1,0.2,,\nc5,i3,p2,,0.3,C\n"
    code, result, printed = run(f"{HEADER.replace('score', 'score,score_b')}\n{rows}")
    assert code == 0
    assert (result["n_candidates"], result["b"]["n_candidates"]) == (4, 4)
    assert [point["threshold"] for point in result["b"]["points"]] == [0.9, 0.4, 0.3, 0.1]
    test = result["comparison"]["sensitivity_at"]["0.25"]
    assert test["difference"] == pytest.approx(1 / 3)  # 3 of 3 against 2 of 3
    assert 0 < test["p_permutation"] <= test["p_permutation_holm"] <= 1
    assert test["idca_bars_overlap"] is None  # b has one false positive: no fit
    assert "b - a" in printed and "no fit" in printed


def rows(*lines):
    return "\n".join([HEADER, "c1,i1,p1,0.9,A", *lines]) + "\n"


@pytest.mark.parametrize(
    ("candidates", "lesions", "images", "complaint"),
    [
        ("candidate_id,image_id,group_id,lesion_id\n", LESIONS, "4", "candidates.csv, line 1: column score is missing"),
        (CANDIDATES.replace(",lesion_id", ""), LESIONS, "4", "column lesion_id is missing"),
        (CANDIDATES, LESIONS.replace("group_id", "group"), "4", "lesions.csv, line 1: column group_id is missing"),
        (rows("c2,i1,p1,nan,"), LESIONS, "4", "candidates.csv, row 2 (line 3), column score: found 'nan'"),
        (rows("", "c2,i1,p1,-inf,"), LESIONS, "4", "row 2 (line 4), column score: found '-inf'"),
        (rows("c2,i1,p1,1e999,"), LESIONS, "4", "column score: found '1e999'"),
        (rows("c2,i1,p1,1_0,"), LESIONS, "4", "column score: found '1_0'"),
        (rows("c2,i1,p1,,"), LESIONS, "4", "column score: found ''"),
        (rows("c2,i1,p1,0.5,X"), LESIONS, "4", "row 2 (line 3), column lesion_id: 'X' is not in the table of lesions"),
        (rows("c2,i1,p1,0.5,B"), LESIONS, "4", "column lesion_id: lesion 'B' is in another image"),
        (rows("c1,i2,p1,0.5,"), LESIONS, "4", "column candidate_id: 'c1' is listed twice, first in row 1"),
        (rows("c2,i1,p2,0.5,"), LESIONS, "4", "row 2 (line 3), column group_id: image 'i1' is in group 'p2' here"),
        (rows("c2,,p1,0.5,"), LESIONS, "4", "column image_id: is empty"),
        (rows("c2,i1,p1,0.5"), LESIONS, "4", "row 2 (line 3): 4 cells under 5 columns"),
        (rows("c2,i1,p1,0.5,,,"), LESIONS, "4", "row 2 (line 3): 7 cells under 5 columns"),
        (CANDIDATES.replace("group_id", "score"), LESIONS, "4", "column score comes 2 times"),
        (CANDIDATES, LESIONS + "A,i4,p1\n", "4", "lesions.csv, row 4 (line 5), column lesion_id: 'A' is listed twice"),
        (CANDIDATES, "lesion_id,image_id,group_id\n", "4", "lesions.csv has no row: without a lesion"),
        (CANDIDATES, LESIONS, "0", "--images 0: the tables name 3 images"),
        (CANDIDATES, LESIONS, "-3", "--images -3"),
        (CANDIDATES, LESIONS, "2", "--images 2: the tables name 3 images"),
        (CANDIDATES, LESIONS, "images.csv", "images.csv is missing"),
        ("", LESIONS, "4", "candidates.csv, line 1: column candidate_id, image_id"),
        (b"\xff\xfe\x00", LESIONS, "4", "is not UTF-8 text"),
        (rows('c2,i1,p1,"0.5'), LESIONS, "4", "is not a comma-separated table"),
        (CANDIDATES.replace(",", ";"), LESIONS, "4", "found candidate_id;image_id"),
    ],
)
def test_bad_input_ends_with_1_and_names_the_place(run, candidates, lesions, images, complaint):
    code, result, printed = run(candidates, lesions, images=images)
    assert (code, result) == (1, None)
    assert printed.startswith("error: ") and complaint in printed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--at", "-1"), "--at -1"),
        (("--at", "x"), "--at x"),
        (("--at", "inf"), "--at inf"),
        (("--at-sensitivity", "1.5"), "--at-sensitivity 1.5"),
        (("--replicates", "0"), "--replicates 0"),
        (("--hit", "touch"), "hit criterion 'touch'"),
    ],
)
def test_wrong_usage_ends_with_2(run, arguments, complaint):
    code, result, printed = run(CANDIDATES, LESIONS, *arguments)
    assert (code, result) == (2, None)
    assert complaint in printed


def test_image_that_is_not_listed_is_refused(run, tmp_path):
    images = tmp_path / "images.csv"
    images.write_text("image_id,group_id\ni1,p1\ni2,p1\n")
    code, _, printed = run(images=str(images))
    assert code == 1
    assert "lesions.csv, row 3 (line 4), column image_id: 'i3' is not in the table of images" in printed


def test_example_of_the_documentation_prints_what_it_says(tmp_path):
    page = (ROOT / "docs" / "evaluate_your_own.md").read_text(encoding="utf-8")
    found = re.search(r"## A detector: FROC.*?```sh\n(.*?)```.*?```\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    commands = found[1].replace("/tmp/", f"{tmp_path}/").replace(".venv/bin/python", sys.executable)
    done = subprocess.run(["bash", "-ec", commands], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", found[2])
    assert (
        json.loads((tmp_path / "froc.json").read_text())["comparison"]["sensitivity_at"]["0.125"]["difference"] == 0.4
    )
    assert (tmp_path / "froc.svg").read_text().count("<svg") == 1


@pytest.mark.slow
def test_a_million_candidates_need_less_than_a_gigabyte(tmp_path):
    draw = np.random.default_rng(0)
    n, n_images, n_lesions = 1_000_000, 20_000, 8_000
    home = draw.integers(0, n_images, n_lesions)
    lesion = np.where(draw.random(n) < 0.05, draw.integers(0, n_lesions, n), -1)
    image = np.where(lesion >= 0, home[lesion], draw.integers(0, n_images, n))
    score = draw.permutation(n) / n + 0.2 * (lesion >= 0)
    with (tmp_path / "c.csv").open("w") as table:
        table.write(HEADER + "\n")
        for row in range(n):
            name = f"l{lesion[row]}" if lesion[row] >= 0 else ""
            table.write(f"c{row},i{image[row]},g{image[row] % 500},{float(score[row])!r},{name}\n")
    rows = "".join(f"l{row},i{place},g{place % 500}\n" for row, place in enumerate(home))
    (tmp_path / "l.csv").write_text("lesion_id,image_id,group_id\n" + rows)
    command = [sys.executable, "-m", "eval.froc", "c.csv", "l.csv", "--images", str(n_images), "--json", "o.json"]
    subprocess.run(command, cwd=tmp_path, check=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1e6  # kilobytes
    result = json.loads((tmp_path / "o.json").read_text())
    assert len(result["points"]) == len(np.unique(score))
    found, false = len(np.unique(lesion[lesion >= 0])), int(np.count_nonzero(lesion < 0))
    last = result["points"][-1]
    assert (last["sensitivity"], last["fps_per_image"]) == (found / n_lesions, false / n_images)
