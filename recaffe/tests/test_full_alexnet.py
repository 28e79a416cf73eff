"""The full AlexNet from scratch, as it is trained: 227-pixel crops, mirror, dropout, batch 32, against real Caffe."""

from __future__ import annotations

import json
import subprocess
import sys

import lmdb
import numpy as np
import pytest
from real_nets.alexnet import alexnet
from recaffe.proto import caffe_pb2, text

pytestmark = [pytest.mark.slow, pytest.mark.caffe]
ITERATIONS = 10
SOLVER = (
    'net: "net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.1 stepsize: 100000 momentum: 0.9 '
    "weight_decay: 0.0005 random_seed: 42 max_iter: 10 snapshot: 0"
)
PROGRAM = """
import hashlib, json, sys
caffe = __import__(sys.argv[1])
solver = caffe.get_solver("solver.prototxt")
first = {
    name + "/" + str(index): hashlib.sha256(blob.data.tobytes()).hexdigest()
    for name, blobs in solver.net.params.items() for index, blob in enumerate(blobs)
}
losses = []
for _ in range(int(sys.argv[2])):
    solver.step(1)
    losses.append(float(solver.net.blobs["loss"].data))
print(json.dumps([first, losses]))
"""


def _image(numbers: np.random.RandomState) -> np.ndarray:
    """uint8 (3, 256, 256) with detail of every size, the coarse the stronger, as in photographs."""
    image = np.full((3, 256, 256), 128.0)
    for size in (4, 16, 64, 256):
        detail = numbers.uniform(-64, 64, (3, size, size)) / np.log2(size)
        image += detail.repeat(256 // size, axis=1).repeat(256 // size, axis=2)
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def study(tmp_path):
    """A folder with 320 images of 256 x 256 in an LMDB, so that no batch comes twice; the net and the solver."""
    numbers = np.random.RandomState(3)
    (tmp_path / "lmdb").mkdir()
    with lmdb.open(str(tmp_path / "lmdb"), map_size=2**27) as environment, environment.begin(write=True) as batch:
        for index in range(10 * 32):
            data = _image(numbers).tobytes()
            datum = caffe_pb2.Datum(channels=3, height=256, width=256, data=data, label=int(numbers.randint(1000)))
            batch.put(b"%08d" % index, datum.SerializeToString())
    net = alexnet(size=227, width=1, classes=1000).to_proto()
    data = text.parse(
        'name: "data" type: "Data" top: "data" top: "label" '
        "transform_param { crop_size: 227 mirror: true mean_value: 104 mean_value: 117 mean_value: 123 } "
        'data_param { source: "lmdb" batch_size: 32 backend: LMDB }',
        caffe_pb2.LayerParameter,
    )
    layers = [data, *[layer for layer in net.layer if layer.type != "Input"]]
    del net.layer[:]
    net.layer.extend(layers)
    (tmp_path / "net.prototxt").write_text(text.format(net))
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_full_alexnet_from_scratch_trains_as_real_caffes(study, real_caffe, conform):
    expected_first, expected = json.loads(real_caffe(PROGRAM, "caffe", ITERATIONS, cwd=study))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "recaffe", str(ITERATIONS)],
        cwd=study,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, losses = json.loads(done.stdout)
    assert first == expected_first, "the first weights must be bit-equal"
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    conform("nets", "full AlexNet, 10 iterations", "loss", np.abs(np.array(losses) / expected - 1).max())
