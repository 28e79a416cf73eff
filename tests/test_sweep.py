"""The whole study as one command: which runs it makes, with which commands, and what a failure does to the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerwise.applications import APPLICATIONS
from layerwise.schemes import HANDCRAFTED, SCHEMES
from tools.sweep import Choice, Job, jobs_of, run_all

ALL = (*SCHEMES, HANDCRAFTED)


def choice(runs: Path, scale: str = "smoke") -> Choice:
    return Choice(engine="recaffe", seed=3, data_seed=7, scale=scale, epochs=None, runs=runs)


def test_the_study_is_four_times_twelve_runs() -> None:
    jobs = jobs_of(list(APPLICATIONS), ALL, reduced=False)
    assert len(jobs) == len(set(jobs)) == 48
    assert {job.fraction for job in jobs} == {1.0}


def test_reduced_sets_compare_tuning_everything_with_scratch_and_the_rival() -> None:
    reduced = [job for job in jobs_of(["frames"], ALL, reduced=True) if job.fraction != 1]
    assert {job.fraction for job in reduced} == {0.1, 0.05, 0.01}
    assert {job.scheme for job in reduced} == {"finetune-conv1", "scratch-xavier", HANDCRAFTED}


def test_a_scheme_that_was_not_asked_for_is_not_run_on_reduced_sets_either() -> None:
    assert {job.scheme for job in jobs_of(["polyp"], ["finetune-conv1"], reduced=True)} == {"finetune-conv1"}


def test_a_run_is_trained_scored_and_reported_in_one_folder(tmp_path: Path) -> None:
    train, predict, report = choice(tmp_path).commands(Job("polyp", "finetune-fc8", 0.25))
    assert train[:3] == ("tools.train", "polyp", "finetune-fc8")
    assert train[train.index("--data-seed") + 1] == "7"
    for command in (train, predict, report):
        assert command[command.index("--runs") + 1] == str(tmp_path)
        assert command[command.index("--seed") + 1] == "3"
        assert command[command.index("--fraction") + 1] == "0.25"


def test_the_rival_needs_no_engine(tmp_path: Path) -> None:
    rate, report = choice(tmp_path).commands(Job("frames", HANDCRAFTED))
    assert rate[:2] == ("tools.handcrafted", "frames")
    assert report[:3] == ("eval.report", "frames", HANDCRAFTED)


@pytest.mark.parametrize(("fraction", "epochs"), [(0.5, "16"), (0.25, "32"), (0.01, "60")])
def test_a_reduced_set_gets_the_updates_of_the_whole_one_up_to_a_limit(
    tmp_path: Path, fraction: float, epochs: str
) -> None:
    whole, _, _ = choice(tmp_path).commands(Job("polyp", "finetune-fc8"))
    reduced, _, _ = choice(tmp_path).commands(Job("polyp", "finetune-fc8", fraction))
    assert "--epochs" not in whole
    assert reduced[reduced.index("--epochs") + 1] == reduced[reduced.index("--patience") + 1] == epochs


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    sweep, job = choice(tmp_path), Job("polyp", "finetune-fc8")
    assert "--resume" not in sweep.commands(job)[0]
    folder = sweep.folder(job)
    folder.path.mkdir(parents=True)
    folder.resume_json.touch()
    assert "--resume" in sweep.commands(job)[0]


def test_without_data_no_run_is_begun_and_the_message_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [Job("frames", "finetune-fc8"), Job("frames", HANDCRAFTED)]
    assert run_all(jobs, choice(tmp_path, scale="huge"), side_by_side=1) == [job.name for job in jobs]
    printed = capsys.readouterr().out
    assert "frames-data: FAILED" in printed
    assert "unknown scale 'huge'" in printed
    assert [log.name for log in (tmp_path / "sweep").iterdir()] == ["frames-data.log"]


def test_a_run_that_fails_leaves_the_others_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Choice, "data_command", lambda *_: ("platform",))
    monkeypatch.setattr(
        Choice, "commands", lambda _, job: [("platform" if job.scheme == "good" else "no_such_module",)]
    )
    jobs = [Job("frames", "bad"), Job("frames", "good")]
    assert run_all(jobs, choice(tmp_path), side_by_side=1) == ["frames-bad"]
    assert (tmp_path / "sweep" / "frames-good.log").read_text().startswith("python -m platform\n")
