"""recaffe train: the log of real Caffe line by line, signals, flags."""

from __future__ import annotations

import logging
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe import permissions
from recaffe.commands import main
from recaffe.commands.parse_log import read_log

NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?|(?<== )\d+(?= |$)")


@pytest.fixture
def job(log_case, tmp_path, monkeypatch):
    """The folder of the small job, made the working directory."""
    monkeypatch.chdir(tmp_path)
    log_case.write(tmp_path)
    return tmp_path


def assert_same_log(found: list[str], expected: list[str]) -> float:
    """The same lines in the same order, with numbers that differ by 1e-5 at most; returns by how much. Real Caffe opens
    a database while it makes the layer, recaffe while it sets it up: that line may stand elsewhere."""
    opened = [line for line in expected if "Opened lmdb" in line]
    assert [line for line in found if "Opened lmdb" in line] == opened
    found, expected = ([line for line in lines if line not in opened] for lines in (found, expected))
    assert [NUMBER.sub("#", line) for line in found] == [NUMBER.sub("#", line) for line in expected]
    ours, theirs = (
        np.array([float(number) for line in lines for number in NUMBER.findall(line)]) for lines in (found, expected)
    )
    error = float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-30)).max())
    assert error <= 1e-5
    return error


def test_the_log_is_real_caffes_line_by_line(job, log_case, capsys, conform):
    assert main(log_case.ARGUMENTS) == 0
    ours, real = log_case.messages(capsys.readouterr().err), log_case.RECORDED.read_text().splitlines()
    conform("commands", "train", "result", assert_same_log(ours, real))


@pytest.mark.caffe
@pytest.mark.parametrize(
    "arguments",
    [("--level=2", "--stage=aside,deploy"), ("--snapshot=snap_iter_5.solverstate",)],
    ids=["stage", "resume"],
)
def test_flags_change_the_log_as_they_change_real_caffes(job, log_case, real_tool, capsys, arguments):
    assert real_tool("caffe", *log_case.ARGUMENTS, cwd=job).returncode == 0  # leaves the snapshot
    real = real_tool("caffe", *log_case.ARGUMENTS, *arguments, cwd=job)
    assert real.returncode == 0
    assert real_tool("caffe", *log_case.ARGUMENTS, cwd=job).returncode == 0
    assert main([*log_case.ARGUMENTS, *arguments]) == 0
    ours = log_case.messages(capsys.readouterr().err)
    assert_same_log([line for line in ours if ": copied, " not in line], log_case.messages(real.stderr))


def test_every_line_of_the_log_has_glogs_head_or_belongs_to_a_message(job, log_case, capsys):
    main(log_case.ARGUMENTS)
    heads = re.compile(r"[IW]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.py:\d+\] ")
    fields = re.compile(r" *(\w+: .*|\w+ \{|\})$")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not heads.match(line) and not fields.match(line)] == []


def test_the_log_parses_into_the_rows_that_were_displayed(job, log_case, capsys):
    main(log_case.ARGUMENTS)
    tables = read_log(capsys.readouterr().err.splitlines(), 2024)
    assert [row["NumIters"] for row in tables["Train"]] == [0, 2, 4, 6, 8]
    assert [row["LearningRate"] for row in tables["Train"]] == [0.01, 0.01, 0.01, 0.001, 0.001]
    assert [row["NumIters"] for row in tables["Test"]] == [0, 5, 10]
    shown = re.findall(r"Test net output #0: accuracy = (\S+)", log_case.RECORDED.read_text())
    assert [row["accuracy"] for row in tables["Test"]] == [float(value) for value in shown]


# ---- signals ----


class _Sender(logging.Handler):
    """Sends this process a signal some times when a line of the log begins with `cue`."""

    def __init__(self, cue: str, number: int, times: int) -> None:
        super().__init__()
        self.cue, self.number, self.times = cue, number, times

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self.cue):
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch):
    """`send(cue, signal, times=1)`: see _Sender."""
    logger = logging.getLogger("recaffe")
    senders: list[_Sender] = []

    def attach(cue: str, number: int, times: int = 1) -> None:
        senders.append(_Sender(cue, number, times))
        logger.addHandler(senders[-1])

    yield attach
    for sender in senders:
        logger.removeHandler(sender)


def _replace(path: str, old: str, new: str) -> None:
    Path(path).write_text(Path(path).read_text().replace(old, new))


def _snapshots(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "snap" in path.name)


def _train(*flags: str) -> int:
    _replace("solver.prototxt", "snapshot: 5", "snapshot: 0")
    return main(["train", "--solver=solver.prototxt", *flags])


ENDINGS = (".caffemodel", ".solverstate")


def test_ctrl_c_stops_with_a_snapshot(job, send, capsys):
    send("Iteration 4 (", signal.SIGINT)
    assert _train() == 0
    assert _snapshots(job) == [f"snap_iter_5{ending}" for ending in ENDINGS]
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].endswith("] Optimization stopped early.") and lines[-1].endswith("] Optimization Done.")


def test_a_hang_up_makes_a_snapshot_and_training_goes_on(job, send, capsys):
    send("Iteration 4 (", signal.SIGHUP)
    assert _train() == 0
    assert _snapshots(job) == [f"snap_iter_{number}{ending}" for number in (10, 5) for ending in ENDINGS]
    assert "stopped early" not in capsys.readouterr().err


def test_effects_can_be_exchanged_or_switched_off(job, send):
    send("Iteration 2 (", signal.SIGHUP)
    send("Iteration 4 (", signal.SIGINT)
    assert _train("--sigint_effect=none", "--sighup_effect=none") == 0
    assert _snapshots(job) == [f"snap_iter_10{ending}" for ending in ENDINGS]
    assert _train("--sigint_effect=snapshot", "-sighup_effect", "stop") == 0
    assert _snapshots(job) == [f"snap_iter_{number}{ending}" for number in (10, 3) for ending in ENDINGS]


def test_pressing_ctrl_c_again_while_a_snapshot_is_written_leaves_it_whole(job, send):
    send("Iteration 4 (", signal.SIGINT)
    send("Snapshotting ", signal.SIGINT, times=3)
    assert _train() == 0
    assert _snapshots(job) == [f"snap_iter_5{ending}" for ending in ENDINGS]
    solver = recaffe.get_solver("solver.prototxt")
    solver.restore("snap_iter_5.solverstate")
    assert solver.iter == 5


def test_a_signal_while_testing_interrupts_the_test(job, send, capsys):
    send("Iteration 5, Testing", signal.SIGINT)
    assert _train() == 0
    assert "] Test interrupted." in capsys.readouterr().err
    assert _snapshots(job) == [f"snap_iter_5{ending}" for ending in ENDINGS]


def test_afterwards_signals_are_python_s_again(job, log_case):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)
    assert main(log_case.ARGUMENTS) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)) == before


# ---- flags ----


def test_a_resumed_training_ends_with_the_same_weights(job, log_case):
    assert main(log_case.ARGUMENTS) == 0
    whole = Path("snap_iter_10.caffemodel").read_bytes()
    Path("snap_iter_10.caffemodel").unlink()
    assert main([*log_case.ARGUMENTS, "-snapshot", "snap_iter_5.solverstate"]) == 0
    assert Path("snap_iter_10.caffemodel").read_bytes() == whole


def test_weights_are_taken_in_the_order_given(job, log_case, capsys):
    assert main(log_case.ARGUMENTS) == 0
    capsys.readouterr()
    assert main([*log_case.ARGUMENTS, "--weights=snap_iter_5.caffemodel,snap_iter_10.caffemodel"]) == 0
    taken = re.findall(r"Finetuning from (\S+)", capsys.readouterr().err)
    assert taken == ["snap_iter_5.caffemodel", "snap_iter_10.caffemodel"] * 2  # the train net and the test net


@pytest.mark.parametrize(
    ("flags", "code", "problem"),
    [
        ([], 2, "Need a solver definition to train"),
        (["--solver=gone"], 1, "gone"),
        (["--solver=solver.prototxt", "--snapshot=a", "--weights=b"], 2, "but not both"),
        (["--solver=solver.prototxt", "--sigint_effect=shout"], 2, "--sigint_effect is 'shout', expected snapshot"),
        (["--solver=solver.prototxt", "--gpu=first"], 2, "flag --gpu is 'first', expected a number, or 'all'"),
        (["--solver=solver.prototxt", "--gpu=0,1"], 1, "2 GPUs, but recaffe trains and runs on one; name one"),
        (["--solver=solver.prototxt", "--gpu=99"], 1, "there is no GPU 99"),
        (["--solver=solver.prototxt", "--snapshot=gone.solverstate"], 1, "gone.solverstate"),
        (["solver.prototxt"], 2, "'solver.prototxt' is not a flag"),
        (["--slover=solver.prototxt"], 2, "unknown command line flag 'slover'; the nearest is 'solver'"),
    ],
)
def test_what_cannot_be_trained_is_said_and_coded(job, capsys, flags, code, problem):
    assert main(["train", *flags]) == code
    assert problem in capsys.readouterr().err
    assert _snapshots(job) == []


def test_a_solver_file_that_asks_for_a_gpu_says_so_where_there_is_none(job, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    _replace("solver.prototxt", "solver_mode: CPU", "solver_mode: GPU")
    assert main(["train", "--solver=solver.prototxt"]) == 1
    assert "solver.prototxt says solver_mode: GPU, for a CPU write CPU there" in capsys.readouterr().err


def test_python_layers_need_the_flag(job, monkeypatch, capsys, log_case):
    monkeypatch.setattr(permissions, "_python_layers", None)
    monkeypatch.syspath_prepend(job)
    Path("mine_of_train.py").write_text(
        "import recaffe as caffe\n"
        "class Pass(caffe.Layer):\n"
        "    def setup(self, bottom, top): print('mine runs')\n"
        "    def reshape(self, bottom, top): top[0].reshape(1)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 0\n"
        "    def backward(self, top, propagate_down, bottom): pass\n"
    )
    layer = 'layer { type: "Python" bottom: "data" top: "p" python_param { module: "mine_of_train" layer: "Pass" } }'
    Path("net.prototxt").write_text(Path("net.prototxt").read_text() + layer)
    assert main(log_case.ARGUMENTS) == 1
    shown = capsys.readouterr()
    assert "allow" in shown.err and "mine runs" not in shown.out
    assert main([*log_case.ARGUMENTS, "--allow-python-layers"]) == 0
    assert "mine runs" in capsys.readouterr().out


@pytest.mark.gpu
def test_training_on_a_gpu_logs_its_name_and_ends_near_the_cpu(job, log_case, capsys):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    assert main(log_case.ARGUMENTS) == 0
    on_cpu = read_log(capsys.readouterr().err.splitlines(), 2024)
    try:
        assert main([*log_case.ARGUMENTS, "--gpu=0"]) == 0
    finally:
        recaffe.set_mode_cpu()
    shown = capsys.readouterr().err
    assert "] Using GPUs 0" in shown and "] GPU 0: " in shown
    on_gpu = read_log(shown.splitlines(), 2024)
    assert [row["loss"] for row in on_gpu["Test"]] == pytest.approx([row["loss"] for row in on_cpu["Test"]], rel=1e-3)
