"""HDF5 files as rows of blobs, and blobs as an HDF5 file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import recaffe
import torch
from recaffe.data.errors import DataError
from recaffe.data.hdf5_rows import Hdf5Rows
from recaffe.data.shuffle import libc_random


def _files(folder: Path, *files: dict[str, np.ndarray]) -> str:
    """Files with these datasets, and the list of them."""
    paths = [folder / f"{index}.h5" for index in range(len(files))]
    for path, datasets in zip(paths, files, strict=True):
        with h5py.File(path, "w") as file:
            for name, values in datasets.items():
                file[name] = values
    (folder / "list").write_text("\n".join(map(str, paths)))
    return str(folder / "list")


def _rows(first: int, count: int) -> dict[str, np.ndarray]:
    numbers = np.arange(first, first + count)
    return {"data": np.stack([numbers, -numbers], axis=1).astype(np.float64), "label": numbers}


def test_batches_run_across_files_and_wrap(tmp_path: Path):
    rows = Hdf5Rows(_files(tmp_path, _rows(0, 3), _rows(3, 1), _rows(4, 2)), ["label", "data"], 4, False)
    assert rows.shapes == [(4,), (4, 2)]
    batches = [rows.next_batch() for _ in range(3)]
    assert [labels.tolist() for labels, _ in batches] == [[0, 1, 2, 3], [4, 5, 0, 1], [2, 3, 4, 5]]
    assert batches[1][1].tolist() == [[4, -4], [5, -5], [0, 0], [1, -1]]
    assert batches[0][1].dtype == np.float32


def test_a_batch_may_be_longer_than_all_files(tmp_path: Path):
    rows = Hdf5Rows(_files(tmp_path, _rows(0, 2)), ["label"], 5, False)
    assert rows.next_batch()[0].tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("counts", [(3, 1, 5), (6,)])
def test_shuffling_shows_every_row_once_a_turn(tmp_path: Path, counts: tuple[int, ...]):
    firsts = np.cumsum((0, *counts))
    source = _files(tmp_path, *(_rows(first, count) for first, count in zip(firsts, counts, strict=False)))
    rows = Hdf5Rows(source, ["label"], sum(counts), True)
    turns = [rows.next_batch()[0].tolist() for _ in range(5)]
    assert all(sorted(turn) == list(range(sum(counts))) for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 1


def test_a_state_repeats_exactly_what_came_after_it(tmp_path: Path):
    source = _files(tmp_path, _rows(0, 3), _rows(3, 4), _rows(7, 5))
    rows = Hdf5Rows(source, ["label", "data"], 5, True)
    rows.next_batch()
    state = {key: value.copy() for key, value in rows.state().items()}
    later = [rows.next_batch() for _ in range(8)]
    libc_random.seed(99)
    other = Hdf5Rows(source, ["label", "data"], 5, True)
    other.set_state(state)
    for batch in later:
        assert all(np.array_equal(again, values) for again, values in zip(other.next_batch(), batch, strict=True))


def test_a_state_of_other_files_is_refused(tmp_path: Path):
    rows = Hdf5Rows(_files(tmp_path, _rows(0, 3), _rows(3, 4)), ["label"], 2, False)
    state = rows.state()
    with pytest.raises(DataError, match="list: lists 2 files, but 1 when the state was kept"):
        rows.set_state({**state, "files": np.arange(1)})
    with pytest.raises(DataError, match=r"0\.h5: has 3 rows, but 9 when the state was kept"):
        rows.set_state({**state, "rows": np.arange(9)})


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ({"data": np.zeros((2, 2))}, r"has no dataset 'label' \(the top's name\); it has data"),
        ({"data": np.zeros((2, 3)), "label": np.zeros(2)}, r"rows of 'data' have the shape \(3,\), in .* \(2,\)"),
        ({"data": np.zeros((2, 2)), "label": np.zeros(3)}, "unlike numbers of rows: 'data' 2, 'label' 3"),
        ({"data": np.zeros((0, 2)), "label": np.zeros(0)}, r"'data' has the shape \(0, 2\), expected rows"),
        ({"data": np.float32(1), "label": np.zeros(1)}, r"'data' has the shape \(\), expected rows"),
        ({"data": np.array([b"text"]), "label": np.zeros(1)}, "'data' is of type .*, expected integers or floats"),
        ({"data": np.array([True]), "label": np.zeros(1)}, "'data' is of type bool, expected integers or floats"),
        ({"data/inside": np.zeros(1), "label": np.zeros(1)}, "has no dataset 'data'"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, second: dict, problem: str):
    rows = Hdf5Rows(_files(tmp_path, _rows(0, 2), second), ["data", "label"], 1, False)
    rows.next_batch()
    with pytest.raises(DataError, match=rf"{tmp_path}/1\.h5: .*{problem}"):
        rows.next_batch()


def test_a_size_with_nothing_behind_it_is_refused_before_allocation(tmp_path: Path):
    with h5py.File(tmp_path / "0.h5", "w") as file:
        file.create_dataset("data", shape=(10**9, 10**9), chunks=(1, 100), dtype="f4")
        file.create_dataset("label", shape=(2**27,), chunks=(100,), dtype="f4")
    (tmp_path / "list").write_text(str(tmp_path / "0.h5"))
    for name in ("data", "label"):
        with pytest.raises(DataError, match=rf"0\.h5: dataset '{name}' says .* of which 0 bytes are stored"):
            Hdf5Rows(str(tmp_path / "list"), [name], 1, False)


def test_a_small_dataset_that_was_never_written_to_is_zeros(tmp_path: Path):
    with h5py.File(tmp_path / "0.h5", "w") as file:
        file.create_dataset("label", shape=(3,), dtype="f4")
    (tmp_path / "list").write_text(str(tmp_path / "0.h5"))
    assert Hdf5Rows(str(tmp_path / "list"), ["label"], 3, False).next_batch()[0].tolist() == [0, 0, 0]


def test_what_is_no_list_or_no_hdf5_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="none: the list of HDF5 files cannot be read: No such file"):
        Hdf5Rows(str(tmp_path / "none"), ["data"], 1, False)
    (tmp_path / "list").write_text("\n")
    with pytest.raises(DataError, match="list: lists no HDF5 file"):
        Hdf5Rows(str(tmp_path / "list"), ["data"], 1, False)
    (tmp_path / "list").write_text(f"{tmp_path}/list")
    with pytest.raises(DataError, match=r"list \(listed in .*list\): cannot be read as an HDF5 file"):
        Hdf5Rows(str(tmp_path / "list"), ["data"], 1, False)
    source = _files(tmp_path, _rows(0, 2))
    with pytest.raises(DataError, match="batch_size is 0, expected 1 or more"):
        Hdf5Rows(source, ["data"], 0, False)


OUTPUT = """
layer {{ name: "source" type: "DummyData" top: "a" top: "b" dummy_data_param {{
  shape {{ dim: 3 dim: 2 }} shape {{ dim: {labels} }} data_filler {{ type: "uniform" }} }} }}
layer {{ name: "out" type: "HDF5Output" bottom: "a" bottom: "b" hdf5_output_param {{ file_name: "{path}" }} }}
"""


def test_output_is_whole_after_one_forward_and_a_second_is_refused(tmp_path: Path, make_net: Callable):
    path = tmp_path / "out.h5"
    with h5py.File(path, "w") as older:
        older["old"] = 1
    net = make_net(OUTPUT.format(path=path, labels=3))
    with h5py.File(path) as older:
        assert sorted(older) == ["old"]
    net.forward()
    with h5py.File(path) as file:
        assert sorted(file) == ["data", "label"]
        assert file["data"].shape == (3, 2, 1, 1) and file["label"].shape == (3, 1, 1, 1)
        assert np.array_equal(file["data"][()].ravel(), net.blobs["a"].data.ravel())
        assert np.array_equal(file["label"][()].ravel(), net.blobs["b"].data)
    with pytest.raises(DataError, match=r"out\.h5: HDF5Output has written its batch"):
        net.forward()


def test_output_replaces_no_other_file_and_makes_no_folder(tmp_path: Path, make_net: Callable):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(recaffe.NetError, match=r"would replace .*notes\.txt, which is no HDF5 file"):
        make_net(OUTPUT.format(path=tmp_path / "notes.txt", labels=3))
    with pytest.raises(recaffe.NetError, match=r"there is no folder .*none; make it first"):
        make_net(OUTPUT.format(path=tmp_path / "none" / "out.h5", labels=3))
    with pytest.raises(recaffe.NetError, match="bottoms of 3 and 4 rows"):
        make_net(OUTPUT.format(path=tmp_path / "out.h5", labels=4))
    assert (tmp_path / "notes.txt").read_text() == "mine" and not (tmp_path / "none").exists()


def test_hdf5_data_transforms_nothing(tmp_path: Path, make_net: Callable):
    source = _files(tmp_path, _rows(0, 2))
    with pytest.raises(recaffe.NetError, match="has a transform_param, but transforms nothing"):
        make_net(f"""layer {{ name: "d" type: "HDF5Data" top: "data" transform_param {{ }}
            hdf5_data_param {{ source: "{source}" batch_size: 1 }} }}""")


@pytest.mark.caffe
def test_output_is_what_real_caffe_writes(tmp_path: Path, make_net: Callable, real_caffe, conform):
    make_net(OUTPUT.format(path=tmp_path / "ours.h5", labels=3)).forward()
    (tmp_path / "real.prototxt").write_text(OUTPUT.format(path=tmp_path / "real.h5", labels=3))
    script = "import sys, caffe; caffe.set_random_seed(7); caffe.Net(sys.argv[1], caffe.TRAIN).forward()"
    real_caffe(script, tmp_path / "real.prototxt")
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(tmp_path / "real.h5") as real:
        assert sorted(ours) == sorted(real)
        for name in real:
            assert ours[name].shape == real[name].shape and ours[name].dtype == real[name].dtype
            assert np.array_equal(ours[name][()], real[name][()])
    conform("layers", "HDF5Output", "forward CPU", 0)


@pytest.mark.gpu
def test_output_on_cuda_is_that_on_the_cpu(tmp_path: Path, make_net: Callable, conform):
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    make_net(OUTPUT.format(path=tmp_path / "cpu.h5", labels=3)).forward()
    recaffe.set_mode_gpu()
    try:
        make_net(OUTPUT.format(path=tmp_path / "cuda.h5", labels=3)).forward()
    finally:
        recaffe.set_mode_cpu()
    with h5py.File(tmp_path / "cpu.h5") as cpu, h5py.File(tmp_path / "cuda.h5") as cuda:
        assert all(np.array_equal(cpu[name][()], cuda[name][()]) for name in ("data", "label"))
    conform("layers", "HDF5Output", "forward CUDA", 0)
