"""What a folder of real frames has in it besides frames: odd files are decoded, broken ones listed, never guessed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.frames_index import build_index, examine
from data_prep.frames_patches import cut
from data_prep.frames_readers import FrameRef
from data_prep.polyp_readers import read_image_rgb
from layerwise.errors import DataError
from layerwise.files import read_csv

GREY = np.random.default_rng(0).integers(0, 256, (80, 100), np.uint8)
COLOUR = np.dstack([GREY, GREY.T.copy().reshape(80, 100), 255 - GREY])


def ref(path: Path) -> FrameRef:
    return FrameRef(path.stem, "v", path, True, "informative")


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    good, data = cv2.imencode(suffix, pixels)
    assert good
    return data.tobytes()


def claims_to_be_huge() -> bytes:
    """A PNG of a hundred bytes whose header says 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".png", ".bmp"])
def test_a_single_channel_image_becomes_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"grey{suffix}"
    path.write_bytes(encoded(suffix, GREY))
    assert examine(ref(path)).problem == ""
    np.testing.assert_array_equal(read_image_rgb(path), np.dstack([GREY] * 3))
    (crop,) = cut(path, [(0, 0)], 48)
    assert crop.shape == (48, 48, 3)


def test_a_fourth_channel_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rgba.png"
    path.write_bytes(encoded(".png", np.dstack([COLOUR, GREY])))
    np.testing.assert_array_equal(read_image_rgb(path)[..., ::-1], COLOUR)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("empty.png", lambda: b"", "cannot be decoded"),
        ("text.jpg", lambda: b"<html>not found</html>", "cannot be decoded"),
        ("half.png", lambda: encoded(".png", COLOUR)[:9000], "cannot be decoded"),
        ("half.jpg", lambda: encoded(".jpg", COLOUR)[:5000], "cannot be decoded"),
        ("not-a-number.tif", lambda: encoded(".tif", np.full((80, 100), np.nan, np.float32)), "cannot be decoded"),
        ("huge.png", claims_to_be_huge, "pixels"),
        ("icon.png", lambda: encoded(".png", COLOUR[:32, :32]), "32x32 pixels, no frame of a video"),
    ],
)
def test_what_is_no_frame_has_a_problem_that_names_it(
    tmp_path: Path, name: str, make: Callable[[], bytes], reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    assert reason in examine(ref(path)).problem


def test_broken_files_among_a_thousand_are_counted_and_listed(tmp_path: Path) -> None:
    data = encoded(".png", COLOUR)
    paths = [tmp_path / "raw" / f"{k}.png" for k in range(1000)]
    (tmp_path / "raw").mkdir()
    for path in paths:
        path.write_bytes(data)
    paths[7].write_bytes(data[:100])
    paths[500].unlink()
    refs = [FrameRef(path.stem, f"v{k % 20}", path, k % 3 == 0, "") for k, path in enumerate(paths)]
    facts = {"test_fraction": 0.5, "val_fraction": 0.2, "facts": {}, "workers": 1}
    record = build_index(refs, tmp_path / "set" / "frames", seed=0, **facts)
    assert record["skipped"] == 2
    assert sum(split["frames"] for split in record["counts"].values()) == 998
    skipped = {row["frame_id"]: row["reason"] for row in read_csv(tmp_path / "set" / "frames" / "skipped.csv")}
    assert set(skipped) == {"7", "500"}
    assert "cannot be decoded" in skipped["7"]
    assert "there is no such file" in skipped["500"]


def test_a_csv_of_files_that_are_not_there_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    refs = [FrameRef(str(k), f"v{k}", tmp_path / f"{k}.png", k % 2 == 0, "") for k in range(20)]
    with pytest.raises(DataError, match=r"20 of 20 frames cannot be read.*there is no such file"):
        build_index(refs, tmp_path / "frames", seed=0, test_fraction=0.5, val_fraction=0.2, facts={}, workers=1)
    assert not list(tmp_path.iterdir())
