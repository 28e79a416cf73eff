"""Batches made ahead: their order, what set-up takes from the random stream, states, and the thread's life."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import data_cases
import numpy as np
import pytest
import recaffe
from recaffe.data.database_loader import DatabaseLoader
from recaffe.data.errors import DataError
from recaffe.data.image_loader import ImageLoader
from recaffe.data.prefetch import Batch, Loader, Prefetcher
from recaffe.data.window_loader import WindowLoader
from recaffe.proto import caffe_pb2, text
from recaffe.random_stream import RandomStream

TRAIN, TEST = caffe_pb2.TRAIN, caffe_pb2.TEST
LOADERS = {"Data": DatabaseLoader, "ImageData": ImageLoader, "WindowData": WindowLoader}
RANDOM = "mirror: true crop_size: 9"
DATA = 'type: "Data" data_param { source: "pixels" backend: LMDB batch_size: 3 }'
IMAGES = 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 3 shuffle: true }'
WINDOWS = 'type: "WindowData" window_data_param { source: "windows.txt" batch_size: 3 }'


def _with(content: str, options: str) -> str:
    return content.replace("3", f"3 {options}")


KINDS = pytest.mark.parametrize("content", [DATA, IMAGES, WINDOWS], ids=["Data", "ImageData", "WindowData"])


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    data_cases.write(folder)
    return folder


@pytest.fixture(autouse=True)
def _in_sources(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sources)


def _loader(content: str, transform: str = "", phase: int = TRAIN, stream: RandomStream | None = None) -> Loader:
    content = f'name: "data" {content} transform_param {{ {transform} }}'
    param = text.parse(content, caffe_pb2.LayerParameter)
    return LOADERS[param.type](param, phase, stream or RandomStream(1))


def _prefetcher(content: str, transform: str = "", phase: int = TRAIN, seed: int = 1) -> Prefetcher:
    return Prefetcher(_loader(content, transform, phase, RandomStream(seed)), 4)


def test_batches_follow_the_keys_and_wrap():
    prefetcher = _prefetcher(DATA, phase=TEST)
    labels = [prefetcher.next_batch().labels.tolist() for _ in range(3)]
    assert labels == [[0, 1, 2], [3, 4, 5], [6, 0, 1]]
    prefetcher.close()


@pytest.mark.parametrize(
    ("content", "transform", "phase", "words"),
    [
        (DATA, "", TRAIN, 1),
        (DATA, "crop_size: 4", TEST, 1),
        (DATA, "crop_size: 4", TRAIN, 3),
        (DATA, "mirror: true", TEST, 3),
        (IMAGES, "crop_size: 4", TEST, 2),
        (IMAGES, "crop_size: 4", TRAIN, 4),
        (_with(IMAGES, "rand_skip: 2"), "crop_size: 4", TRAIN, 5),
        (WINDOWS, "crop_size: 4", TEST, 2),
        (WINDOWS, "crop_size: 4", TRAIN, 4),
    ],
)
def test_set_up_takes_as_many_words_as_caffe(content: str, transform: str, phase: int, words: int):
    stream = RandomStream(5)
    _loader(content, transform, phase, stream)
    assert stream.word() == RandomStream(5).words(words + 1)[-1]


@KINDS
def test_a_state_repeats_exactly_what_came_after_it(content: str):
    prefetcher = _prefetcher(content, RANDOM, seed=2)
    start = prefetcher.state()
    first = prefetcher.next_batch()
    state = {key: value.copy() for key, value in prefetcher.state().items()}
    later = [prefetcher.next_batch() for _ in range(9)]

    other = _prefetcher(content, RANDOM, seed=99)
    other.next_batch()
    other.set_state(state)
    assert all(np.array_equal(other.state()[key], value) for key, value in state.items())
    for batch in later:
        again = other.next_batch()
        assert np.array_equal(again.data, batch.data) and np.array_equal(again.labels, batch.labels)
    other.set_state(start)
    assert np.array_equal(other.next_batch().data, first.data)
    prefetcher.close()
    other.close()


@KINDS
def test_how_many_are_made_ahead_changes_nothing(content: str):
    batches = [[prefetcher.next_batch().data for _ in range(8)] for prefetcher in
               (Prefetcher(_loader(content, RANDOM), ahead) for ahead in (1, 6))]  # fmt: skip
    assert all(np.array_equal(one, six) for one, six in zip(*batches, strict=True))


def test_a_state_of_another_source_is_refused():
    database, images = _prefetcher(DATA), _prefetcher(IMAGES)
    with pytest.raises(DataError, match="pixels: has no record b'other'"):
        database.set_state({"key": np.frombuffer(b"other", dtype=np.uint8)})
    with pytest.raises(DataError, match=r"list\.txt: lists 7 images, but 9 when the state was kept"):
        images.set_state({"order": np.arange(9), "next": np.array(0)})
    with pytest.raises(DataError, match="has no random stream 'shuffle'; was it another net"):
        images.set_state({"order": np.arange(7), "next": np.array(0)})


@pytest.mark.parametrize(
    "change", [{"pos": np.array(625)}, {"key": np.zeros(3, dtype=np.uint32)}, {"unread": np.array(1)}]
)
def test_a_damaged_random_state_is_refused(change: dict[str, np.ndarray]):
    prefetcher = _prefetcher(WINDOWS, RANDOM)
    state = {**prefetcher.state(), **{f"sample_{part}": value for part, value in change.items()}}
    with pytest.raises(DataError, match="random stream 'sample' is damaged"):
        prefetcher.set_state(state)


def test_forcing_colors_of_raw_records_is_warned_of(caplog: pytest.LogCaptureFixture):
    _loader(DATA, "force_gray: true")
    assert "layer 'data': force_color and force_gray act on encoded records only" in caplog.text


def test_an_error_comes_when_its_batch_is_asked_for(tmp_path: Path):
    for name in ("image0.png", "image5.png"):
        (tmp_path / name).write_bytes((Path("images") / name).read_bytes())
    (tmp_path / "list").write_text(f"{tmp_path}/image0.png 1\n{tmp_path}/image5.png 1\n{tmp_path}/image6.png 2\n")
    prefetcher = _prefetcher(f'type: "ImageData" image_data_param {{ source: "{tmp_path}/list" batch_size: 2 }}')
    assert prefetcher.next_batch().labels.tolist() == [1, 1]
    with pytest.raises(DataError, match=rf"{tmp_path}/list:3: .*/image6.png: the image cannot be read: No such"):
        prefetcher.next_batch()
    prefetcher.close()


class _Slow:
    """A loader that takes 0.2 s a batch."""

    shape = (1, 1, 1, 1)

    def load(self) -> Batch:
        time.sleep(0.2)
        return Batch(np.zeros(self.shape, dtype=np.float32), np.zeros(1, dtype=np.float32), {})

    def state(self) -> dict[str, np.ndarray]:
        return {}

    def set_state(self, state: object) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("how", ["dropped", "closed"])
def test_a_prefetcher_ends_its_thread_after_the_batch_being_made(how: str):
    before = threading.active_count()
    prefetcher = Prefetcher(_Slow(), 50)
    assert threading.active_count() == before  # no thread before there is work
    prefetcher.next_batch()
    assert threading.active_count() == before + 1
    start = time.monotonic()
    if how == "closed":
        prefetcher.close()
    del prefetcher
    gc.collect()
    assert threading.active_count() == before
    assert time.monotonic() - start < 5


def test_the_process_waits_for_the_batch_being_made_only():
    script = """
import sys, time
sys.path[:0] = sys.argv[1:]
from test_data_prefetch import Prefetcher, _Slow
prefetcher = Prefetcher(_Slow(), 200)
prefetcher.next_batch()
"""
    folders = [str(Path(__file__).parent), str(Path(recaffe.__file__).parents[1])]
    done = subprocess.run([sys.executable, "-c", script, *folders], timeout=30, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("content", "transform", "problem"),
    [
        (DATA.replace("3 }", "0 }"), "", "pixels: batch_size is 0, expected 1 or more"),
        (DATA, "crop_size: 15", r"pixels: record b'00000' of shape \(3, 14, 13\) is smaller than crop_size 15"),
        (DATA, 'mean_file: "none"', "layer 'data': .*'none'"),
        (IMAGES, "crop_size: 16", r"list.txt:\d: the image images/image\d.png of shape .* is smaller than"),
        (_with(IMAGES, "new_width: 5"), "", "new_height and new_width are given together"),
        (_with(IMAGES, "rand_skip: 90"), "", r"list.txt: rand_skip skips \d+ images, but there are 7"),
        (WINDOWS, "", "crop_size is 0, expected more than 0"),
        (_with(WINDOWS, "context_pad: 5"), RANDOM, "crop_size is 9, .* than twice the context_pad of 5"),
        (_with(WINDOWS, "fg_fraction: 1.5"), RANDOM, r"fg_fraction is 1\.5, expected 0 to 1"),
        (WINDOWS, RANDOM + " mean_value: [1, 2]", "has 2 mean_value, expected 1 or 3"),
        (WINDOWS, 'crop_size: 20 mean_file: "window_mean"', r"mean_file has the shape \(3, 20, 19\)"),
        (_with(WINDOWS, 'root_folder: "no" cache_images: true'), RANDOM, "noimages/image0.png: the image"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_at_set_up(content: str, transform: str, problem: str):
    with pytest.raises(DataError, match=problem):
        _loader(content, transform)


@pytest.mark.parametrize("ahead", [0, 2**32 - 1])
def test_no_batch_ahead_and_too_many_are_refused(ahead: int):
    with pytest.raises(DataError, match=f"prefetch is {ahead}, expected 1 to 1024"):
        Prefetcher(_loader(DATA), ahead)
