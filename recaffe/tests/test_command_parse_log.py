"""recaffe parse_log: the CSV files that parse_log.py of Caffe's tools/extra writes, and logs that it stumbles over."""

from __future__ import annotations

import math

import pytest
from recaffe.commands import main
from recaffe.commands.parse_log import read_log

# Messages of a real run (tests/recorded/train_log.txt) at times made up.
LOG = """\
I1231 23:59:57.000000  4711 caffe.cpp:197] Use CPU.
I1231 23:59:58.000000  4711 solver.cpp:289] Solving small
I1231 23:59:58.500000  4711 solver.cpp:347] Iteration 0, Testing net (#0)
I1231 23:59:58.600000  4711 solver.cpp:414]     Test net output #0: accuracy = 0.5
I1231 23:59:58.600001  4711 solver.cpp:414]     Test net output #1: loss = 0.78666 (* 0.5 = 0.39333 loss)
I1231 23:59:59.000000  4711 solver.cpp:239] Iteration 0 (1.8e-25 iter/s, 0.005s/2 iters), loss = 0.351701
I1231 23:59:59.000000  4711 solver.cpp:258]     Train net output #0: loss = 0.703402 (* 0.5 = 0.351701 loss)
I1231 23:59:59.100000  4711 sgd_solver.cpp:112] Iteration 0, lr = 0.01
I0101 00:00:01.000000  4711 solver.cpp:239] Iteration 2 (666.667 iter/s, 0.003s/2 iters), loss = 0.405339
I0101 00:00:01.000000  4711 solver.cpp:258]     Train net output #0: loss = 0.695198 (* 0.5 = 0.347599 loss)
I0101 00:00:01.000000  4711 sgd_solver.cpp:50] MultiStep Status: Iteration 2, step = 1
I0101 00:00:01.000000  4711 sgd_solver.cpp:112] Iteration 2, lr = 1e-05
I0101 00:00:02.000000  4711 solver.cpp:347] Iteration 2, Testing net (#0)
I0101 00:00:02.250000  4711 solver.cpp:414]     Test net output #0: accuracy = 0.583333
I0101 00:00:02.250000  4711 solver.cpp:414]     Test net output #1: loss = 0.743612 (* 0.5 = 0.371806 loss)
I0101 00:00:03.000000  4711 solver.cpp:332] Optimization Done.
"""
# What parse_log.py of BVLC/caffe wrote for LOG.
TRAIN = "NumIters,Seconds,LearningRate,loss\r\n0.0,1.0,0.01,0.703402\r\n2.0,3.0,0.01,0.695198\r\n"
TEST = (
    "NumIters,Seconds,LearningRate,accuracy,loss\r\n0.0,0.6,1e-05,0.5,0.78666\r\n2.0,4.25,1e-05,0.583333,0.743612\r\n"
)


def _rows(text: str) -> dict[str, list[dict[str, float]]]:
    return read_log(text.splitlines(), 2023)


def test_the_csv_files_are_parse_logs(tmp_path, conform):
    (tmp_path / "caffe.INFO").write_text(LOG)
    assert main(["parse_log", f"{tmp_path}/caffe.INFO", str(tmp_path)]) == 0
    assert (tmp_path / "caffe.INFO.train").read_bytes().decode() == TRAIN
    assert (tmp_path / "caffe.INFO.test").read_bytes().decode() == TEST
    conform("commands", "parse_log", "result", 0)


def test_the_delimiter_can_be_chosen_and_the_files_are_named(tmp_path, capsys):
    (tmp_path / "log").write_text(LOG)
    assert main(["parse_log", "--delimiter=;", f"{tmp_path}/log", str(tmp_path), "--verbose"]) == 0
    assert (tmp_path / "log.train").read_bytes().decode() == TRAIN.replace(",", ";")
    assert f"Wrote {tmp_path}/log.test" in capsys.readouterr().out


def test_losses_of_older_and_of_foreign_logs_are_found():
    older = LOG.replace(" (1.8e-25 iter/s, 0.005s/2 iters)", "").replace(" (666.667 iter/s, 0.003s/2 iters)", "")
    digits = LOG.replace("(666.667 iter/s, 0.003s/2 iters)", "(241.076/s)").replace(
        "Iteration 2, lr", "Iteration 2 (3/s), lr"
    )
    assert _rows(older) == _rows(digits) == _rows(LOG)


def test_a_change_of_the_rate_makes_no_row_of_its_own():
    assert [row["NumIters"] for row in _rows(LOG)["Test"]] == [0, 2]
    assert _rows(LOG.replace("MultiStep Status: Iteration 2, step = 1", "")) == _rows(LOG)


def test_what_others_print_between_the_lines_is_passed_over():
    lines = LOG.splitlines()
    noise = ["my layer: 3", "", "I am no head", "I1399 99:99:99.000000  1 x.py:1] Train net output #0: loss = 1"]
    mixed = [line for number, line in enumerate(lines) for line in (line, noise[number % len(noise)])]
    assert _rows("\n".join(mixed)) == _rows(LOG)
    thread = "I0101 00:00:02.250000  4712 data_layer.cpp:73] Restarting data prefetching from start."
    lines.insert(14, thread)  # between the two outputs of a test
    assert _rows("\n".join(lines)) == _rows(LOG)


def test_dates_with_a_year_are_read():
    dated = LOG.replace("I1231 ", "I20231231 ").replace("I0101 ", "I20240101 ")
    assert _rows(dated) == _rows(LOG)


def test_without_the_solving_line_time_runs_from_the_first_line():
    rows = _rows(LOG.replace("Solving small", "Iteration 0 begins"))
    assert [row["Seconds"] for row in rows["Train"]] == [2.0, 4.0]


def test_a_loss_that_is_no_number_is_kept():
    assert math.isnan(_rows(LOG.replace("loss = 0.695198", "loss = -nan"))["Train"][1]["loss"])
    assert _rows(LOG.replace("loss = 0.695198", "loss = inf"))["Train"][1]["loss"] == math.inf


def test_a_row_that_the_end_of_the_log_cuts_short_is_left_out():
    end = LOG.index("I0101 00:00:02.250000  4711 solver.cpp:414]     Test net output #1")
    assert [row["NumIters"] for row in _rows(LOG[:end])["Test"]] == [0]


def test_a_net_without_outputs_of_a_phase_gets_no_file(tmp_path, capsys):
    (tmp_path / "log").write_text(LOG.replace("Test net output", "Test"))
    assert main(["parse_log", f"{tmp_path}/log", str(tmp_path), "--verbose"]) == 0
    assert not (tmp_path / "log.test").exists()
    assert f"Not writing {tmp_path}/log.test; no lines to write" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["gone", "."], 1, "gone"),
        (["log", "nowhere"], 1, "nowhere: no such folder"),
        (["log"], 2, "needs a log file and a folder"),
        (["log", ".", "--delimiter="], 2, "expected one character"),
    ],
)
def test_wrong_arguments_are_said(tmp_path, monkeypatch, capsys, arguments, code, problem):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").write_text(LOG)
    assert main(["parse_log", *arguments]) == code
    assert problem in capsys.readouterr().err
