"""The measurement of databases compares what it times, record by record, with real Caffe's own tool."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest

from data_prep.lmdb_builder import datum_key, encode_datum, write_lmdb
from layerwise.errors import DataError, EngineError
from tools import bench_data


def database(path: Path, values: list[bytes], name: str = "a.png") -> Path:
    write_lmdb(path, [(datum_key(index, name), value) for index, value in enumerate(values)])
    return path


def datums(n: int) -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return [encode_datum(patch, index % 2) for index, patch in enumerate(pixels)]


@pytest.mark.caffe
@pytest.mark.parametrize("form", bench_data.FORMS)
def test_databases_of_both_have_the_same_keys_pixels_and_labels(tmp_path: Path, form: str) -> None:
    try:
        bench_data.convert_imageset()
    except EngineError as error:
        pytest.skip(str(error))
    pairs, n_same = bench_data.measure(tmp_path, form, n=23, rounds=1, workers=2)
    assert n_same == 23
    assert all(side.wall_s > 0 and side.cpu_s > 0 for side in pairs[0])
    with lmdb.open(str(tmp_path / "theirs"), readonly=True, lock=False) as environment:
        assert environment.stat()["entries"] == 23


def test_equal_databases_are_counted(tmp_path: Path) -> None:
    values = datums(3)
    ours = database(tmp_path / "ours", values)
    assert bench_data.compare(ours, database(tmp_path / "same", values)) == 3


@pytest.mark.parametrize("change", ["pixel", "key", "fewer"])
def test_any_other_difference_is_an_error(tmp_path: Path, change: str) -> None:
    values = datums(3)
    ours = database(tmp_path / "ours", values)
    if change == "pixel":
        values[2] = encode_datum(np.zeros((6, 6, 3), np.uint8), 0)
    theirs = database(
        tmp_path / "theirs", values[: 2 if change == "fewer" else 3], "b.png" if change == "key" else "a.png"
    )
    with pytest.raises(DataError, match={"pixel": "00000002_a", "key": "b.png", "fewer": "no record"}[change]):
        bench_data.compare(ours, theirs)


def test_without_real_caffe_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_data, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="make caffe"):
        bench_data.convert_imageset()


def test_report_gives_rates_and_the_ratio_of_each_round() -> None:
    pairs = [
        (bench_data.Round(4.0, 4.0), bench_data.Round(2.0, 3.0)),
        (bench_data.Round(3.0, 4.0), bench_data.Round(1.0, 3.0)),
    ]
    text = bench_data.report("whole", 100, pairs, 100)
    assert "ratio 2.50 (2.00 to 3.00)" in text
    assert "29 images/s  40.00 ms of a core" in text
    assert "67 images/s  30.00 ms of a core" in text
