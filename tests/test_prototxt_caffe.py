"""The generated files in the hands of real Caffe."""

from __future__ import annotations

import json
from pathlib import Path

import lmdb
import numpy as np
import pytest
from recaffe.proto import caffe_pb2, text

from layerwise.applications import APPLICATIONS
from layerwise.nets import NETS
from layerwise.schemes import LEARNED_LAYERS, SCHEMES
from layerwise.shapes import layer_shapes
from prototxt.alexnet import deploy
from prototxt.generate import FOLDER, write_run_prototxt

pytestmark = pytest.mark.caffe

ALEXNET, HALF = NETS["alexnet"], NETS["alexnet_half"]
CONVOLUTION, INNER_PRODUCT = 4, 14  # V1LayerParameter.LayerType

# Shapes of the zoo's bvlc_alexnet.caffemodel, which is in the old V1 form.
BVLC_SHAPES = {
    "conv1": ((96, 3, 11, 11), (1, 1, 1, 96)),
    "conv2": ((256, 48, 5, 5), (1, 1, 1, 256)),
    "conv3": ((384, 256, 3, 3), (1, 1, 1, 384)),
    "conv4": ((384, 192, 3, 3), (1, 1, 1, 384)),
    "conv5": ((256, 192, 3, 3), (1, 1, 1, 256)),
    "fc6": ((1, 1, 4096, 9216), (1, 1, 1, 4096)),
    "fc7": ((1, 1, 4096, 4096), (1, 1, 1, 4096)),
    "fc8": ((1, 1, 1000, 4096), (1, 1, 1, 1000)),
}

# Prints {application: {"shapes": of the blobs of deploy, "copied": layers that have the source's values in train_val}}.
# Schemes of one application differ in rates, fillers and file names, which copying does not see; so each text is read
# by Caffe's own parser, stripped of those, and each distinct net is built once (it has 57 million weights).
LOAD_COMMITTED = """
import json, os, sys
import numpy as np
import caffe
from caffe.proto import caffe_pb2
from google.protobuf import text_format
study, databases, source, scratch, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], json.loads(sys.argv[5])
caffe.set_mode_cpu()

def read(path):
    with open(path) as file:
        return text_format.Parse(file.read(), caffe_pb2.NetParameter())

def only_net(phase, messages):
    texts = set(text_format.MessageToString(message) for message in messages)
    assert len(texts) == 1, len(texts)
    path = os.path.join(scratch, "net.prototxt")
    with open(path, "w") as file:
        file.write(texts.pop())
    return caffe.Net(path, phase)

def stripped(net, database):
    for layer in net.layer:
        layer.ClearField("param")
        for options in (layer.convolution_param, layer.inner_product_param):
            options.ClearField("weight_filler")
            options.ClearField("bias_filler")
        if layer.type == "Data":
            layer.data_param.source, layer.data_param.batch_size = database, 1
    return net

report = {}
for application, schemes in names.items():
    folders = [os.path.join(study, application, scheme) for scheme in schemes]
    net = only_net(caffe.TEST, [read(folder + "/deploy.prototxt") for folder in folders])
    shapes = {name: list(blob.data.shape[1:]) for name, blob in net.blobs.items()}
    database = os.path.join(databases, application)
    net = only_net(caffe.TRAIN, [stripped(read(folder + "/train_val.prototxt"), database) for folder in folders])
    net.copy_from(source)
    if application == list(names)[0]:  # the V1 file has been read; the others get the same in today's form
        source = os.path.join(scratch, "today.caffemodel")
        net.save(source)
    copied = []
    for number, (name, blobs) in enumerate(net.params.items()):
        samples = [blob.data.ravel()[::9973] for blob in blobs]
        wanted = [(np.arange(blob.count)[::9973] + number) % 251 for blob in blobs]
        if all(map(np.array_equal, samples, wanted)):
            copied.append(name)
    report[application] = {"shapes": shapes, "copied": copied}
    del net
print(json.dumps(report))
"""

# Prints {application/scheme: {"copied": layers with the source's values, "moved": layers that one step changes}}.
TRAIN_ONE_STEP = """
import json, os, sys
import numpy as np
import caffe
runs, source_net, source, copying = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
caffe.set_mode_cpu()
random = np.random.RandomState(1)
net = caffe.Net(source_net, caffe.TEST)
for weight, bias in net.params.values():
    weight.data[...] = random.randn(*weight.data.shape) * np.sqrt(2.0 / weight.data[0].size)
    bias.data[...] = random.rand(*bias.data.shape)
net.save(source)
values = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}

report = {}
for run, copies in copying.items():
    os.chdir(os.path.join(runs, run))
    solver = caffe.get_solver("solver.prototxt")
    if copies:
        solver.net.copy_from(source)
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in solver.net.params.items()}
    solver.step(1)
    report[run] = {
        "copied": [n for n, arrays in before.items() if n in values and all(map(np.array_equal, arrays, values[n]))],
        "moved": [n for n, arrays in before.items()
                  if not all(np.array_equal(a, b.data) for a, b in zip(arrays, solver.net.params[n]))],
    }
    del solver
print(json.dumps(report))
"""


def write_lmdb(path: Path, size: int, n_classes: int) -> None:
    """Two random patches of each class."""
    random = np.random.default_rng(1)
    with lmdb.open(str(path), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for index in range(2 * n_classes):
            datum = caffe_pb2.Datum(channels=3, height=size, width=size, label=index % n_classes)
            datum.data = random.bytes(3 * size * size)
            transaction.put(f"{index:08d}".encode(), datum.SerializeToString())


def write_bvlc_like(path: Path) -> None:
    """A V1 caffemodel of bvlc_alexnet's shapes; the n-th layer's arrays count (0, 1, 2, ...) + n modulo 251."""
    model = caffe_pb2.NetParameter(name="AlexNet")
    for number, (name, shapes) in enumerate(BVLC_SHAPES.items()):
        layer = model.layers.add(name=name, type=CONVOLUTION if name.startswith("conv") else INNER_PRODUCT)
        for shape in shapes:
            num, channels, height, width = shape
            blob = layer.blobs.add(num=num, channels=channels, height=height, width=width)
            values = np.resize(np.roll(np.arange(251, dtype="<f4"), -number), int(np.prod(shape)))
            blob.MergeFromString(b"\x2a" + varint(values.nbytes) + values.tobytes())  # field 5, `data`, packed
    path.write_bytes(model.SerializeToString())


def varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number % 128 + 128]) + varint(number // 128)


def test_committed_nets_load_in_real_caffe_and_take_bvlc_alexnets_weights(tmp_path, real_caffe):
    source = tmp_path / "v1.caffemodel"
    write_bvlc_like(source)
    for application in APPLICATIONS.values():
        write_lmdb(tmp_path / application.name, ALEXNET.patch_size(application), 2)
    names = json.dumps({application: list(SCHEMES) for application in APPLICATIONS})
    report = json.loads(real_caffe(LOAD_COMMITTED, FOLDER, tmp_path, source, tmp_path, names))
    for large in tmp_path.glob("*.caffemodel"):
        large.unlink()
    assert list(report) == list(APPLICATIONS)
    for name, application in APPLICATIONS.items():
        assert report[name]["copied"] == list(LEARNED_LAYERS[:-1])
        computed = layer_shapes(deploy(application, ALEXNET, 1), ALEXNET.patch_shape(application))
        in_place = ("relu", "drop")
        expected = {k: list(shape.output) for k, shape in computed.items() if not k.startswith(in_place)}
        assert report[name]["shapes"] == {"data": list(ALEXNET.patch_shape(application)), **expected}


def test_one_step_of_real_caffe_moves_the_tuned_layers_of_every_scheme_and_no_other(tmp_path, real_caffe):
    copying = {}
    for application in APPLICATIONS.values():
        database = tmp_path / f"{application.name}_lmdb"
        write_lmdb(database, HALF.patch_size(application), application.n_classes)
        for scheme in SCHEMES.values():
            run = f"{application.name}/{scheme.name}"
            copying[run] = scheme.copies_source
            write_run_prototxt(
                tmp_path / run, application, scheme, HALF, database, database, n_train=4, n_val=4, batch=2, epochs=1,
                seed=1, snapshot_prefix="snapshot",
            )  # fmt: skip
    source_net = tmp_path / "source.prototxt"
    source_net.write_text(text.format(deploy(APPLICATIONS["polyp"], HALF, 1)).replace("fc8_polyp", "fc8"))
    report = json.loads(
        real_caffe(TRAIN_ONE_STEP, tmp_path, source_net, tmp_path / "x.caffemodel", json.dumps(copying))
    )
    assert len(report) == 44
    for run, found in report.items():
        application, scheme = run.split("/")
        assert found["copied"] == list(SCHEMES[scheme].copied_layers), run
        tuned = [layer for layer in LEARNED_LAYERS if layer not in SCHEMES[scheme].frozen_layers]
        assert found["moved"] == [*tuned[:-1], f"fc8_{application}"], run
