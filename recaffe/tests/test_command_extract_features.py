"""recaffe extract_features against real Caffe's."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest
import recaffe
from recaffe.commands import main
from recaffe.proto import caffe_pb2

NET = """
name: "features"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 3 backend: LMDB }
        transform_param { scale: 0.01 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder, made the working directory, with a database of 8 images, a net and its weights."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    with lmdb.open("db", map_size=2**20) as environment, environment.begin(write=True) as txn:
        for index in range(8):
            pixels = random.integers(0, 256, 3 * 5 * 4, dtype=np.uint8).tobytes()
            datum = caffe_pb2.Datum(channels=3, height=5, width=4, data=pixels, label=index % 5)
            txn.put(b"%04d" % index, datum.SerializeToString())
    Path("net.prototxt").write_text(NET)
    recaffe.set_random_seed(3)
    recaffe.Net("net.prototxt", recaffe.TEST).save("net.caffemodel")
    return tmp_path


def _records(path) -> dict[bytes, caffe_pb2.Datum]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as txn:
        return {key: caffe_pb2.Datum.FromString(value) for key, value in txn.cursor()}


def test_every_item_of_a_blob_becomes_a_datum_under_its_number(study):
    assert main(["extract_features", "net.caffemodel", "net.prototxt", "conv,ip,loss", "c,i,l", "3", "lmdb"]) == 0
    conv, ip, loss = _records("c"), _records("i"), _records("l")
    assert list(conv) == list(ip) == [b"%010d" % index for index in range(9)]
    assert list(loss) == [b"%010d" % index for index in range(3)]
    assert (conv[b"0000000000"].channels, conv[b"0000000000"].height, conv[b"0000000000"].width) == (2, 3, 2)
    net = recaffe.Net("net.prototxt", recaffe.TEST, weights="net.caffemodel")
    for batch in range(3):
        net.forward()
        for item in range(3):
            datum = conv[b"%010d" % (3 * batch + item)]
            assert np.array_equal(np.array(datum.float_data, np.float32), net.blobs["conv"].data[item].flatten())


@pytest.mark.caffe
def test_databases_are_those_of_real_caffe(study, real_tool, conform):
    arguments = ["extract_features", "net.caffemodel", "net.prototxt", "conv,ip,loss"]
    assert main([*arguments, "c,i,l", "3", "lmdb", "CPU"]) == 0
    assert real_tool(*arguments, "real_c,real_i,real_l", "3", "lmdb", "CPU", cwd=study).returncode == 0
    for ours in ("c", "i", "l"):
        found, expected = _records(ours), _records(f"real_{ours}")
        assert list(found) == list(expected)
        for key, datum in found.items():
            values, theirs = np.array(datum.float_data), np.array(expected[key].float_data)
            error = np.abs(values - theirs).max() / np.abs(theirs).max()
            assert error < 2e-6
            conform("commands", "extract_features", "result", error)
            datum.ClearField("float_data")
            expected[key].ClearField("float_data")
            assert datum == expected[key]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["net.caffemodel", "net.prototxt", "cnov", "c", "1", "lmdb"], 1, "the net has no blob 'cnov'; it has data"),
        (["net.caffemodel", "net.prototxt", "conv,ip", "c,c", "1", "lmdb"], 2, "2 blobs but 1 databases"),
        (["net.caffemodel", "net.prototxt", "conv", "c", "all", "lmdb"], 2, "number of batches is 'all'"),
        (["net.caffemodel", "net.prototxt", "conv", "c", "1", "leveldb"], 2, "type is 'leveldb', expected lmdb"),
        (["net.caffemodel", "net.prototxt", "conv", "db", "1", "lmdb"], 1, "db: is there already"),
        (["net.caffemodel", "net.prototxt", "conv", "c/d", "1", "lmdb"], 1, "c/d: there is no folder"),
        (["net.caffemodel"], 2, "needs 6 to 8 arguments, found 1"),
    ],
)
def test_what_cannot_be_extracted_leaves_nothing_behind(study, capsys, arguments, code, problem):
    before = sorted(path.name for path in study.iterdir())
    assert main(["extract_features", *arguments]) == code
    assert problem in capsys.readouterr().err
    assert sorted(path.name for path in study.iterdir()) == before


def test_a_database_grows_beyond_its_first_map(tmp_path):
    from recaffe.data.lmdb_writer import new_lmdb

    value = bytes(2**20)
    with new_lmdb(tmp_path / "large") as writer:
        for index in range(40):
            writer.put(b"%04d" % index, value)
    with lmdb.open(str(tmp_path / "large"), readonly=True, lock=False) as environment:
        assert environment.stat()["entries"] == 40


def test_a_database_whose_writing_fails_never_appears(tmp_path):
    from recaffe.data.lmdb_writer import new_lmdb

    with pytest.raises(KeyError), new_lmdb(tmp_path / "db") as writer:
        writer.put(b"a", b"b")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
