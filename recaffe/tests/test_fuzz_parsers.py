"""Whatever a file holds: only documented errors, each with the file's name; and no file is made, no code run."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import fuzz_cases
import pytest
import recaffe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recaffe import blob
from recaffe.net import Net
from recaffe.proto import caffe_pb2, files, text, upgrade

TESTS = Path(__file__).resolve().parent
NETS = [text.parse(path.read_text(), caffe_pb2.NetParameter) for path in sorted(TESTS.glob("cases/*/*.prototxt"))]
SOLVER = """
net_param {
  layer { name: "data" type: "DummyData" top: "x" top: "y" dummy_data_param {
    shape { dim: [2, 3] } shape { dim: 2 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
  layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
          inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "y" top: "loss" }
}
base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.9 weight_decay: 0.1 max_iter: 4 random_seed: 1
test_iter: 1 test_interval: 2 type: "SGD" iter_size: 1 solver_mode: CPU snapshot_prefix: "run"
"""
WEIGHTS = 'layer { name: "fc" type: "InnerProduct" blobs { shape { dim: [2, 3] } data: [1, 2, 3, 4, 5, 6] } blobs { '
WEIGHTS += "shape { dim: 2 } data: [7, 8] } }"
pytestmark = pytest.mark.filterwarnings("ignore")
many = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Blobs are kept small by the limit that stands for Caffe's INT_MAX, and the folder is one of our own."""
    monkeypatch.setattr(blob, "_MOST_VALUES", 2**16)
    monkeypatch.chdir(tmp_path)
    logging.getLogger("recaffe").setLevel(logging.CRITICAL)


@many
@given(st.data())
def test_damaged_prototxt_is_read_or_refused_with_its_place(data: st.DataObject):
    whole = data.draw(st.sampled_from(NETS))
    content = data.draw(fuzz_cases.damaged(text.format(whole)))
    try:
        files.parse_text(content.encode(), caffe_pb2.NetParameter, "a.prototxt")
    except text.ProtoTextError as error:
        lines = content.split("\n")
        assert error.filename == "a.prototxt" and 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
    except files.ProtoFileError as error:
        assert "\0" in content and str(error).startswith("a.prototxt: byte")


@many
@given(st.data())
def test_damaged_caffemodel_is_copied_or_refused_by_name(tmp_path: Path, data: st.DataObject):
    net = Net.from_param(text.parse(SOLVER, caffe_pb2.SolverParameter).net_param)
    param = data.draw(fuzz_cases.mutated(text.parse(WEIGHTS, caffe_pb2.NetParameter)))
    content = bytearray(param.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1)) : data.draw(st.integers(0, len(content)))] = data.draw(
            st.sampled_from([b"", b"\xff", b"\xff\xff\xff\xff\x0f", b"\x0a", b"\xa2\x06"])
        )
        content = content or bytearray(b"\0")
    path = tmp_path / "a.caffemodel"
    path.write_bytes(content)
    try:
        net.copy_from(str(path))
    except recaffe.CaffeError as error:
        assert str(path) in str(error) or "'fc'" in str(error)


@many
@given(st.one_of(fuzz_cases.v0_nets(), fuzz_cases.v1_nets(), fuzz_cases.messages(caffe_pb2.NetParameter)))
def test_upgrade_ends_in_todays_form_or_names_the_file(net: Any):
    try:
        upgrade.upgrade_net(net, "a.prototxt")
    except upgrade.UpgradeError as error:
        assert str(error).startswith("a.prototxt: ")
        return
    assert not net.layers and not net.input
    once = net.SerializeToString(deterministic=True)
    upgrade.upgrade_net(net)
    assert net.SerializeToString(deterministic=True) == once


@settings(many, max_examples=250)
@given(st.data())
def test_mutated_net_runs_or_is_refused(data: st.DataObject):
    net = data.draw(fuzz_cases.mutated(data.draw(st.sampled_from(NETS))))
    try:
        built = Net.from_param(net)
        built.forward()
        built.backward()
    except recaffe.CaffeError as error:
        assert str(error)


@many
@given(st.data())
def test_mutated_solver_steps_or_is_refused(tmp_path: Path, data: st.DataObject):
    param = data.draw(fuzz_cases.mutated(text.parse(SOLVER, caffe_pb2.SolverParameter)))
    param.snapshot_prefix, param.iter_size = str(tmp_path / "run"), min(param.iter_size, 3)
    param.test_iter[:] = [min(count, 3) for count in param.test_iter]  # what is asked for, however long it takes
    path = tmp_path / "solver.prototxt"
    files.write_text(path, param)
    try:
        recaffe.get_solver(str(path)).step(2)
    except recaffe.CaffeError as error:
        assert str(error)


def test_net_and_solver_of_a_file_make_no_file_but_snapshots(tmp_path: Path):
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER)
    solver = recaffe.get_solver(str(path))
    solver.step(3)
    assert [entry.name for entry in tmp_path.iterdir()] == ["solver.prototxt"]
    solver.snapshot()
    made = {entry.name for entry in tmp_path.iterdir()} - {"solver.prototxt"}
    assert made == {"run_iter_3.caffemodel", "run_iter_3.solverstate"}


AUDITED = """
import sys
import recaffe
seen = []
def audit(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if writes or event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork")):
        seen.append((event, arguments))
recaffe.get_solver("solver.prototxt").step(0)  # loads torch, whose own start is not what is looked at
sys.addaudithook(audit)
recaffe.get_solver("solver.prototxt").step(3)
recaffe.Net("net.prototxt", recaffe.TRAIN).forward()
print(seen)
"""


def test_net_and_solver_of_a_file_open_nothing_to_write_no_network_and_no_process(tmp_path: Path):
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    files.write_text(tmp_path / "net.prototxt", text.parse(SOLVER, caffe_pb2.SolverParameter).net_param)
    done = subprocess.run([sys.executable, "-c", AUDITED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
