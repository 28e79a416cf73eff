"""recaffe convert_imageset against real Caffe's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import data_cases
import lmdb
import numpy as np
import pytest
from recaffe.commands.convert_imageset import main
from recaffe.commands.flags import UsageError
from recaffe.data.cursor import open_cursor
from recaffe.data.errors import DataError
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with images of several kinds and sizes in a folder, and a list of them."""
    monkeypatch.chdir(tmp_path)
    numbers = np.random.RandomState(0)
    (tmp_path / "images" / "sub").mkdir(parents=True)
    names = ["a.png", "sub/b.PNG", "c d.bmp", "e.jpg", "f.jpeg", "gray.png", "alpha.png"]
    for name, channels in zip(names, (3, 3, 3, 3, 3, 1, 4), strict=True):
        pixels = numbers.randint(0, 256, (9 + len(name), 14, channels), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / name), cv2.GaussianBlur(pixels, (5, 5), 2))
    (tmp_path / "images" / "no_ending").write_bytes((tmp_path / "images" / "a.png").read_bytes())
    (tmp_path / "list").write_text("".join(f"{name} {index - 1}\n" for index, name in enumerate(names)))
    return tmp_path


def _records(path: Path) -> dict[bytes, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return dict(transaction.cursor())


def _datums(path: Path) -> list[caffe_pb2.Datum]:
    return [caffe_pb2.Datum.FromString(value) for value in _records(path).values()]


@pytest.mark.caffe
@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--gray"],
        ["--resize_width=12", "-resize_height", "7"],
        ["--resize_width=5"],
        ["--encoded"],
        ["--encoded", "--encode_type=bmp"],
        ["--encoded", "--encode_type=jpg"],
        ["--encode_type=pgm", "-gray"],
        ["--encoded", "--gray", "--encode_type=png"],
        ["--resize_height=20", "--resize_width=30", "--encode_type", "bmp"],
        ["--check_size", "--resize_height=9", "--resize_width=9"],
    ],
    ids=lambda flags: " ".join(flags) or "plain",
)
def test_records_are_byte_for_byte_those_of_real_caffe(folder: Path, real_tool: Callable, conform, flags: list[str]):
    assert main([*flags, "images/", "list", "ours"]) == 0
    assert real_tool("convert_imageset", *flags, "images/", "list", "real", cwd=folder).returncode == 0
    ours, real = _records(folder / "ours"), _records(folder / "real")
    assert list(ours) == list(real) and len(ours) == 7
    assert ours == real
    conform("commands", "convert_imageset", "result", 0)
    conform("files", "LMDB", "written", 0)


@pytest.mark.caffe
def test_databases_pass_between_the_engines(folder: Path, real_tool: Callable, conform):
    flags = ["--resize_height=9", "--resize_width=8"]
    assert main([*flags, "images/", "list", "ours"]) == 0
    for backend in ("lmdb", "leveldb") if data_cases.HAS_LEVELDB else ("lmdb",):
        command = ["convert_imageset", *flags, f"--backend={backend}", "images/", "list", backend]
        assert real_tool(*command, cwd=folder).returncode == 0
        cursor = open_cursor(backend, caffe_pb2.DataParameter.DB.Value(backend.upper()))
        found = [(cursor.key, cursor.value)]
        while cursor.next():
            found.append((cursor.key, cursor.value))
        assert found == list(_records(folder / "ours").items())
        conform("files", {"lmdb": "LMDB", "leveldb": "LevelDB"}[backend], "read", 0)
    for database in ("ours", "lmdb"):
        assert real_tool("compute_image_mean", database, f"mean_{database}", cwd=folder).returncode == 0
    assert Path("mean_ours").read_bytes() == Path("mean_lmdb").read_bytes()


def test_keys_are_numbers_and_paths_and_values_raw_pixels(folder: Path):
    assert main(["images/", "list", "db"]) == 0
    assert list(_records(folder / "db"))[:3] == [b"00000000_a.png", b"00000001_sub/b.PNG", b"00000002_c d.bmp"]
    datum = _datums(folder / "db")[2]
    image = cv2.imread("images/c d.bmp")
    assert (datum.channels, datum.height, datum.width, datum.label) == (3, *image.shape[:2], 1)
    assert datum.data == image.transpose(2, 0, 1).tobytes() and datum.HasField("encoded") and not datum.encoded


def test_shuffling_takes_the_order_from_the_random_stream(folder: Path):
    for name in ("db", "again"):
        global_stream.seed(4)
        assert main(["--shuffle", "images/", "list", name]) == 0
    labels = [datum.label for datum in _datums(folder / "db")]
    assert sorted(labels) == list(range(-1, 6)) and labels != sorted(labels)
    assert _records(folder / "db") == _records(folder / "again")


def test_images_that_cannot_be_read_are_left_out_and_named(folder: Path, caplog: pytest.LogCaptureFixture):
    Path("list").write_text("a.png 0\nmissing.png 1\nbroken.png 2\ne.jpg 3\n")
    Path("images/broken.png").write_bytes(b"no image")
    with caplog.at_level(logging.INFO, "recaffe"):
        assert main(["images/", "list", "db"]) == 0
    assert list(_records(folder / "db")) == [b"00000000_a.png", b"00000003_e.jpg"]
    assert "images/missing.png: the image cannot be read: No such file" in caplog.text
    assert "images/broken.png: the image of 8 bytes is no image" in caplog.text
    assert "list: left out 2 of 4 images" in caplog.text


@pytest.mark.parametrize(
    ("flags", "content", "problem"),
    [
        (["--check_size"], "a.png 0\nsub/b.PNG 1\n", r"b\.PNG: has the shape \(3, 18, 14\) .* first one \(3, 14, 14\)"),
        ([], "a.png 0\nsub/b.PNG\n", "list:2: 'sub/b.PNG', expected a path, a blank and a label"),
        ([], "x.png 0\ny.png 0\n", "list: none of its images can be read"),
        ([], "", "list: the list of images is empty"),
        ([], None, "list: the list of images cannot be read: No such file"),
    ],
)  # fmt: skip
def test_nothing_is_left_behind_where_it_cannot_be_done(
    folder: Path, flags: list[str], content: str | None, problem: str
):
    Path("list").unlink()
    if content is not None:
        Path("list").write_text(content)
    before = set(folder.iterdir())
    with pytest.raises(DataError, match=problem):
        main([*flags, "images/", "list", "db"])
    assert set(folder.iterdir()) == before


def test_an_ending_that_names_no_encoding_is_refused(folder: Path):
    Path("list").write_text("a.png 0\nno_ending 1\n")
    assert main(["--encoded", "--encode_type=png", "images/", "list", "encoded"]) == 0
    with pytest.raises(DataError, match=r"no_ending: the image cannot be encoded as .*; give another --encode"):
        main(["--encoded", "images/", "list", "guessed"])
    assert not Path("guessed").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["images/", "list"], "2 arguments, expected three: ROOTFOLDER/ LISTFILE DB_NAME"),
        (["--backend=leveldb", "images/", "list", "db"], "--backend is 'leveldb', expected 'lmdb'"),
        (["--check_size", "--encoded", "images/", "list", "db"], "--check_size .* cannot be used with --encoded"),
    ],
)
def test_a_command_line_that_cannot_work_is_refused(arguments: list[str], problem: str):
    with pytest.raises(UsageError, match=problem):
        main(arguments)
