"""What a solver reports, in the form that Caffe's log parsers read."""

from __future__ import annotations

import itertools
import logging
import re

import pytest
import recaffe
from recaffe.glog import GlogFormatter

NET = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "constant" value: 0 } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.5 }
"""
OPTIONS = 'base_lr: 0.1 lr_policy: "step" gamma: 0.1 stepsize: 2 max_iter: 4 display: 2 test_iter: 3 test_interval: 2'
# The patterns of Caffe's tools/extra/parse_log.py.
ITERATION = re.compile(r"Iteration (\d+)")
OUTPUT = re.compile(r"(Train|Test) net output #(\d+): (\S+) = ([.\deE+-]+)")
RATE = re.compile(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)")


@pytest.fixture
def lines(make_solver, tmp_path, caplog):
    """The lines of a whole `solve`, without their heads."""
    solver = make_solver(NET, OPTIONS)
    for net in (solver.net, *solver.test_nets):
        net.blobs["data"].data[...] = [[1, 2, 3], [3, 2, 1]]
        net.blobs["label"].data[...] = [0, 1]
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.solve()
    return [record.getMessage() for record in caplog.records]


def test_a_run_reads_as_caffes_log(lines):
    found = [line for line in lines if not line.startswith("Snapshotting")]
    numbers = [re.sub(r"\([^ ]+ iter/s, [^ ]+s/2 iters\)", "(S)", line) for line in found]
    assert numbers[:9] == [
        "Solving ",
        "Learning Rate Policy: step",
        "Iteration 0, Testing net (#0)",
        "    Test net output #0: accuracy = 0",
        "    Test net output #1: loss = 0.693147 (* 0.5 = 0.346574 loss)",
        "Iteration 0 (S), loss = 0.346574",
        "    Train net output #0: loss = 0.693147 (* 0.5 = 0.346574 loss)",
        "Iteration 0, lr = 0.1",
        "Iteration 2, Testing net (#0)",
    ]
    assert numbers[-1] == "Optimization Done."


def test_parse_log_finds_iterations_rates_and_outputs(lines):
    text = "\n".join(lines)
    assert {int(number) for number in ITERATION.findall(text)} == {0, 2, 4}
    assert [float(rate) for rate, _ in RATE.findall(text)] == [0.1, 0.01]
    outputs = OUTPUT.findall(text)
    assert [name for kind, _, name, _ in outputs if kind == "Train"] == ["loss"] * 2
    assert [name for kind, _, name, _ in outputs if kind == "Test"] == ["accuracy", "loss"] * 3
    losses = [float(value) for kind, _, name, value in outputs if (kind, name) == ("Test", "loss")]
    assert losses[0] == pytest.approx(0.693147) and losses[2] < losses[1] < losses[0]


def test_lines_begin_as_glogs():
    record = logging.LogRecord("recaffe.solver", logging.WARNING, "/x/solver.py", 42, "%d %s", (1, "x"), None)
    record.created = 1700000000.25
    line = GlogFormatter().format(record)
    assert re.fullmatch(r"W\d{4} \d\d:\d\d:\d\d\.250000 +\d+ solver\.py:42\] 1 x", line)


def test_init_log_shows_lines_from_its_level_on(capsys):
    logger = logging.getLogger("recaffe")
    before = list(logger.handlers), logger.level
    try:
        recaffe.init_log(1)
        logging.getLogger("recaffe.net").info("quiet")
        logging.getLogger("recaffe.net").warning("loud")
    finally:
        logger.handlers, logger.level = before[0], before[1]
    assert re.fullmatch(r"W\d{4} .*\] loud\n", capsys.readouterr().err)


def test_displayed_loss_is_the_mean_of_the_latest(make_solver, caplog):
    options = 'base_lr: 0.5 lr_policy: "fixed" display: 1 average_loss: 2'
    solver = make_solver(NET, options)
    solver.net.blobs["data"].data[...] = [[1, 2, 3], [3, 2, 1]]
    solver.net.blobs["label"].data[...] = [0, 1]
    losses, shown = [], []
    with caplog.at_level(logging.INFO, logger="recaffe"):
        solver.step(4)
    for line in (record.getMessage() for record in caplog.records):
        if "Train net output" in line:
            losses.append(float(line.split("= ")[2].split(" ")[0]))
        elif "loss = " in line:
            shown.append(float(line.split("loss = ")[1]))
    assert shown == pytest.approx([losses[0], *((a + b) / 2 for a, b in itertools.pairwise(losses))], rel=1e-5)


def test_test_nets_use_the_weights_of_the_train_net(make_solver):
    solver = make_solver(NET, OPTIONS)
    fixed = solver.test_nets[0].params["ip"][0]
    solver.step(1)
    solver.net.params["ip"][0].data[...] = 3
    assert (fixed.data == 3).all()
