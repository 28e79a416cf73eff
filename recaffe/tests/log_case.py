"""A small training job and what real Caffe logs about it.

`python recaffe/tests/log_case.py CAFFE` runs it with a `caffe` program and records the messages in
recorded/train_log.txt.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

RECORDED = Path(__file__).parent / "recorded" / "train_log.txt"
NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 7 scale: 0.01 mean_file: "mean" }
  data_param { source: "db" batch_size: 4 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST min_level: 0 not_stage: "deploy" }
  transform_param { crop_size: 7 scale: 0.01 } data_param { source: "db" batch_size: 6 backend: LMDB } }
layer { name: "aside" type: "Silence" bottom: "data" include { stage: "aside" } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 0 } param { lr_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "ip" type: "InnerProduct" bottom: "conv1" top: "ip" param { name: "w" }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.5 }
layer { name: "ip2" type: "InnerProduct" bottom: "conv1" top: "ip2" param { name: "w" }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "mute" type: "Silence" bottom: "ip2" }
"""
SOLVER = """
net: "net.prototxt" test_iter: 2 test_interval: 5 base_lr: 0.01 lr_policy: "multistep" gamma: 0.1 stepvalue: 4
stepvalue: 8 display: 2 max_iter: 10 momentum: 0.9 weight_decay: 0.005 snapshot: 5 snapshot_prefix: "snap"
solver_mode: CPU random_seed: 3 average_loss: 2 clip_gradients: 0.5
"""
ARGUMENTS = ("train", "--solver=solver.prototxt")


def write(folder: Path) -> None:
    """net.prototxt, solver.prototxt, a database of twelve random images, and a mean."""
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER)
    mean = caffe_pb2.BlobProto(num=1, channels=3, height=8, width=8, data=[100.0] * 192)
    (folder / "mean").write_bytes(mean.SerializeToString())
    random = np.random.RandomState(1)
    with lmdb.open(str(folder / "db"), map_size=2**20) as environment, environment.begin(write=True) as txn:
        for index in range(12):
            pixels = random.randint(0, 256, 3 * 8 * 8).astype(np.uint8).tobytes()
            datum = caffe_pb2.Datum(channels=3, height=8, width=8, data=pixels, label=index % 2)
            txn.put(b"%08d" % index, datum.SerializeToString())


def messages(log: str) -> list[str]:
    """The lines of a log without time, process, file, line and speed, and without those of Caffe's reading threads,
    whose place is left to chance."""
    lines = [re.sub(r"^([IWEF])\d{4} [\d:.]+ +\d+ [^ ]+\] ", r"\1 ", line) for line in log.splitlines()]
    lines = [re.sub(r"\(\S+ iter/s, \S+s/", "(... iter/s, ...s/", line) for line in lines]
    return [line for line in lines if not re.search("Waiting for data|Restarting data prefetching", line)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch))
        done = subprocess.run([sys.argv[1], *ARGUMENTS], cwd=scratch, capture_output=True, text=True, check=True)
        RECORDED.write_text("\n".join(messages(done.stderr)) + "\n")
