from __future__ import annotations

import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2

from data_prep.lmdb_reader import export_patches, read_datums
from layerwise.errors import DataError


def write(path, records):
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as txn:
        for key, shape, label, data in records:
            datum = caffe_pb2.Datum(channels=shape[0], height=shape[1], width=shape[2], data=data, label=label)
            txn.put(key.encode(), datum.SerializeToString())
    return path


def test_patches_come_in_key_order_with_their_labels(tmp_path):
    pixels = {key: np.full((3, 2, 2), value, np.uint8) for key, value in (("b", 2), ("a", 1), ("c", 3))}
    path = write(tmp_path / "db", [(key, (3, 2, 2), int(p[0, 0, 0]), p.tobytes()) for key, p in pixels.items()])
    keys, labels = export_patches(path, tmp_path / "patches.npy")
    assert keys == ["a", "b", "c"]
    assert labels.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(np.load(tmp_path / "patches.npy"), np.stack([pixels[key] for key in keys]))


def test_datum_with_too_few_pixels_names_its_key(tmp_path):
    path = write(tmp_path / "db", [("00000007_x", (3, 2, 2), 0, b"short")])
    with pytest.raises(DataError, match="00000007_x: 5 bytes"):
        list(read_datums(path))


def test_patches_of_two_sizes_are_refused_and_leave_no_file(tmp_path):
    path = write(tmp_path / "db", [("a", (3, 2, 2), 0, bytes(12)), ("b", (3, 1, 1), 0, bytes(3))])
    with pytest.raises(DataError, match=r"key b: a patch of \(3, 1, 1\)"):
        export_patches(path, tmp_path / "patches.npy")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "db"]


def test_folder_that_is_no_database_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no data\.mdb"):
        list(read_datums(tmp_path))
