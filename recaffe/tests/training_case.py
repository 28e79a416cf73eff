"""A small AlexNet-like study on a made-up LMDB: what training tests train, here and in real Caffe."""

from __future__ import annotations

import itertools
from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

ITERATIONS = 40
STUDIES = {  # name -> (first learning layer, options) of sessions on the database, with crop, mirror and dropout
    "step": ("conv1", 'lr_policy: "step" gamma: 0.5 stepsize: 3 iter_size: 2'),
    "multistep": (
        "conv1",
        'lr_policy: "multistep" gamma: 0.3 stepvalue: 2 stepvalue: 3 stepvalue: 8 clip_gradients: 1',
    ),
    "inv": ("conv2", 'lr_policy: "inv" gamma: 0.1 power: 0.75 regularization_type: "L1"'),
    "frozen": ("fc6", 'lr_policy: "sigmoid" gamma: 0.4 stepsize: 5'),
    "poly": ("conv1", 'lr_policy: "poly" power: 1.5'),
    "exp": ("conv1", 'lr_policy: "exp" gamma: 0.8'),
    "nesterov": ("conv1", 'lr_policy: "fixed" type: "Nesterov"'),
    "adagrad": ("conv1", 'lr_policy: "fixed" type: "AdaGrad" momentum: 0'),
    "rmsprop": ("conv1", 'lr_policy: "fixed" type: "RMSProp" momentum: 0 rms_decay: 0.9 base_lr: 0.001'),
    "adadelta": ("conv2", 'lr_policy: "fixed" type: "AdaDelta" base_lr: 1 delta: 1e-6 iter_size: 2'),
    "adam": ("conv1", 'lr_policy: "fixed" type: "Adam" base_lr: 0.001 clip_gradients: 1'),
}
SOLVERS = {  # type -> options
    "SGD": "base_lr: 0.05 momentum: 0.9",
    "Nesterov": "base_lr: 0.05 momentum: 0.9 clip_gradients: 2",
    "AdaGrad": "base_lr: 0.05 iter_size: 2",
    "RMSProp": "base_lr: 0.01 rms_decay: 0.9",
    "AdaDelta": 'base_lr: 1 momentum: 0.9 delta: 1e-6 regularization_type: "L1"',
    "Adam": "base_lr: 0.02 momentum: 0.9 momentum2: 0.99",
}
POLICIES = {  # lr_policy -> options, such that the rate is of the order of base_lr for ITERATIONS
    "fixed": "",
    "step": "gamma: 0.5 stepsize: 7",
    "exp": "gamma: 0.97",
    "inv": "gamma: 0.05 power: 0.75",
    "multistep": "gamma: 0.5 stepvalue: 3 stepvalue: 4 stepvalue: 20",
    "poly": "power: 1.5",
    "sigmoid": "gamma: 0.2 stepsize: 20",
}

_NET = """
name: "small_alexnet"
layer {{ name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.02 crop_size: 25 mirror: true }}
  data_param {{ source: "lmdb" batch_size: 7 backend: LMDB }} }}
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1" {conv1}
  convolution_param {{ num_output: 8 kernel_size: 5 stride: 2
    weight_filler {{ type: "gaussian" std: 0.1 }} bias_filler {{ type: "constant" value: 0.1 }} }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "norm1" type: "LRN" bottom: "conv1" top: "norm1" lrn_param {{ local_size: 5 alpha: 0.01 beta: 0.75 }} }}
layer {{ name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
  pooling_param {{ pool: MAX kernel_size: 3 stride: 2 }} }}
layer {{ name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" {conv2}
  convolution_param {{ num_output: 8 kernel_size: 3 pad: 1 group: 2
    weight_filler {{ type: "xavier" }} bias_filler {{ type: "uniform" max: 0.1 }} }} }}
layer {{ name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }}
layer {{ name: "fc6" type: "InnerProduct" bottom: "conv2" top: "fc6" {fc6}
  inner_product_param {{ num_output: 8 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }}
layer {{ name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }}
layer {{ name: "fc8" type: "InnerProduct" bottom: "fc6" top: "fc8"
  param {{ lr_mult: 10 }} param {{ lr_mult: 20 decay_mult: 0 }}
  inner_product_param {{ num_output: 3 weight_filler {{ type: "gaussian" std: 0.1 sparse: 2 }} }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "fc8" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }}
"""
_LAYERS = ("conv1", "conv2", "fc6")
# A regression on random numbers, which both engines draw alike; the first layer's weights serve twice.
_TINY_NET = """
name: "tiny"
layer { name: "data" type: "DummyData" top: "data" top: "target" dummy_data_param {
  shape { dim: 8 dim: 6 } shape { dim: 8 dim: 2 } data_filler { type: "gaussian" } data_filler { type: "uniform" } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" param { name: "w" } param { name: "b" lr_mult: 2 }
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" relu_param { negative_slope: 0.1 } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 6 } }
layer { name: "drop2" type: "Dropout" bottom: "ip2" top: "ip2" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip3" type: "InnerProduct" bottom: "ip2" top: "ip3" param { } param { decay_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "msra" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip3" bottom: "target" top: "loss" }
"""


def net_prototxt(first_learning: str) -> str:
    """The net for both phases; layers before `first_learning` have lr_mult 0."""
    rates = {layer: int(_LAYERS.index(layer) >= _LAYERS.index(first_learning)) for layer in _LAYERS}
    params = {
        layer: f"param {{ lr_mult: {rate} decay_mult: 1 }} param {{ lr_mult: {2 * rate} decay_mult: 0 }}"
        for layer, rate in rates.items()
    }
    return _NET.format(**params)


def write(folder: Path) -> None:
    """Write lmdb/ and the nets, and solver_<name>.prototxt for each of STUDIES, and for each <solver>-<policy>.

    The paths in them are relative to `folder`.
    """
    _write_database(folder / "lmdb")
    common = f"weight_decay: 0.005 max_iter: {ITERATIONS} random_seed: 3"
    for name, (first_learning, options) in STUDIES.items():
        (folder / f"net_{name}.prototxt").write_text(net_prototxt(first_learning))
        defaults = [default for default in ("base_lr: 0.01", "momentum: 0.9") if default.split(":")[0] not in options]
        (folder / f"solver_{name}.prototxt").write_text(
            f'net: "net_{name}.prototxt" snapshot_prefix: "{name}" {common} {" ".join(defaults)} {options}\n'
        )
    (folder / "net_tiny.prototxt").write_text(_TINY_NET)
    for solver, policy in itertools.product(SOLVERS, POLICIES):
        (folder / f"solver_{solver}-{policy}.prototxt").write_text(
            f'net: "net_tiny.prototxt" snapshot_prefix: "{solver}-{policy}" {common} type: "{solver}" '
            f'{SOLVERS[solver]} lr_policy: "{policy}" {POLICIES[policy]}\n'
        )


def _write_database(folder: Path) -> None:
    """30 images of 28 x 28, BGR, of three classes that differ in colour."""
    numbers = np.random.RandomState(5)
    folder.mkdir()
    with lmdb.open(str(folder), map_size=2**22) as environment, environment.begin(write=True) as transaction:
        for index in range(30):
            label = int(numbers.randint(0, 3))
            image = numbers.randint(0, 120, (3, 28, 28))
            image[label] += 60
            data = image.astype(np.uint8).tobytes()
            datum = caffe_pb2.Datum(channels=3, height=28, width=28, data=data, label=label)
            transaction.put(b"%08d" % index, datum.SerializeToString())
