"""A small AlexNet-like study on a made-up LMDB: what training tests train, here and in real Caffe."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

ITERATIONS = 10
SOLVERS = {  # name -> (first learning layer, options); all with momentum, decay and a seed
    "step": ("conv1", 'lr_policy: "step" gamma: 0.5 stepsize: 3 iter_size: 2'),
    "multistep": (
        "conv1",
        'lr_policy: "multistep" gamma: 0.3 stepvalue: 2 stepvalue: 3 stepvalue: 8 clip_gradients: 1',
    ),
    "inv": ("conv2", 'lr_policy: "inv" gamma: 0.1 power: 0.75 regularization_type: "L1"'),
    "frozen": ("fc6", 'lr_policy: "sigmoid" gamma: 0.4 stepsize: 5'),
    "poly": ("conv1", 'lr_policy: "poly" power: 1.5'),
    "exp": ("conv1", 'lr_policy: "exp" gamma: 0.8'),
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


def net_prototxt(first_learning: str) -> str:
    """The net for both phases; layers before `first_learning` have lr_mult 0."""
    rates = {layer: int(_LAYERS.index(layer) >= _LAYERS.index(first_learning)) for layer in _LAYERS}
    params = {
        layer: f"param {{ lr_mult: {rate} decay_mult: 1 }} param {{ lr_mult: {2 * rate} decay_mult: 0 }}"
        for layer, rate in rates.items()
    }
    return _NET.format(**params)


def solver_prototxt(name: str) -> str:
    """The solver of SOLVERS, for the net file net_<name>.prototxt."""
    return (
        f'net: "net_{name}.prototxt" base_lr: 0.01 momentum: 0.9 weight_decay: 0.005 max_iter: {ITERATIONS} '
        f'random_seed: 3 snapshot_prefix: "{name}" {SOLVERS[name][1]}\n'
    )


def write(folder: Path) -> None:
    """Write lmdb/, and net_<name>.prototxt and solver_<name>.prototxt for each of SOLVERS; paths are relative."""
    _write_database(folder / "lmdb")
    for name, (first_learning, _) in SOLVERS.items():
        (folder / f"net_{name}.prototxt").write_text(net_prototxt(first_learning))
        (folder / f"solver_{name}.prototxt").write_text(solver_prototxt(name))


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
