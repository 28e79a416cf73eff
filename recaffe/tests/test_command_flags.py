"""Command lines in gflags' form, and what `recaffe` itself answers."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import recaffe
from recaffe import commands
from recaffe.commands.flags import UsageError, describe, flag, parse


@dataclass
class Flags:
    solver: str = flag("", "The solver file.")
    iterations: int = flag(50, "How often.")
    gray: bool = flag(False, "Without colour.")


@pytest.mark.parametrize(
    "argv",
    [
        ["--solver=s", "--iterations=3", "--gray", "word"],
        ["-solver", "s", "word", "-iterations", "3", "-gray=true"],
        ["word", "--solver", "x", "--iterations=3", "--nogray", "--gray=1", "-solver=s"],
        ["--solver=s", "--iterations", "3", "--gray", "--", "word"],
    ],
)
def test_all_forms_of_gflags_are_read(argv):
    assert parse(Flags, argv) == (Flags("s", 3, True), ["word"])


def test_defaults_hold_where_nothing_is_said():
    assert parse(Flags, []) == (Flags("", 50, False), [])


def test_values_may_look_like_flags_or_hold_an_equals_sign():
    assert parse(Flags, ["--iterations", "-3", "--solver=a=b"])[0] == Flags("a=b", -3, False)


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["--solvr=x"], "unknown command line flag 'solvr'; the nearest is 'solver'"),
        (["--iterations=many"], "flag --iterations is 'many', expected a whole number"),
        (["--gray=perhaps"], "flag --gray is 'perhaps', expected true or false"),
        (["--solver"], "flag '--solver' lacks its value: The solver file."),
        (["--nosolver"], "'solver' is not a boolean flag"),
    ],
)
def test_what_is_no_flag_is_refused_by_name(argv, problem):
    with pytest.raises(UsageError) as caught:
        parse(Flags, argv)
    assert problem in str(caught.value)


def test_flags_are_described_with_type_and_default():
    assert describe(Flags).splitlines() == [
        '    -solver (The solver file.) type: string default: ""',
        "    -iterations (How often.) type: int32 default: 50",
        "    -gray (Without colour.) type: bool default: false",
    ]


def test_an_unknown_command_is_usage_and_names_the_nearest(capsys):
    assert commands.main(["upgrade_net_proto_txt"]) == 2
    assert "unknown command 'upgrade_net_proto_txt'; the nearest is 'upgrade_net_proto_text'" in capsys.readouterr().err


def test_without_a_command_the_usage_is_shown_and_the_code_is_two(capsys):
    assert commands.main([]) == 2
    assert capsys.readouterr().err.startswith("usage: recaffe COMMAND")
    assert commands.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in commands.COMMANDS)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert commands.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: recaffe {name}")


def test_an_odd_log_level_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("GLOG_minloglevel", "loud")
    assert commands.main(["upgrade_net_proto_text", "a", "b"]) == 2
    assert "GLOG_minloglevel is 'loud', expected 0, 1, 2 or 3" in capsys.readouterr().err


def test_commands_that_compute_nothing_load_no_torch():
    names = ("train", "device_query", "upgrade_net_proto_text", "draw_net", "parse_log")  # train: before it is needed
    code = "".join(f"import recaffe.commands.{name}\n" for name in names) + "import sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_distribution_installs_the_command_recaffe():
    project = Path(recaffe.__file__).resolve().parents[1] / "pyproject.toml"
    module, _, function = tomllib.loads(project.read_text())["project"]["scripts"]["recaffe"].partition(":")
    assert getattr(importlib.import_module(module), function) is commands.main


def test_ctrl_c_ends_a_command_with_a_line_of_the_log(monkeypatch, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recaffe.commands.upgrade.parse", interrupt)
    assert commands.main(["upgrade_net_proto_text", "a", "b"]) == 1
    assert "interrupted: recaffe upgrade_net_proto_text stopped" in capsys.readouterr().err


def test_the_package_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "recaffe", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("recaffe version ")
