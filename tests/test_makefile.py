"""The Makefile only sequences: these tests read what it would run, and what it says when asked for the impossible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from layerwise.applications import APPLICATIONS
from layerwise.schemes import HANDCRAFTED, SCHEMES

ROOT = Path(__file__).resolve().parents[1]
KNOBS = [
    "ENGINE",
    "DATA",
    "CLASSES",
    "WEIGHTS",
    "NET",
    "SEED",
    "EPOCHS",
    "BATCH",
    "SCALE",
    "DATA_SEED",
    "FRACTION",
    "RESUME",
    "RESTART",
    "VENV",
    "PYTHON",
]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the repository, without the knobs of the caller's environment."""
    clean = {name: value for name, value in os.environ.items() if name not in KNOBS and not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, env=clean)


def commands(*arguments: str) -> list[str]:
    """The module commands that make would run, in order, without the set-up."""
    printed = make("--dry-run", *arguments)
    assert printed.returncode == 0, printed.stderr
    run = [line.split(" -m ", 1)[1] for line in printed.stdout.splitlines() if re.search(r" -m (?!pip|venv)", line)]
    return [" ".join(command.split()) for command in run]


def test_help_lists_every_target() -> None:
    helped = make("help").stdout
    declared = make("--dry-run", "--print-data-base", "--question").stdout
    phony = next(line for line in declared.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert len(phony) > 20
    assert [target for target in phony if not re.search(rf"^ +{target}\b", helped, re.MULTILINE)] == []


def test_plain_make_is_help() -> None:
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize("application", APPLICATIONS)
def test_an_experiment_is_data_training_prediction_report(application: str) -> None:
    assert commands(f"{application}-finetune-conv4") == [
        f"data_prep.{application}",
        f"tools.train {application} finetune-conv4",
        f"tools.predict {application} finetune-conv4",
        f"eval.report {application} finetune-conv4",
    ]


def test_a_reduced_training_set_is_named_at_every_stage() -> None:
    assert all(command.endswith("--fraction '0.1'") or "--fraction '0.1' " in command
               for command in commands("frames-finetune-conv1", "FRACTION=0.1"))  # fmt: skip


def test_knobs_reach_the_commands_that_need_them() -> None:
    data, train, predict, report = commands(
        "polyp-scratch-msra",
        "ENGINE=caffe",
        "DATA=/a folder",
        "NET=alexnet",
        "WEIGHTS=w",
        "SEED=3",
        "EPOCHS=2",
        "BATCH=5",
    )
    assert data == "data_prep.polyp --data '/a folder' --net 'alexnet'"
    for option in ("--engine 'caffe'", "--data '/a folder'", "--net 'alexnet'", "--weights 'w'"):
        assert option in train
    for option in ("--seed '3'", "--epochs '2'", "--batch '5'"):
        assert option in train
    for command in (predict, report):
        assert command.endswith("polyp scratch-msra --engine 'caffe' --seed '3'")


def test_the_phantoms_seed_is_not_the_trainings_seed() -> None:
    data, train, *_ = commands("polyp-finetune-fc8", "SEED=3", "DATA_SEED=7")
    assert data.endswith("--seed '7'")
    assert "--seed '3'" in train
    assert "--data-seed '7'" in train


@pytest.mark.parametrize("application", APPLICATIONS)
def test_an_unknown_scheme_is_answered_with_the_schemes(application: str) -> None:
    answer = make(f"{application}-finetune-conv9")
    assert answer.returncode == 2
    assert 'no scheme "finetune-conv9"' in answer.stderr
    assert f"{application}-finetune-conv5" in answer.stderr
    assert f"{application}-scratch-msra" in answer.stderr


@pytest.mark.parametrize("application", APPLICATIONS)
def test_the_rival_is_fitted_on_the_same_data(application: str) -> None:
    assert commands(f"{application}-handcrafted", "DATA_SEED=7", "FRACTION=0.5", "SEED=3") == [
        f"data_prep.{application} --seed '7' --fraction '0.5'",
        f"tools.handcrafted {application} --data-seed '7' --seed '3' --fraction '0.5'",
        f"eval.report {application} handcrafted --seed '3' --fraction '0.5'",
    ]


def test_own_images_are_named_at_every_stage() -> None:
    data, train, predict, report = commands("custom-finetune-fc8", "DATA=/skin", "CLASSES=benign,malignant", "SEED=3")
    assert data == "data_prep.custom --data '/skin' --classes 'benign,malignant'"
    assert train == "tools.train custom finetune-fc8 --seed '3' --data '/skin'"
    assert predict == "tools.predict custom finetune-fc8 --data '/skin' --seed '3'"
    assert report == "eval.report custom finetune-fc8 --data '/skin' --seed '3'"


def test_the_whole_study_is_one_command() -> None:
    assert commands("results", "SCALE=smoke") == [
        "tools.sweep --scale 'smoke'",
        "eval.results runs --readme README.md",
    ]


def test_the_schemes_are_those_of_the_study() -> None:
    helped = make("help").stdout
    assert set(re.findall(r"^  polyp-(\S+)$", helped, re.MULTILINE)) == {*SCHEMES, HANDCRAFTED, "report"}
    assert set(re.findall(r"^  custom-(\S+)$", helped, re.MULTILINE)) == set(SCHEMES)


def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = make("setup", f"VENV={tmp_path}/venv", f"PYTHON={old}")
    assert answer.returncode == 2
    assert f"{old} is missing or older than Python 3.11" in answer.stderr
    assert not (tmp_path / "venv").exists()


def test_the_environment_is_remade_when_a_lock_changes(tmp_path: Path) -> None:
    stamp = tmp_path / ".setup-stamp"
    stamp.touch()
    assert "pip install" not in make("--dry-run", "setup", f"VENV={tmp_path}").stdout
    os.utime(stamp, (0, 0))
    assert "pip install" in make("--dry-run", "setup", f"VENV={tmp_path}").stdout


def test_every_package_is_pinned_exactly() -> None:
    locked = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                package, version = line.split("==")
                locked[package.lower().replace("_", "-")] = version
    assert locked["torch"] == "2.13.0"
    assert "caffe" not in locked  # the package of that name is an empty placeholder
    wanted = set()
    for name in ("pyproject.toml", "recaffe/pyproject.toml"):
        project = tomllib.loads((ROOT / name).read_text())["project"]
        for requirement in project["dependencies"] + project.get("optional-dependencies", {}).get("dev", []):
            wanted |= set(re.findall(r"^[a-z][a-z0-9-]+", requirement))
    assert wanted - {"recaffe"} <= set(locked)
