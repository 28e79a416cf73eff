"""Message files: errors name the file, nothing is half-written, and real Caffe reads what we write."""

from __future__ import annotations

from pathlib import Path

import pytest
from recaffe.proto import caffe_pb2, files, text


def _net_with_weights() -> caffe_pb2.NetParameter:
    net = caffe_pb2.NetParameter(name="small")
    layer = net.layer.add(name="fc", type="InnerProduct", bottom=["data"], top=["fc"])
    layer.inner_product_param.num_output = 2
    layer.blobs.add(data=[1, 2, 3, 4], shape=caffe_pb2.BlobShape(dim=[2, 2]))
    layer.blobs.add(data=[0.5, -0.5], shape=caffe_pb2.BlobShape(dim=[2]))
    return net


def test_caffemodel_is_read_back(tmp_path: Path):
    files.write_binary(tmp_path / "a.caffemodel", _net_with_weights())
    assert files.read_caffemodel(tmp_path / "a.caffemodel") == _net_with_weights()


def test_v1_caffemodel_is_read_in_todays_form(tmp_path: Path):
    old = caffe_pb2.NetParameter(name="small")
    layer = old.layers.add(name="fc", type=caffe_pb2.V1LayerParameter.INNER_PRODUCT, bottom=["data"], top=["fc"])
    layer.inner_product_param.num_output = 2
    layer.blobs.add(num=1, channels=1, height=2, width=2, data=[1, 2, 3, 4])
    files.write_binary(tmp_path / "old.caffemodel", old)
    new = files.read_caffemodel(tmp_path / "old.caffemodel")
    assert not new.layers and new.layer[0].type == "InnerProduct"
    assert list(new.layer[0].blobs[0].data) == [1, 2, 3, 4] and new.layer[0].blobs[0].width == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_net_with_weights().SerializeToString()[:-3], "83 bytes that are not a binary NetParameter: truncated"),
        (b"name: 'x' layer { }", "19 bytes that are not a binary NetParameter: it looks like a prototxt"),
        (b" <!DOCTYPE html><html>not found</html>", "is an HTML page, as a failed download leaves"),
        (b"<?xml version='1.0'?><Error/>", "is an XML document"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a git-lfs pointer"),
        (b"PK\x03\x04\x14\0", "is a zip archive"),
        (b"\x1f\x8b\x08", "is a gzip archive"),
        (bytes(257) + b"ustar", "is a tar archive"),
        (bytes(16) + b"\xde\xc0\xef\xbe" + bytes(100), "is a database file of LMDB"),
        (b"\x80\x02}q", "is a Python pickle"),
        (b"\x0a\xff\xff\xff\xff\x07abc", "9 bytes that are not a binary NetParameter: truncated"),  # 2 GiB of name
        (b"\x9b\x06" * 100000, "200000 bytes that are not a binary NetParameter"),  # groups in groups
        (b"\x0a\x02\xff\xfe", "a name in this NetParameter is not UTF-8: b'\\xff\\xfe'"),
        (b"\x89HDF\r\n\x1a\n0000", "is an HDF5 file"),
        (b"", "0 bytes without any layer"),
        (caffe_pb2.NetParameter(name="x").SerializeToString(), "3 bytes without any layer"),
    ],
)
def test_broken_or_foreign_caffemodel_is_refused_by_name(tmp_path: Path, content: bytes, problem: str):
    path = tmp_path / "bad.caffemodel"
    path.write_bytes(content)
    with pytest.raises(files.ProtoFileError) as caught:
        files.read_caffemodel(path)
    assert str(caught.value).startswith(f"{path}: ") and problem in str(caught.value)


def test_caffemodel_over_2_gib_is_refused_unread(tmp_path: Path):
    path = tmp_path / "huge.caffemodel"
    with path.open("wb") as sparse:
        sparse.truncate(2**31)
    with pytest.raises(files.ProtoFileError, match="2147483648 bytes; a NetParameter in one file can have at most"):
        files.read_caffemodel(path)


def test_failed_write_leaves_the_previous_file(tmp_path: Path):
    path = tmp_path / "a.caffemodel"
    path.write_bytes(b"before")
    incomplete = caffe_pb2.LayerParameter(name="clip")
    incomplete.clip_param.min = 0  # max is required
    with pytest.raises(files.ProtoFileError, match="cannot be written"):
        files.write_binary(path, incomplete)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_interrupted_write_leaves_nothing_beside(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), files.atomic_path(tmp_path / "a") as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_prototxt_is_read_and_its_errors_name_the_file(tmp_path: Path):
    path = tmp_path / "net.prototxt"
    files.write_text(path, _net_with_weights())
    assert files.read_net(path) == _net_with_weights()
    path.write_text("layer { tpye: 1 }")
    with pytest.raises(text.ProtoTextError, match="'tpye'") as caught:
        files.read_net(path)
    assert str(caught.value).startswith(f"{path}:1:9: ")
    path.write_bytes(b"\xff\xfe")
    path.write_bytes('name: "x"'.encode("utf-16"))
    with pytest.raises(files.ProtoFileError, match="is UTF-16 text"):
        files.read_net(path)
    path.write_bytes(_net_with_weights().SerializeToString())
    with pytest.raises(files.ProtoFileError, match=r"byte \d+ of 86 is not text, expected a prototxt of NetParameter"):
        files.read_net(path)


def test_prototxt_may_have_a_byte_order_mark_and_comments_in_any_encoding(tmp_path: Path):
    path = tmp_path / "net.prototxt"
    path.write_bytes("\ufeffname: 'é' # ".encode() + "层".encode("gbk") + b"\nforce_backward: true")
    assert files.read_net(path) == caffe_pb2.NetParameter(name="é", force_backward=True)


def test_snapshot_prefix_defaults_to_the_solver_files_own_path(tmp_path: Path):
    path = tmp_path / "solver.prototxt"
    path.write_text("base_lr: 0.1")
    assert files.read_solver(path).snapshot_prefix == str(tmp_path / "solver")
    path.write_text(f'snapshot_prefix: "{tmp_path}"')
    assert files.read_solver(path).snapshot_prefix == f"{tmp_path}/solver"
    path.write_text('snapshot_prefix: "elsewhere/x"')
    assert files.read_solver(path).snapshot_prefix == "elsewhere/x"


def test_old_nets_within_a_solver_are_brought_to_todays_form(tmp_path: Path):
    path = tmp_path / "solver.prototxt"
    path.write_text('net_param { layers { type: RELU } } test_net_param { input: "x" input_shape { dim: 1 } }')
    solver = files.read_solver(path)
    assert solver.net_param.layer[0].type == "ReLU" and solver.test_net_param[0].layer[0].type == "Input"
    path.write_text('net_param { layer { name: "a" } layers { name: "b" } }')
    with pytest.raises(files.upgrade.UpgradeError, match="has both 'layer'"):
        files.read_solver(path)


@pytest.mark.caffe
def test_real_caffe_reads_our_files_and_we_read_its(tmp_path: Path, real_caffe):
    ours, theirs = tmp_path / "ours.caffemodel", tmp_path / "theirs.caffemodel"
    prototxt = tmp_path / "net.prototxt"
    net = _net_with_weights()
    files.write_binary(ours, net)
    net.layer[0].ClearField("blobs")
    data = caffe_pb2.LayerParameter(name="data", type="Input", top=["data"])
    data.input_param.shape.add(dim=[1, 2])
    net.layer.insert(0, data)
    files.write_text(prototxt, net)
    script = """
import sys, caffe
net = caffe.Net(sys.argv[1], sys.argv[2], caffe.TEST)
assert net.params['fc'][0].data.tolist() == [[1, 2], [3, 4]]
assert net.params['fc'][1].data.tolist() == [0.5, -0.5]
net.params['fc'][0].data[...] *= 10
net.save(sys.argv[3])
"""
    real_caffe(script, prototxt, ours, theirs)
    layers = {layer.name: layer for layer in files.read_caffemodel(theirs).layer}
    assert list(layers["fc"].blobs[0].data) == [10, 20, 30, 40]
