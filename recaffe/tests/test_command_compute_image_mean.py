"""recaffe compute_image_mean against real Caffe's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import data_cases
import lmdb
import numpy as np
import pytest
from recaffe.commands.compute_image_mean import main
from recaffe.commands.flags import UsageError
from recaffe.data.errors import DatabaseError
from recaffe.data.transformer import read_mean_image
from recaffe.proto import caffe_pb2


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data_cases.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _put(path: Path, **fields: object) -> None:
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"99999", caffe_pb2.Datum(**fields).SerializeToString())


@pytest.mark.caffe
@pytest.mark.parametrize(
    ("database", "flags"),
    [("pixels", []), ("floats", ["--backend=lmdb"]), ("encoded_alike", []), ("leveldb", ["-backend", "leveldb"])],
    ids=["pixels", "floats", "encoded", "leveldb"],
)
def test_mean_and_log_are_those_of_real_caffe(
    sources: Path, real_tool: Callable, caplog: pytest.LogCaptureFixture, conform, database: str, flags: list[str]
):
    if not (sources / database).exists():
        pytest.skip("reading a LevelDB needs plyvel")
    with caplog.at_level(logging.INFO, "recaffe"):
        assert main([*flags, database, "ours"]) == 0
    done = real_tool("compute_image_mean", *flags, database, "real", cwd=sources)
    assert done.returncode == 0
    assert (sources / "ours").read_bytes() == (sources / "real").read_bytes()
    wanted = [line.partition("] ")[2] for line in done.stderr.splitlines() if "channel" in line]
    assert [message for message in caplog.messages if "channel" in message] == wanted and len(wanted) == 4
    conform("commands", "compute_image_mean", "result", 0)
    conform("files", "mean, binaryproto", "written", 0)


def test_the_mean_is_that_of_a_plain_loop(sources: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "recaffe"):
        assert main(["pixels", "mean"]) == 0
    with lmdb.open("pixels", readonly=True, lock=False) as environment, environment.begin() as transaction:
        pixels = [caffe_pb2.Datum.FromString(value).data for _, value in transaction.cursor()]
    expected = np.mean([np.frombuffer(data, dtype=np.uint8) for data in pixels], axis=0).reshape(3, 14, 13)
    np.testing.assert_allclose(read_mean_image("mean"), expected, rtol=1e-6)
    assert f"mean_value channel [2]: {expected[2].mean():g}" in caplog.text


def test_without_an_output_file_the_means_are_logged_only(sources: Path, caplog: pytest.LogCaptureFixture):
    before = set(sources.iterdir())
    with caplog.at_level(logging.INFO, "recaffe"):
        assert main(["pixels"]) == 0
    assert "mean_value channel [0]" in caplog.text and set(sources.iterdir()) == before


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"channels": 3, "height": 13, "width": 14, "data": b"x" * 546},
            r"pixels: record b'99999' has the shape \(3, 13, 14\) .* the first one \(3, 14, 13\)",
        ),
        ({"channels": 3, "height": 14, "width": 13, "data": b"x"}, r"record b'99999' of shape .* has 1 values"),
        ({"encoded": True, "data": b"x"}, "record b'99999' of 1 bytes is no image"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_named_and_nothing_written(sources: Path, fields: dict, problem: str):
    _put(sources / "pixels", **fields)
    with pytest.raises(DatabaseError, match=problem):
        main(["pixels", "mean_of_pixels"])
    assert not (sources / "mean_of_pixels").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], r"0 arguments, expected one or two: INPUT_DB \[OUTPUT_FILE\]"),
        (["a", "b", "c"], "3 arguments, expected one or two"),
        (["--backend=sqlite", "a"], "--backend is 'sqlite', expected 'lmdb' or 'leveldb'"),
    ],
)
def test_a_command_line_that_cannot_work_is_refused(arguments: list[str], problem: str):
    with pytest.raises(UsageError, match=problem):
        main(arguments)
