"""The source net as prototxt: the study's narrower AlexNet with `fc8` over the source classes, and its solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recaffe.net_spec import NetSpec, layers, params
from recaffe.proto import caffe_pb2, text

from layerwise.files import write_text
from layerwise.nets import MEAN_BGR, NETS
from prototxt.alexnet import add_alexnet
from tools.source_images.scenes import N_CLASSES

NET = NETS["alexnet_half"]
TRAIN_BATCH, VAL_BATCH = 32, 50  # chosen: many small steps; an hour on one core has room for few images
SEED = 1

# chosen: standard deviations of equal norm per layer. The net sees raw grey levels (about 46 rms) and one rate serves
# all layers, as in the schemes; with these the first gradients move every layer at about the same relative speed, and
# the loss falls from the first hundred iterations on, where msra diverges and bvlc_alexnet's 0.01 stays on a plateau.
WEIGHT_STD = {
    "conv1": 0.05,
    "conv2": 0.028,
    "conv3": 0.027,
    "conv4": 0.027,
    "conv5": 0.027,
    "fc6": 0.013,
    "fc7": 0.027,
    "fc8": 0.01,
}


def train_val(train_lmdb: str, val_lmdb: str) -> Any:
    """NetParameter that the solver trains: mirrored scenes, AlexNet, SoftmaxWithLoss; in phase TEST also Accuracy."""

    def data(phase: int, source: str, batch: int, mirror: bool) -> Any:
        return layers.Data(
            ntop=2,
            include={"phase": phase},
            transform_param={"mirror": mirror, "mean_value": list(MEAN_BGR)},
            data_param={"source": source, "batch_size": batch, "backend": params.Data.LMDB},
        )

    def learned(layer: str) -> dict[str, Any]:
        return {
            "param": [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}],
            "weight_filler": {"type": "gaussian", "std": WEIGHT_STD[layer]},
            "bias_filler": {"type": "constant", "value": 0},
        }

    val, spec = NetSpec(), NetSpec()
    val.data, val.label = data(caffe_pb2.TEST, val_lmdb, VAL_BATCH, mirror=False)
    spec.data, spec.label = data(caffe_pb2.TRAIN, train_lmdb, TRAIN_BATCH, mirror=True)
    logits = add_alexnet(spec, NET, "fc8", N_CLASSES, learned)
    spec.accuracy = layers.Accuracy(logits, spec.label, include={"phase": caffe_pb2.TEST})
    spec.loss = layers.SoftmaxWithLoss(logits, spec.label)
    train_data, *rest = spec.to_proto().layer
    return caffe_pb2.NetParameter(name="alexnet_half_fractal", layer=[train_data, *val.to_proto().layer, *rest])


def deploy(batch: int, filler: str | None = None) -> Any:
    """NetParameter that scores images: blob `data` (batch, 3, 131, 131), blob `prob` (batch, classes).

    filler: how weights are filled that no caffemodel will fill, such as `msra`; None leaves Caffe's zeros.
    """
    options = {"weight_filler": {"type": filler}} if filler else {}
    spec = NetSpec()
    spec.data = layers.Input(input_param={"shape": {"dim": [batch, *NET.input_shape]}})
    spec.prob = layers.Softmax(add_alexnet(spec, NET, "fc8", N_CLASSES, lambda layer: options))
    message = spec.to_proto()
    message.name = "alexnet_half_fractal"
    return message


def solver(train_val_path: str, snapshot_prefix: str, max_iter: int, n_val: int) -> Any:
    """SolverParameter: the rate falls in a straight line to zero; ten validations, a snapshot every 1000 iterations."""
    return caffe_pb2.SolverParameter(
        net=train_val_path,
        type="SGD",
        base_lr=0.006,  # chosen: learns faster than 0.003 and is stable
        lr_policy="poly",
        power=1,
        momentum=0.9,
        weight_decay=0.0005,
        max_iter=max_iter,
        test_iter=[n_val // VAL_BATCH],
        test_interval=max(1, max_iter // 10),
        test_initialization=False,
        display=50,
        average_loss=50,
        snapshot=1000,
        snapshot_prefix=snapshot_prefix,
        random_seed=SEED,
        solver_mode=caffe_pb2.SolverParameter.CPU,
    )


def write_prototxt(folder: Path, data: Path, max_iter: int, n_val: int) -> Path:
    """Write train_val, deploy and solver.prototxt to `folder`, for databases in `data`; return the solver's path."""
    messages = {
        "train_val": train_val(str(data / "train_lmdb"), str(data / "val_lmdb")),
        "deploy": deploy(VAL_BATCH),
        "solver": solver(str(folder / "train_val.prototxt"), str(data / "alexnet_half_fractal"), max_iter, n_val),
    }
    for name, message in messages.items():
        write_text(folder / f"{name}.prototxt", "# Written by tools/source_images/nets.py.\n" + text.format(message))
    return folder / "solver.prototxt"
