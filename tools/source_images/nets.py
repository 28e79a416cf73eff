"""The source net as prototxt: the study's narrower AlexNet with three last layers, and its solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recaffe.net_spec import NetSpec, layers, params
from recaffe.proto import caffe_pb2, text

from layerwise.files import write_text
from layerwise.nets import MEAN_BGR, NETS
from prototxt.alexnet import LayerOptions, add_alexnet
from tools.source_images.batch_norm import with_batch_norm
from tools.source_images.database import lmdb_name
from tools.source_images.scenes import N_CLASSES, PARTS

NAME = "alexnet_half_fractal"
NET = NETS["alexnet_half"]
TRAIN_BATCH, VAL_BATCH = 32, 50  # chosen: many small steps; an hour on one core has room for few images
SEED = 1


def train_val(data: Path) -> Any:
    """NetParameter that the solver trains on the databases in `data`: scenes and their three labels, three losses.

    A Data layer gives one label, so texture and palette come from databases of their own, read in step with the scenes.
    # chosen: no dropout. It delays the start, while shape and texture are at chance, by thousands of iterations; so
    # does training without batch normalisation (batch_norm.py), which is folded into the weights afterwards.
    """

    def learned(layer: str) -> dict[str, Any]:
        return {
            "param": [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}],
            "weight_filler": {"type": "gaussian", "std": 0.01} if layer == "fc8" else {"type": "xavier"},
            "bias_filler": {"type": "constant", "value": 0},
        }

    val, spec = NetSpec(), NetSpec()
    _add_data(val, caffe_pb2.TEST, data, VAL_BATCH)
    _add_data(spec, caffe_pb2.TRAIN, data, TRAIN_BATCH)
    top = add_alexnet(spec, NET, learned)
    for part in PARTS:
        logits = _add_fc8(spec, part, top, learned)
        spec[f"accuracy_{part}"] = layers.Accuracy(logits, spec[part], include={"phase": caffe_pb2.TEST})
        spec[f"loss_{part}"] = layers.SoftmaxWithLoss(logits, spec[part])
    trained = [layer for layer in spec.to_proto().layer if layer.type != "Dropout"]
    n_data = sum(layer.type == "Data" for layer in trained)
    val_data = [layer for layer in val.to_proto().layer if layer.type == "Data"]
    plain = caffe_pb2.NetParameter(name=NAME, layer=[*trained[:n_data], *val_data, *trained[n_data:]])
    return with_batch_norm(plain)


def deploy(batch: int, filler: str | None = None) -> Any:
    """NetParameter that scores images: blob `data` (batch, 3, 131, 131), blobs `prob_<part>` (batch, 24).

    filler: how weights are filled that no caffemodel will fill, such as `msra`; None leaves Caffe's zeros.
    """

    def options(layer: str) -> dict[str, Any]:
        return {"weight_filler": {"type": filler}} if filler else {}

    spec = NetSpec()
    spec.data = layers.Input(input_param={"shape": {"dim": [batch, *NET.input_shape]}})
    top = add_alexnet(spec, NET, options)
    for part in PARTS:
        spec[f"prob_{part}"] = layers.Softmax(_add_fc8(spec, part, top, options))
    message = spec.to_proto()
    message.name = NAME
    return message


def _add_data(spec: NetSpec, phase: int, data: Path, batch: int) -> None:
    """Assign blob `data` and the labels `shape`, `texture`, `palette` to `spec`; training mirrors at random."""
    split = "train" if phase == caffe_pb2.TRAIN else "val"

    def read(part: str, **options: Any) -> Any:
        source = {"source": str(data / lmdb_name(split, part)), "batch_size": batch, "backend": params.Data.LMDB}
        return layers.Data(ntop=2, include={"phase": phase}, data_param=source, **options)

    transform = {"mean_value": list(MEAN_BGR), "mirror": phase == caffe_pb2.TRAIN}
    spec.data, spec.shape = read("shape", transform_param=transform)
    spec.texture_pixel, spec.texture = read("texture")
    spec.palette_pixel, spec.palette = read("palette")
    spec.unused = layers.Silence(spec.texture_pixel, spec.palette_pixel, ntop=0)


def _add_fc8(spec: NetSpec, part: str, bottom: Any, options: LayerOptions) -> Any:
    """Assign fc8_<part> to `spec`; return its top, the logits."""
    name = f"fc8_{part}"
    spec[name] = layers.InnerProduct(bottom, num_output=N_CLASSES, **options("fc8"))
    return spec[name]


def solver(train_val_path: str, snapshot_prefix: str, max_iter: int, n_val: int) -> Any:
    """SolverParameter: the rate falls in a straight line to zero; ten validations, a snapshot every 1000 iterations."""
    return caffe_pb2.SolverParameter(
        net=train_val_path,
        type="SGD",
        base_lr=0.02,  # chosen: after 250 iterations the loss is 8.65, with 0.05 and 0.15 it is 8.9 and 9.3
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
        "train_val": train_val(data),
        "deploy": deploy(VAL_BATCH),
        "solver": solver(str(folder / "train_val.prototxt"), str(data / NAME), max_iter, n_val),
    }
    for name, message in messages.items():
        write_text(folder / f"{name}.prototxt", "# Written by tools/source_images/nets.py.\n" + text.format(message))
    return folder / "solver.prototxt"
