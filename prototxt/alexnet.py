"""AlexNet as prototxt: the layers, names and order of Caffe's models/bvlc_alexnet, with the last one renamed.

Source: Tajbakhsh et al. 2016, Table I; Caffe's models/bvlc_alexnet for what the table leaves out (groups in conv2,
conv4 and conv5, LRN before the pools, dropout), without which its weights would mean something else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from recaffe.net_spec import NetSpec, layers, params
from recaffe.proto import caffe_pb2

from layerwise.applications import Application
from layerwise.nets import MEAN_BGR, NetRecord
from layerwise.schemes import Scheme, bias_filler, lr_mult, weight_filler

CONVOLUTIONS: dict[str, dict[str, int]] = {
    "conv1": {"kernel_size": 11, "stride": 4},
    "conv2": {"pad": 2, "kernel_size": 5, "group": 2},
    "conv3": {"pad": 1, "kernel_size": 3},
    "conv4": {"pad": 1, "kernel_size": 3, "group": 2},
    "conv5": {"pad": 1, "kernel_size": 3, "group": 2},
}
NORMALISED = ("conv1", "conv2")
POOLED = ("conv1", "conv2", "conv5")

LayerOptions = Callable[[str], dict[str, Any]]


def no_options(layer: str) -> dict[str, Any]:
    """For a net whose weights will all be copied."""
    return {}


def train_val(
    application: Application,
    scheme: Scheme,
    net: NetRecord,
    train_lmdb: str | Path,
    val_lmdb: str | Path,
    train_batch: int,
    val_batch: int,
) -> Any:
    """The NetParameter that a solver trains: Data, AlexNet, SoftmaxWithLoss, and in phase TEST Accuracy.

    Two fine-tuning schemes differ in `lr_mult` alone; a scratch scheme has its fillers and fc8's rate besides.
    decay_mult is 1 for weights and 0 for biases, as in bvlc_alexnet; in a frozen layer it has no effect.
    """

    def learned(layer: str) -> dict[str, Any]:
        weight, bias = lr_mult(scheme, layer)
        return {
            "param": [{"lr_mult": weight, "decay_mult": 1}, {"lr_mult": bias, "decay_mult": 0}],
            "weight_filler": weight_filler(scheme, layer),
            "bias_filler": bias_filler(layer),
        }

    # A NetSpec holds one layer per name, and the Data layers of the two phases share theirs.
    val = NetSpec()
    val.data, val.label = _data(caffe_pb2.TEST, val_lmdb, val_batch)

    train = NetSpec()
    train.data, train.label = _data(caffe_pb2.TRAIN, train_lmdb, train_batch)
    logits = _add_fc8(train, add_alexnet(train, net, learned, application.padded), application, learned)
    train.accuracy = layers.Accuracy(logits, train.label, include={"phase": caffe_pb2.TEST})
    train.loss = layers.SoftmaxWithLoss(logits, train.label)

    train_data, *rest = train.to_proto().layer
    (val_data,) = val.to_proto().layer
    return caffe_pb2.NetParameter(name=_net_name(application, net), layer=[train_data, val_data, *rest])


def deploy(application: Application, net: NetRecord, batch: int) -> Any:
    """The NetParameter that scores patches: blob `data` (batch, 3, S, S), blob `prob` (batch, n_classes).

    It is the same for every scheme, and has neither fillers nor rates, since all its weights are copied.
    """
    spec = NetSpec()
    spec.data = layers.Input(input_param={"shape": {"dim": [batch, *net.patch_shape(application)]}})
    spec.prob = layers.Softmax(_add_fc8(spec, add_alexnet(spec, net, padded=application.padded), application))
    message = spec.to_proto()
    message.name = _net_name(application, net)
    return message


def add_alexnet(spec: NetSpec, net: NetRecord, options: LayerOptions = no_options, padded: bool = True) -> Any:
    """Assign conv1 to fc7 with their ReLU, LRN, pools and dropout to `spec`, above spec.data; return the last top.

    options: fillers and rates of a learned layer, by its name. padded: whether conv2 to conv5 pad with zeros.
    """
    top = spec.data
    for number, (name, window) in enumerate(CONVOLUTIONS.items(), start=1):
        if not padded:
            window = {key: value for key, value in window.items() if key != "pad"}
        spec[name] = layers.Convolution(top, num_output=net.widths[name], **window, **options(name))
        spec[f"relu{number}"] = top = layers.ReLU(spec[name], in_place=True)
        if name in NORMALISED:
            spec[f"norm{number}"] = top = layers.LRN(top, local_size=5, alpha=1e-4, beta=0.75)
        if name in POOLED:
            spec[f"pool{number}"] = top = layers.Pooling(top, pool=params.Pooling.MAX, kernel_size=3, stride=2)
    for number, name in ((6, "fc6"), (7, "fc7")):
        spec[name] = layers.InnerProduct(top, num_output=net.widths[name], **options(name))
        spec[f"relu{number}"] = top = layers.ReLU(spec[name], in_place=True)
        spec[f"drop{number}"] = top = layers.Dropout(top, dropout_ratio=0.5, in_place=True)
    return top


def _add_fc8(spec: NetSpec, bottom: Any, application: Application, options: LayerOptions = no_options) -> Any:
    """Assign fc8_<application> to `spec`; return its top, the logits."""
    spec[application.fc8] = layers.InnerProduct(bottom, num_output=application.n_classes, **options("fc8"))
    return spec[application.fc8]


def _data(phase: int, lmdb: str | Path, batch: int) -> Any:
    """(data, label) of one phase. No crop and no mirror: patches have the net's size and are varied beforehand."""
    return layers.Data(
        ntop=2,
        include={"phase": phase},
        transform_param={"mean_value": list(MEAN_BGR)},
        data_param={"source": str(lmdb), "batch_size": batch, "backend": params.Data.LMDB},
    )


def _net_name(application: Application, net: NetRecord) -> str:
    return f"{net.name}_{application.name}"
