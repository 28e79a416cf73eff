"""What the report command says about files that do not fit, and that it then writes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layerwise.files import read_csv, read_json, write_csv, write_json
from tests.made_up_run import make_run, report


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def change_csv(path: Path, change) -> None:
    """Apply `change` to the list of rows, in place, and write them back."""
    rows = read_csv(path)
    header = list(rows[0])
    change(rows)
    write_csv(path, list(rows[0]) if rows else header, rows)


def row(index: int, **values):
    """A change of one row of a table."""
    return lambda rows: rows[index].update(values)


def every_row(**values):
    return lambda rows: [each.update(values) for each in rows]


def without(column: str):
    return lambda rows: [each.pop(column) for each in rows]


BAD_TABLES = [
    ("no score column", "scores.csv", without("score"), r"scores\.csv: column score is missing"),
    ("score is nan", "scores.csv", row(2, score="nan"), r"scores\.csv, line 4: score is 'nan'"),
    ("score above one", "scores.csv", row(0, score="1.5"), r"line 2: score is '1\.5'.*0 \.\. 1"),
    ("label of a third class", "scores.csv", row(0, label="2"), r"line 2: label is '2'"),
    ("label against its candidate", "scores.csv", row(0, label="1"), r"line 2: label 1 of a patch"),
    ("foreign candidate", "scores.csv", row(0, candidate_id="x"), r"'x' is not in the test split"),
    ("key twice", "scores.csv", lambda rows: rows.append(rows[0]), r"scores\.csv: key '.*' is listed twice"),
    ("candidate without patch", "scores.csv", lambda rows: rows.__delitem__(slice(0, 3)), r"1 of \d+ .*no patch"),
    ("no scores at all", "scores.csv", list.clear, r"scores\.csv has no row"),
    ("training without validation", "train.csv", every_row(val_auc=""), r"train\.csv: no row has a val_auc"),
    (
        "candidate without column",
        "candidates.csv",
        without("lesion_id"),
        r"candidates\.csv: column lesion_id is missing",
    ),
    ("lesion that is none", "candidates.csv", row(-1, label="1", lesion_id="ghost"), r"'ghost', which lesions\.csv"),
    ("hit without lesion", "candidates.csv", row(-1, label="1", lesion_id=""), r"candidates\.csv.* lesion_id ''"),
    ("candidate in no frame", "candidates.csv", row(-1, frame_id="nowhere"), r"candidates\.csv.* 'nowhere'"),
    ("lesion in no frame", "lesions.csv", row(-1, group_id="other"), r"lesions\.csv.* 'other'"),
    ("no test lesion", "lesions.csv", every_row(split="train"), r"15 frames and 0 lesions"),
]


def path_of(run: Path, name: str) -> Path:
    folder = Path(read_json(run / "run.json")["data"]["dataset_dir"]) / "candidates"
    return folder / name if (folder / name).exists() else run / name


def assert_refused(run, monkeypatch, capsys, message) -> None:
    before = sorted(run.rglob("*"))
    assert report(monkeypatch, run) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and re.search(message, error)
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "change", "message"), [case[1:] for case in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_bad_table_is_named_and_nothing_is_written(name, change, message, run, monkeypatch, capsys):
    change_csv(path_of(run, name), change)
    assert_refused(run, monkeypatch, capsys, message)


@pytest.mark.parametrize(
    ("name", "writer"), [("scores.csv", "tools.predict"), ("lesions.csv", "data_prep"), ("detector.json", "Prepare")]
)
def test_missing_file_is_named_with_what_writes_it(name, writer, run, monkeypatch, capsys):
    path_of(run, name).unlink()
    assert_refused(run, monkeypatch, capsys, rf"{name} is missing.*{writer}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["data"].pop("dataset_dir"), r"run\.json: key data\.dataset_dir is missing"),
        (lambda record: record.pop("plan"), r"run\.json lacks .*'plan'"),
    ],
)
def test_run_record_that_lacks_a_key_is_refused(change, message, run, monkeypatch, capsys):
    record = read_json(run / "run.json")
    change(record)
    write_json(run / "run.json", record)
    assert_refused(run, monkeypatch, capsys, message)


def test_run_record_that_is_cut_is_refused(run, monkeypatch, capsys):
    (run / "run.json").write_text('{"application": "pol')
    assert_refused(run, monkeypatch, capsys, r"run\.json is not valid JSON")


@pytest.mark.parametrize(
    "arguments", [("polyp", "finetune-conv9"), ("polip", "finetune-conv4"), ("a", "b", "c"), ("nowhere",)]
)
def test_what_does_not_exist_is_a_usage_error(arguments, monkeypatch, capsys):
    assert report(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith("usage: ")
