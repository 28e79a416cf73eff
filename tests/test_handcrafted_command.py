"""`python -m tools.handcrafted`: a rival's run folder reads like any other run's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from handcrafted.rival import SCORES, Rated, RivalInputs
from layerwise.files import read_csv, read_json, write_json
from layerwise.run_folder import RunFolder
from tools import handcrafted

COLUMNS = ("key", "group_id", "label", "score", "frame_id")
ROW = {"key": "f1", "group_id": "v1", "label": 1, "score": 0.75, "frame_id": "f1"}


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RivalInputs]:
    """A data set of frames with databases, and a rival that only notes what it is given."""
    database = tmp_path / "data" / "frames" / "phantom-seed0-smoke" / "patches-131"
    database.mkdir(parents=True)
    write_json(
        database / "manifest.json",
        {
            "dataset": "phantom-seed0-smoke",
            "is_phantom": True,
            "counts": {},
            "databases": {"train": {"sha256": "1" * 64}},
            "patches_csv_sha256": "2" * 64,
            "inputs": {"frames_sha256": "3" * 64, "code_sha256": "4" * 64},
        },
    )
    given: list[RivalInputs] = []

    def rate(inputs: RivalInputs) -> Rated:
        given.append(inputs)
        return Rated(SCORES, COLUMNS, [ROW], {"description": "a constant", "fitted_on": {"train": 0}})

    module = ModuleType("handcrafted.drawn")
    module.rate = rate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "handcrafted.drawn", module)
    monkeypatch.setitem(handcrafted.RIVALS, "frames", "handcrafted.drawn")
    monkeypatch.chdir(tmp_path)
    return given


def rate_frames(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["handcrafted", "frames", "--scale", "smoke", *options])
    return handcrafted.main()


def test_a_rival_is_given_the_databases_of_the_reduced_set(
    calls: list[RivalInputs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = tmp_path / "data" / "frames" / "phantom-seed0-smoke" / "patches-131"
    whole.rename(whole.with_name("patches-131-fraction0.1"))
    assert rate_frames(monkeypatch, "--fraction", "0.1", "--seed", "4") == 0
    (inputs,) = calls
    assert inputs.database.name == "patches-131-fraction0.1"
    assert inputs.source == inputs.dataset_dir / "raw"
    assert inputs.seed == 4


def test_it_leaves_scores_and_a_record(calls: list[RivalInputs], monkeypatch: pytest.MonkeyPatch) -> None:
    assert rate_frames(monkeypatch) == 0
    folder = RunFolder.of_rival(Path("runs"), "frames", 0)
    assert read_csv(folder.scores_csv) == [{name: str(value) for name, value in ROW.items()}]
    run = read_json(folder.run_json)
    assert (run["scheme"], run["net"], run["facts"]["description"]) == ("handcrafted", None, "a constant")
    assert run["data"]["is_phantom"]
    assert rate_frames(monkeypatch) == 0
    assert len(calls) == 1  # nothing changed, so nothing is fitted again


def test_missing_databases_are_answered_with_the_command_that_builds_them(
    calls: list[RivalInputs], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rate_frames(monkeypatch, "--data-seed", "9") == 1
    assert "python -m data_prep.frames" in capsys.readouterr().err
    assert not calls


def test_an_application_without_a_rival_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["handcrafted", "polyps"])
    assert handcrafted.main() == 2
