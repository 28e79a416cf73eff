"""Drawn and damaged prototxt and old nets: accepted, refused and understood as real Caffe's own code does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fuzz_cases
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recaffe.proto import caffe_pb2, text, upgrade

Read = Callable[..., tuple[str, Any]]
pytestmark = [pytest.mark.caffe, pytest.mark.filterwarnings("ignore:.*Caffe ignores")]
many = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
_MESSAGES = st.sampled_from([caffe_pb2.NetParameter, caffe_pb2.SolverParameter])


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    """fuzz_cases.real_parser: real Caffe's answer to a file, and what it reads."""
    python = Path(os.environ.get("CAFFE_PYTHON", Path(__file__).parents[2] / ".caffe" / "caffe-python"))
    if not python.exists():
        pytest.skip(f"no real Caffe at {python}: run `make caffe`, or name its Python in $CAFFE_PYTHON")
    with fuzz_cases.real_parser(python, tmp_path_factory.mktemp("real")) as reader:
        yield reader


def _bytes(message: Any) -> bytes:
    return message.SerializeToString(deterministic=True)


@many
@given(st.data())
def test_every_notation_is_read_as_caffe_reads_it(read: Read, data: st.DataObject):
    message = data.draw(_MESSAGES.flatmap(fuzz_cases.messages))
    content = data.draw(fuzz_cases.notations(message))
    answer, real = read(type(message), content.encode())
    assert answer == "read" and _bytes(real) == _bytes(message)
    assert _bytes(text.parse(content, type(message))) == _bytes(message)


@many
@given(st.data())
def test_damaged_prototxt_is_refused_where_caffe_refuses_it(read: Read, data: st.DataObject):
    message = data.draw(_MESSAGES.flatmap(fuzz_cases.messages))
    content = data.draw(fuzz_cases.notations(message).flatmap(fuzz_cases.damaged))
    answer, real = read(type(message), content.encode())
    try:
        ours = text.parse(content, type(message))
    except text.ProtoTextError as error:
        assert answer == "refused" or error.problem.endswith("is not UTF-8")  # which Caffe does not mind
    else:
        assert answer == "read" and _bytes(ours) == _bytes(real)


@many
@given(st.data())
def test_old_nets_are_upgraded_or_refused_as_caffe_does(read: Read, data: st.DataObject):
    drawn = st.one_of(fuzz_cases.v0_nets(), fuzz_cases.v1_nets(), fuzz_cases.messages(caffe_pb2.NetParameter))
    net = data.draw(drawn)
    answer, real = read(caffe_pb2.NetParameter, net.SerializeToString(), "binary", upgrade=True)
    try:
        upgrade.upgrade_net(net)
    except upgrade.UpgradeError as error:
        assert answer in ("died", "complains") or _is_our_choice(str(error))
    else:
        assert answer == "read" and _bytes(net) == _bytes(real)
        upgrade.upgrade_net(net)
        assert _bytes(net) == _bytes(real)


def _is_our_choice(problem: str) -> bool:
    """What Caffe reads past the end of, or drops in silence, and we refuse."""
    choices = ("shapes; give one", "give 4 for each input", "are mixed", "in silence", "unknown V0 type ''")
    return any(choice in problem for choice in choices)


@many
@given(fuzz_cases.messages(caffe_pb2.SolverParameter))
def test_old_solvers_are_upgraded_or_refused_as_caffe_does(read: Read, solver: Any):
    answer, real = read(caffe_pb2.SolverParameter, solver.SerializeToString(), "binary", upgrade=True)
    try:
        upgrade.upgrade_solver(solver)
    except upgrade.UpgradeError:
        assert answer == "died"
    else:
        assert answer == "read" and _bytes(solver) == _bytes(real)
