"""Batches made ahead, against real Caffe's Data layer to the last bit."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest
from recaffe.data.cursor import DatabaseError
from recaffe.data.prefetch import Prefetcher
from recaffe.proto import caffe_pb2, files, text
from recaffe.random_stream import RandomStream

N_RECORDS, SHAPE = 7, (3, 9, 8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    path = tmp_path / "db"
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        for index in range(N_RECORDS):
            pixels = generator.integers(0, 256, SHAPE, dtype=np.uint8)
            datum = caffe_pb2.Datum(channels=3, height=9, width=8, data=pixels.tobytes(), label=index)
            transaction.put(f"{index:08d}".encode(), datum.SerializeToString())
    return path


def _layer(source: Path, transform: str = "", batch_size: int = 3) -> caffe_pb2.LayerParameter:
    content = f"""
        name: "data" type: "Data" top: "data" top: "label" transform_param {{ {transform} }}
        data_param {{ source: "{source}" batch_size: {batch_size} backend: LMDB }}"""
    return text.parse(content, caffe_pb2.LayerParameter)


def test_batches_follow_the_keys_and_wrap(source: Path):
    prefetcher = Prefetcher(_layer(source), caffe_pb2.TEST, RandomStream(1))
    assert prefetcher.shape == (3, *SHAPE)
    labels = [prefetcher.next_batch().labels.tolist() for _ in range(3)]
    assert labels == [[0, 1, 2], [3, 4, 5], [6, 0, 1]]
    prefetcher.close()


@pytest.mark.parametrize(
    ("transform", "phase", "words"),
    [("", 0, 1), ("crop_size: 4", 1, 1), ("crop_size: 4", 0, 3), ("mirror: true", 1, 3)],
)
def test_set_up_takes_as_many_words_as_caffe(source: Path, transform: str, phase: int, words: int):
    stream = RandomStream(5)
    Prefetcher(_layer(source, transform), phase, stream).close()
    assert stream.word() == RandomStream(5).words(words + 1)[-1]


def test_seek_repeats_exactly_what_came_after_a_position(source: Path):
    layer = _layer(source, "mirror: true crop_size: 5")
    prefetcher = Prefetcher(layer, caffe_pb2.TRAIN, RandomStream(2))
    start = prefetcher.position()
    first = prefetcher.next_batch()
    position = prefetcher.position()
    later = [prefetcher.next_batch() for _ in range(4)]

    other = Prefetcher(layer, caffe_pb2.TRAIN, RandomStream(99))
    other.next_batch()
    other.seek(position)
    for batch in later:
        again = other.next_batch()
        assert np.array_equal(again.data, batch.data) and np.array_equal(again.labels, batch.labels)
    other.seek(start)
    assert np.array_equal(other.next_batch().data, first.data)
    prefetcher.close()
    other.close()


def test_a_bad_record_is_reported_by_its_key_when_its_turn_comes(source: Path):
    with lmdb.open(str(source)) as environment, environment.begin(write=True) as transaction:
        short = caffe_pb2.Datum(channels=3, height=9, width=8, data=b"short")
        transaction.put(b"00000004", short.SerializeToString())
        transaction.put(b"00000006", b"no datum")
    prefetcher = Prefetcher(_layer(source), caffe_pb2.TRAIN, RandomStream(1))
    assert prefetcher.next_batch().labels.tolist() == [0, 1, 2]
    with pytest.raises(DatabaseError, match=rf"{source}: record b'00000004' of shape \(3, 9, 8\) has 5 values"):
        prefetcher.next_batch()
    with pytest.raises(DatabaseError, match="record b'00000006' is not a Datum"):
        prefetcher.next_batch()
    prefetcher.close()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("data_param { backend: LEVELDB }", "LevelDB is not read"),
        ("data_param { batch_size: 0 }", "batch_size is 0, expected 1 or more"),
        ("data_param { prefetch: 0 }", "prefetch is 0, expected 1 or more"),
        ("transform_param { crop_size: 10 }", r"record b'00000000' of shape \(3, 9, 8\) is smaller than crop_size 10"),
        ('transform_param { mean_file: "none" }', "layer 'data': .*'none'"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_set_up(source: Path, change: str, problem: str):
    layer = _layer(source)
    layer.MergeFrom(text.parse(change, caffe_pb2.LayerParameter))
    with pytest.raises(DatabaseError, match=problem):
        Prefetcher(layer, caffe_pb2.TRAIN, RandomStream(1))


TRANSFORMS = ["", "mirror: true crop_size: 5 mean_value: [104, 117, 123] scale: 0.017", "mean_value: 7 crop_size: 4"]


@pytest.mark.caffe
def test_batches_are_real_caffes_to_the_last_bit(tmp_path: Path, source: Path, real_caffe):
    mean = np.random.default_rng(1).uniform(0, 255, SHAPE).astype(np.float32)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=9, width=8, data=mean.ravel().tolist())
    files.write_binary(tmp_path / "mean", blob)
    transforms = [*TRANSFORMS, f'mean_file: "{tmp_path}/mean" mirror: true crop_size: 6 scale: 0.1']
    net = caffe_pb2.NetParameter()
    for index, transform in enumerate(transforms):
        layer = net.layer.add()
        layer.CopyFrom(_layer(source, transform))
        layer.name, layer.top[:] = f"data{index}", [f"data{index}", f"label{index}"]
    noise = net.layer.add(name="noise", type="DummyData", top=["noise"])  # shows how many words the set-ups took
    noise.dummy_data_param.shape.add(dim=[4])
    noise.dummy_data_param.data_filler.add(type="uniform")
    files.write_text(tmp_path / "net.prototxt", net)
    script = """
import sys, numpy, caffe
for phase in (caffe.TRAIN, caffe.TEST):
    caffe.set_random_seed(20)
    net = caffe.Net(sys.argv[1], phase)
    for step in range(4):
        net.forward()
        numpy.savez('%s-%d-%d.npz' % (sys.argv[2], phase, step), **{k: b.data for k, b in net.blobs.items()})
"""
    real_caffe(script, tmp_path / "net.prototxt", tmp_path / "real")
    for phase in (caffe_pb2.TRAIN, caffe_pb2.TEST):
        stream = RandomStream(20)
        prefetchers = [Prefetcher(layer, phase, stream) for layer in net.layer[:-1]]
        for step in range(4):
            with np.load(tmp_path / f"real-{phase}-{step}.npz") as real:
                for index, prefetcher in enumerate(prefetchers):
                    batch = prefetcher.next_batch()
                    assert batch.data.tobytes() == real[f"data{index}"].tobytes(), (phase, step, transforms[index])
                    assert batch.labels.tolist() == real[f"label{index}"].tolist()
                assert stream.uniform(4, 0, 1).tobytes() == real["noise"].tobytes()
        for prefetcher in prefetchers:
            prefetcher.close()
