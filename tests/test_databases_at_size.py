"""Databases of many frames: every frame opened once, memory that does not grow with them, interrupted at any moment."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import databases, lmdb_builder, parallel
from data_prep.databases import PlannedPatch, build_databases, patch_key
from data_prep.lmdb_reader import read_datums
from layerwise.errors import DataError

ROOT = Path(__file__).resolve().parents[1]
SIZE = 64


def pixels_of(source: str, spec: int, size: int = SIZE) -> np.ndarray:
    """What is cut for a spec of a source: a picture that no other has."""
    rng = np.random.default_rng([int(source.rsplit("-", 1)[1]), spec])
    return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def cut(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
    return (pixels_of(source, spec, size) for spec in specs)


def cut_and_note(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
    folder, name = source.split("|")
    with (Path(folder) / "opened").open("a") as handle:
        handle.write(f"{name}\n")
    return cut(name, specs, size)


def cut_until_killed(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
    if source == "frame-7":
        os.kill(os.getpid(), signal.SIGKILL)
    return cut(source, specs, size)


def cut_what_is_left(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
    if source == "frame-7":
        raise DataError("frame-7.png: the image of 0 bytes cannot be decoded as .png. Restore it from its source.")
    return cut(source, specs, size)


def cut_badly(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
    if source == "frame-7":
        raise ZeroDivisionError("division by zero")
    return cut(source, specs, size)


def plan(n_frames: int, per_frame: int = 3) -> dict[str, list[PlannedPatch]]:
    """Patches of every frame in one split of three, train and val shuffled as an application does."""
    rng = np.random.default_rng(0)
    planned = {}
    for number, split in enumerate(("train", "val", "test")):
        wanted = [(frame, spec) for frame in range(number, n_frames, 3) for spec in range(per_frame)]
        if split != "test":
            wanted = [wanted[k] for k in rng.permutation(len(wanted))]
        planned[split] = [
            PlannedPatch(patch_key(at, f"{f}-{s}"), s % 2, f"v{f}", f"frame-{f}", {"frame_id": f"frame-{f}"}, s)
            for at, (f, s) in enumerate(wanted)
        ]
    return planned


def build(folder: Path, n_frames: int = 30, workers: int = 1, cutting: Any = cut, size: int = SIZE) -> dict[str, Any]:
    planned = plan(n_frames)
    sources = {patch.source_id: patch.source_id for patches in planned.values() for patch in patches}
    return build_databases(planned, sources, cutting, folder, size=size, facts={}, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_record_is_the_patch_that_was_planned_for_its_key(tmp_path: Path, workers: int) -> None:
    build(tmp_path / "db", workers=workers)
    for split, planned in plan(30).items():
        records = list(read_datums(tmp_path / "db" / f"{split}_lmdb"))
        assert [(key, label) for key, label, _ in records] == [(patch.key, patch.label) for patch in planned]
        for patch, (_, _, pixels) in zip(planned, records, strict=True):
            np.testing.assert_array_equal(pixels, pixels_of(patch.source_id, patch.spec)[:, :, ::-1].transpose(2, 0, 1))


def test_the_databases_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    assert build(tmp_path / "one", workers=1) == build(tmp_path / "three", workers=3)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_frame_is_opened_once_for_all_its_patches(tmp_path: Path, workers: int) -> None:
    planned = plan(30)
    sources = {patch.source_id: f"{tmp_path}|{patch.source_id}" for patches in planned.values() for patch in patches}
    build_databases(planned, sources, cut_and_note, tmp_path / "db", size=SIZE, facts={}, workers=workers)
    assert sorted((tmp_path / "opened").read_text().split()) == sorted(sources)


def test_records_are_written_while_later_frames_are_still_to_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = databases.write_lmdb

    def noted_write(path: Path, records: Any) -> Any:
        summary = write(path, records)
        order.append(path.name)
        return summary

    def noted_cut(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
        order.append(f"cut for {('train', 'val', 'test')[int(source.rsplit('-', 1)[1]) % 3]}")
        return cut(source, specs, size)

    monkeypatch.setattr(databases, "write_lmdb", noted_write)
    build(tmp_path / "db", cutting=noted_cut)
    assert order == [
        name for split in ("train", "val", "test") for name in (*[f"cut for {split}"] * 10, f"{split}_lmdb")
    ]


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_builder, "_BATCH_BYTES", 1 << 19)

    def peak_of(n_frames: int) -> int:
        tracemalloc.start()
        try:
            build(tmp_path / str(n_frames), n_frames=n_frames)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_of(60), peak_of(600)
    pixels = 3 * 540 * SIZE * SIZE * 3  # what is cut of the 540 frames more: 20 MB
    assert many - few < pixels / 10


SLOW_BUILD = """
import sys, time
from pathlib import Path
import numpy as np
from data_prep.databases import PlannedPatch, build_databases, patch_key

def cut(source, specs, size):
    time.sleep(0.05)
    return (np.zeros((size, size, 3), np.uint8) for _ in specs)

if __name__ == "__main__":
    names = [f"f{k}" for k in range(int(sys.argv[2]))]
    patches = [PlannedPatch(patch_key(k, name), 0, name, name, {"frame_id": name}, k) for k, name in enumerate(names)]
    plan = {"train": patches, "val": [], "test": []}
    build_databases(plan, dict(zip(names, names)), cut, Path(sys.argv[1]), size=16, facts={}, workers=2)
"""


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc to see the workers")
def test_a_killed_build_leaves_no_database_and_no_process_and_the_next_build_is_whole(tmp_path: Path) -> None:
    script, target = tmp_path / "slow_build.py", tmp_path / "made" / "db"
    script.write_text(SLOW_BUILD)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):  # twice: what the first one leaves is not added to
        _start_and_kill([sys.executable, str(script), str(target), "2000"], environment, target)
        assert [path.name for path in target.parent.iterdir()] == [".db.partial"]
    subprocess.run([sys.executable, str(script), str(target), "8"], env=environment, check=True)
    assert [path.name for path in target.parent.iterdir()] == ["db"]
    assert sum(1 for _ in read_datums(target / "train_lmdb")) == 8
    assert sorted(path.name for path in target.iterdir()) == [
        *("manifest.json", "patches.csv", "test_lmdb", "train_lmdb", "val_lmdb")
    ]


def _start_and_kill(command: list[str], environment: dict[str, str], target: Path) -> None:
    """Kill the build once it has its database open and its two workers, and wait until these have ended too."""
    build = subprocess.Popen(command, env=environment)
    data = target.with_name(".db.partial") / ".train_lmdb.partial" / "data.mdb"
    wait_for(lambda: data.is_file() and len(children_of(build.pid)) > 2)  # and multiprocessing's own helper
    workers = children_of(build.pid)
    build.kill()
    build.wait()
    wait_for(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("cutting", "error", "says"),
    [
        (cut_until_killed, DataError, r"patches: a worker process died.* while these were worked on: .*frame-7"),
        (cut_what_is_left, DataError, r"frame-7.png: the image of 0 bytes"),
        (cut_badly, ZeroDivisionError, "division by zero"),
    ],
)
def test_a_frame_that_fails_in_a_worker_is_named_and_nothing_is_left(
    tmp_path: Path, cutting: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        build(tmp_path / "db", workers=2, cutting=cutting)
    assert list(tmp_path.iterdir()) == []
    if cutting is not cut_until_killed:
        assert raised.value.__notes__ == ["while working on frame-7"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_old_database_stays_when_its_successor_fails(tmp_path: Path, workers: int) -> None:
    made = build(tmp_path / "db")
    with pytest.raises(DataError, match="cannot be decoded"):
        build(tmp_path / "db", workers=workers, cutting=cut_what_is_left)
    assert [path.name for path in tmp_path.iterdir()] == ["db"]
    assert databases.read_json(tmp_path / "db" / "manifest.json") == made


@pytest.mark.parametrize("full_at", ["the spool", "a record"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: str) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if full_at == "the spool":
        monkeypatch.setattr(databases.os, "posix_fallocate", full)
    else:
        monkeypatch.setattr(lmdb_builder, "_commit", full)
    with pytest.raises(DataError, match=r"db.*: the disk is full \(\d+ MiB are free"):
        build(tmp_path / "db")
    assert list(tmp_path.iterdir()) == []


def test_a_patch_of_another_kind_is_refused(tmp_path: Path) -> None:
    def floats(source: str, specs: Sequence[int], size: int) -> Iterator[np.ndarray]:
        return (np.full((size, size, 3), np.nan, np.float32) for _ in specs)

    with pytest.raises(ValueError, match=r"float32 \(64, 64, 3\), expected uint8"):
        build(tmp_path / "db", cutting=floats)
    assert list(tmp_path.iterdir()) == []


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_before_an_error_come_first_and_the_error_says_of_what(workers: int) -> None:
    results = parallel.ordered_map(fail_at_three, list(range(6)), workers, "numbers")
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three") as raised:
        next(results)
    assert raised.value.__notes__ == ["while working on 3"]
