"""Seconds per training step of AlexNet, recaffe against real Caffe, on this machine.

python recaffe/benchmarks/step.py [--net alexnet_half] [--first-learning conv4] [--batch 32] [--device gpu]

Both run the same prototxt (Input layers filled once, so no database) in turns, each in its own process; a step is
`solver.step(1)`. Real Caffe is taken from $CAFFE_PYTHON or .caffe/caffe-python; without it only recaffe is timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETS = {  # input size, widths of conv1 to fc7
    "alexnet": (227, (96, 256, 384, 384, 256, 4096, 4096)),
    "alexnet_half": (131, (48, 128, 192, 192, 128, 512, 512)),
}
LEARNED = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
REPOSITORY = Path(__file__).resolve().parents[2]


def net_prototxt(name: str, batch: int, first_learning: str) -> str:
    """AlexNet of models/bvlc_alexnet with two classes; layers before `first_learning` are frozen."""
    from recaffe.net_spec import NetSpec, params
    from recaffe.net_spec import layers as lay
    from recaffe.proto import text

    size, widths = NETS[name]
    windows = ((11, 4, 0, 1), (5, 1, 2, 2), (3, 1, 1, 1), (3, 1, 1, 2), (3, 1, 1, 2))
    gaussian = {"type": "gaussian", "std": 0.01}

    def options(layer: str) -> dict:
        rate = int(LEARNED.index(layer) >= LEARNED.index(first_learning))
        return {"param": [{"lr_mult": rate}, {"lr_mult": 2 * rate, "decay_mult": 0}], "weight_filler": gaussian}

    net = NetSpec()
    net.data = lay.Input(input_param={"shape": {"dim": [batch, 3, size, size]}})
    net.label = lay.Input(input_param={"shape": {"dim": [batch]}})
    top = net.data
    for number, (kernel, stride, pad, group) in enumerate(windows, start=1):
        window = {"kernel_size": kernel, "stride": stride, "pad": pad, "group": group}
        conv = lay.Convolution(top, num_output=widths[number - 1], **window, **options(f"conv{number}"))
        net[f"conv{number}"] = conv
        net[f"relu{number}"] = top = lay.ReLU(conv, in_place=True)
        if number < 3:
            net[f"norm{number}"] = top = lay.LRN(top, local_size=5, alpha=1e-4, beta=0.75)
        if number not in (3, 4):
            net[f"pool{number}"] = top = lay.Pooling(top, pool=params.Pooling.MAX, kernel_size=3, stride=2)
    for number in (6, 7):
        net[f"fc{number}"] = lay.InnerProduct(top, num_output=widths[number - 1], **options(f"fc{number}"))
        net[f"relu{number}"] = top = lay.ReLU(net[f"fc{number}"], in_place=True)
        net[f"drop{number}"] = top = lay.Dropout(top, dropout_ratio=0.5, in_place=True)
    net.fc8 = lay.InnerProduct(top, num_output=2, **options("fc8"))
    net.loss = lay.SoftmaxWithLoss(net.fc8, net.label)
    return text.format(net.to_proto())


def time_steps(caffe, solver_path, steps, device):
    """Seconds of each of `steps` iterations, after two that do not count."""
    import numpy as np

    if device == "gpu":
        caffe.set_device(0)
        caffe.set_mode_gpu()
    else:
        caffe.set_mode_cpu()
    solver = caffe.get_solver(solver_path)
    numbers = np.random.RandomState(0)
    data, label = solver.net.blobs["data"], solver.net.blobs["label"]
    data.data[...] = numbers.uniform(-120, 130, data.data.shape)
    label.data[...] = numbers.randint(0, 2, label.data.shape)
    solver.step(2)
    seconds = []
    for _ in range(steps):
        start = time.time()
        solver.step(1)
        float(solver.net.blobs["loss"].data)  # a GPU is done only when somebody looks
        seconds.append(time.time() - start)
    return seconds


def run_engine(engine: str, python: str, solver: Path, steps: int, threads: int, device: str) -> list[float]:
    """`time_steps` in a process of its own."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, "GLOG_minloglevel": "2", **dict.fromkeys(names, str(threads))}
    command = [python, __file__, "--time", engine, str(solver), str(steps), device]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{engine} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=NETS, default="alexnet_half")
    parser.add_argument("--first-learning", choices=LEARNED, default="conv4")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2, help="turns of each engine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="of both engines")
    options = parser.parse_args()

    engines = {"recaffe": sys.executable}
    # What `make caffe` makes has no GPU code; a Caffe that has is named by $CAFFE_PYTHON.
    own = "" if options.device == "gpu" else str(REPOSITORY / ".caffe" / "caffe-python")
    caffe_python = os.environ.get("CAFFE_PYTHON", own)
    if caffe_python and Path(caffe_python).exists():
        engines["caffe"] = caffe_python
    with tempfile.TemporaryDirectory() as folder:
        net, solver = Path(folder, "net.prototxt"), Path(folder, "solver.prototxt")
        net.write_text(net_prototxt(options.net, options.batch, options.first_learning))
        rates = "base_lr: 0.001 momentum: 0.9 weight_decay: 0.0005"
        solver.write_text(f'net: "{net}" {rates} lr_policy: "fixed" random_seed: 1 snapshot_prefix: "{net.parent}/s"\n')
        seconds: dict[str, list[float]] = {engine: [] for engine in engines}
        for _ in range(options.rounds):
            for engine, python in engines.items():
                seconds[engine] += run_engine(engine, python, solver, options.steps, options.threads, options.device)
    place = "GPU" if options.device == "gpu" else f"{options.threads} threads"
    print(f"{options.net}, batch {options.batch}, learning from {options.first_learning}, {place}")
    for engine, values in seconds.items():
        best, middle = min(values) * 1e3, statistics.median(values) * 1e3
        print(f"{engine:8} best {best:8.1f} ms   median {middle:8.1f} ms   {options.batch * 1e3 / best:7.0f} images/s")
    if "caffe" in seconds:
        ratio = min(seconds["caffe"]) / min(seconds["recaffe"])
        print(f"recaffe is {ratio:.2f} times as fast as real Caffe (best against best)")
    else:
        print("real Caffe was not timed: no $CAFFE_PYTHON and no .caffe/caffe-python (make caffe)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:
        if sys.argv[2] == "recaffe":
            import recaffe as engine_module
        else:
            import caffe as engine_module
        print(json.dumps(time_steps(engine_module, sys.argv[3], int(sys.argv[4]), sys.argv[5])))
    else:
        main()
