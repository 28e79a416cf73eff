"""The committed prototxt files, and the copies that a run writes."""

from __future__ import annotations

import itertools

import pytest
from recaffe.proto import caffe_pb2
from recaffe.proto.files import read_net, read_solver

import prototxt.generate
from layerwise.applications import APPLICATIONS
from layerwise.nets import NETS
from layerwise.schemes import SCHEMES
from prototxt.generate import FOLDER, check_study_files, write_run_prototxt

FINETUNE = [name for name in SCHEMES if name.startswith("finetune")]

# The layers of Caffe's models/bvlc_alexnet/train_val.prototxt, in its order.
BVLC_ALEXNET = (
    *("data", "data", "conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2", "conv3", "relu3"),
    *("conv4", "relu4", "conv5", "relu5", "pool5", "fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"),
    *("accuracy", "loss"),
)


def net(application, scheme, name="train_val"):
    return read_net(FOLDER / application / scheme / f"{name}.prototxt")


def without_rates(message):
    for layer in message.layer:
        for param in layer.param:
            param.ClearField("lr_mult")
    return message


def test_committed_files_are_what_the_generator_writes():
    check_study_files()


def test_check_names_a_file_that_is_not_the_generators(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prototxt.generate, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate"])
    assert prototxt.generate.main() == 0
    folder = tmp_path / "polyp" / "finetune-conv4"
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + "iter_size: 2\n")
    (folder / "deploy.prototxt").unlink()
    (folder / "stray.prototxt").write_text("")
    monkeypatch.setattr("sys.argv", ["generate", "--check"])
    assert prototxt.generate.main() == 1
    error = capsys.readouterr().err
    assert "3 prototxt files are not what the generator writes" in error
    assert all(f"polyp/finetune-conv4/{name}.prototxt" in error for name in ("deploy", "solver", "stray"))


@pytest.mark.parametrize("application", APPLICATIONS)
def test_two_depths_differ_in_lr_mult_alone(application):
    nets = [net(application, scheme) for scheme in FINETUNE]
    assert all(one != other for one, other in itertools.combinations(nets, 2))
    bare = [without_rates(message) for message in nets]
    assert all(message == bare[0] for message in bare)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_solvers_of_two_schemes_differ_in_names_of_files_alone(application):
    solvers = []
    for scheme in sorted(SCHEMES.keys() - {"scratch-msra"}):  # whose gradients are clipped
        solver = read_solver(FOLDER / application / scheme / "solver.prototxt")
        assert solver.net == f"prototxt/{application}/{scheme}/train_val.prototxt"
        assert f"{application}/{scheme}" in solver.snapshot_prefix
        solver.ClearField("net")
        solver.ClearField("snapshot_prefix")
        solvers.append(solver)
    assert all(solver == solvers[0] for solver in solvers)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_deploy_is_the_same_for_every_scheme(application):
    nets = [net(application, scheme, "deploy") for scheme in SCHEMES]
    assert all(message == nets[0] for message in nets)
    assert nets[0].layer[-1].type == "Softmax"
    assert list(nets[0].layer[-1].top) == ["prob"]


@pytest.mark.parametrize("application", APPLICATIONS)
def test_layers_are_bvlc_alexnets_with_fc8_renamed(application):
    expected = [f"fc8_{application}" if name == "fc8" else name for name in BVLC_ALEXNET]
    for scheme in SCHEMES:
        assert [layer.name for layer in net(application, scheme).layer] == expected


def test_relu_and_dropout_work_in_place_and_lrn_stands_before_the_pool():
    layers = {layer.name: layer for layer in net("polyp", "finetune-conv4").layer}
    for name, layer in layers.items():
        if layer.type in ("ReLU", "Dropout"):
            assert layer.bottom == layer.top, name
    assert (list(layers["norm1"].bottom), list(layers["pool1"].bottom)) == (["conv1"], ["norm1"])
    assert [name for name, layer in layers.items() if layer.convolution_param.group == 2] == ["conv2", "conv4", "conv5"]


def test_weights_decay_and_biases_do_not():
    for layer in net("polyp", "finetune-conv1").layer:
        assert [param.decay_mult for param in layer.param] in ([1, 0], [])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["train_val", "solver", "deploy"])
def test_every_choice_that_the_paper_leaves_open_is_marked_in_the_file(scheme, name):
    text = (FOLDER / "polyp" / scheme / f"{name}.prototxt").read_text()
    choices = "".join(line for line in text.splitlines() if line.startswith("# chosen: "))
    expected = {
        "train_val": ["batch 128", "channel means", "crop nor mirror", "decay on weights", "bias fillers"],
        "deploy": ["channel means"],
        "solver": ["weight_decay 0.0005", "20 epochs", "seed 1"],
    }
    assert all(choice in choices for choice in expected[name])


def test_comment_names_the_frozen_layers():
    text = (FOLDER / "polyp" / "finetune-conv4" / "train_val.prototxt").read_text()
    assert "# Frozen (lr_mult 0: no update, no decay, no backward): conv1 conv2 conv3.\n" in text


def test_run_gets_its_own_databases_net_and_counts(tmp_path):
    run = write_run_prototxt(
        tmp_path / "run",
        APPLICATIONS["polyp"],
        SCHEMES["finetune-conv4"],
        NETS["alexnet_half"],
        train_lmdb="somewhere/train_lmdb",
        val_lmdb="somewhere/val_lmdb",
        n_train=3200,
        n_val=800,
        batch=16,
        epochs=3,
        seed=5,
        snapshot_prefix=tmp_path / "run" / "snapshot",
    )
    assert (run.iterations_per_epoch, run.max_iter) == (200, 600)
    solver = read_solver(run.solver)
    assert (solver.net, solver.snapshot_prefix) == (str(run.train_val), str(tmp_path / "run" / "snapshot"))
    assert (solver.stepsize, solver.max_iter, solver.random_seed) == (200, 600, 5)
    assert not solver.test_iter and not solver.snapshot  # the trainer validates and keeps the best
    train, val = read_net(run.train_val).layer[:2]
    assert (train.data_param.source, train.data_param.batch_size) == ("somewhere/train_lmdb", 16)
    assert (val.data_param.source, val.include[0].phase) == ("somewhere/val_lmdb", caffe_pb2.TEST)
    assert list(read_net(run.deploy).layer[0].input_param.shape[0].dim) == [50, 3, 131, 131]


def test_nothing_is_padded_where_the_application_says_so_and_the_file_says_why():
    for application in APPLICATIONS.values():
        message = net(application.name, "finetune-conv4")
        pads = {layer.name: list(layer.convolution_param.pad) for layer in message.layer if layer.type == "Convolution"}
        padded = {"conv1": [], "conv2": [2], "conv3": [1], "conv4": [1], "conv5": [1]}
        assert pads == (padded if application.padded else {name: [] for name in padded})
        source = next(layer.data_param.source for layer in message.layer if layer.type == "Data")
        assert source.split("/")[-2] == ("patches-227" if application.padded else "patches-355")
        text = (FOLDER / application.name / "finetune-conv4" / "train_val.prototxt").read_text()
        assert ("# chosen: no padding, and patches of 355 px" in text) is not application.padded
