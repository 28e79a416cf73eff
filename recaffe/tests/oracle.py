"""What a caffe module computes for given files, as arrays: the same lines for real Caffe and for recaffe.

Run as a script by real Caffe's Python (3.6 or later):
`oracle.py layers CASES_DIR OUT.npz`;
`oracle.py train ITERATIONS OUT.npz` in a folder of solver_*.prototxt;
`oracle.py steps OUT.npz` in a folder of solver_*.prototxt;
`oracle.py serve`, which reads lines `[PROTOTXT, SEED, OUT.npz]` in JSON and answers each with "done".
"""

import json
import sys
import zlib
from pathlib import Path

import numpy as np


def input_values(name, shape, numbers):
    """What an input blob is given, by the beginning of its name; `numbers` is a RandomState.

    label, index: whole numbers 0 to 2. flag: 0 or 1, the first is 1. cont: 0 or 1, the first row is 0.
    positive: above 0. probability: above 0, with sum 1 along axis 1. unit: from 0 to 1. Else: normal numbers.
    """
    if name.startswith(("label", "index")):
        return numbers.randint(0, 3, shape)
    if name.startswith(("flag", "cont")):
        values = numbers.randint(0, 2, shape)
        values[:1] = name.startswith("flag")
        return values
    if name.startswith("positive"):
        return np.exp(numbers.randn(*shape))
    if name.startswith("probability"):
        values = np.exp(numbers.randn(*shape))
        return values / values.sum(axis=1, keepdims=True)
    if name.startswith("unit"):
        return numbers.uniform(0, 1, shape)
    return numbers.randn(*shape)


def is_real_valued(name):
    """Whether a gradient with regard to this input makes sense."""
    return not name.startswith(("label", "index", "flag", "cont"))


def prepare(caffe, prototxt, seed):
    """The net of a file for phase TRAIN, and what it is run with: values of inputs and diffs of outputs, by blob."""
    caffe.set_random_seed(7)
    net = caffe.Net(str(prototxt), caffe.TRAIN)
    numbers = np.random.RandomState(seed)
    values = {name: input_values(name, tuple(net.blobs[name].data.shape), numbers) for name in net.inputs}
    for name in net.inputs:
        net.blobs[name].data[...] = values[name]
    net.forward()  # tops of some layers have their shape from now on
    weights = net.blob_loss_weights
    diffs = {name: numbers.randn(*net.blobs[name].diff.shape) for name in net.outputs if not weights[name]}
    return net, values, diffs


def layer_arrays(caffe, prototxt, seed=None):
    """Forward and backward of a net of Input layers and others: the seed (the file's name alone, if not given) decides.

    Returns {"data NAME" | "diff NAME" | "weight LAYER INDEX" | "weight diff LAYER INDEX": array}.
    """
    name = Path(prototxt).stem
    net, _, diffs = prepare(caffe, prototxt, zlib.crc32(name.encode()) % 2**31 if seed is None else seed)
    for blob, diff in diffs.items():
        net.blobs[blob].diff[...] = diff
    net.backward()
    arrays = {f"diff {blob}": net.blobs[blob].diff.copy() for blob in net.inputs if is_real_valued(blob)}
    arrays.update((f"data {blob}", net.blobs[blob].data.copy()) for blob in net.blobs if blob not in net.inputs)
    for layer, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            arrays[f"weight {layer} {index}"] = blob.data.copy()
            arrays[f"weight diff {layer} {index}"] = blob.diff.copy()
    return arrays


def training_arrays(caffe, solver_path, iterations):
    """A training session: losses, and the weights before and after it.

    Returns {"losses": (iterations,), "first LAYER INDEX" and "last LAYER INDEX": weights}.
    """
    solver = caffe.get_solver(str(solver_path))
    arrays = weights("first", solver.net)
    losses = []
    for _ in range(iterations):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
    arrays.update(weights("last", solver.net))
    arrays["losses"] = np.array(losses)
    return arrays


def step_arrays(caffe, solver_path):
    """One training step of a net of Input layers and others; the solver file's name decides what they are given.

    Returns {"loss NAME", "first LAYER INDEX": weights before it, "update LAYER INDEX": what was subtracted}.
    """
    solver = caffe.get_solver(str(solver_path))
    net = solver.net
    numbers = np.random.RandomState(zlib.crc32(Path(solver_path).stem.encode()) % 2**31)
    for name in net.inputs:
        net.blobs[name].data[...] = input_values(name, tuple(net.blobs[name].data.shape), numbers)
    arrays = weights("first", net)
    solver.step(1)
    arrays.update((f"loss {name}", net.blobs[name].data.copy()) for name in net.outputs)
    for layer, blobs in net.params.items():
        arrays.update((f"update {layer} {index}", blob.diff.copy()) for index, blob in enumerate(blobs))
    return arrays


def relative_error(found, expected):
    """The largest difference of two dicts of arrays, relative to the largest value of each expected array."""
    worst = 0.0
    for key, array in expected.items():
        scale = np.abs(array).max(initial=0)
        difference = np.abs(np.asarray(found[key], np.float64) - array).max(initial=0)
        worst = max(worst, difference / scale if scale else difference)
    return worst


def weights(prefix, net):
    """{"PREFIX LAYER INDEX": copy of the weights}."""
    return {
        f"{prefix} {layer} {index}": blob.data.copy()
        for layer, blobs in net.params.items()
        for index, blob in enumerate(blobs)
    }


def all_layer_arrays(caffe, folder):
    """`layer_arrays` of every case in a folder, under "CASE/..."."""
    arrays = {}
    for path in sorted(Path(folder).glob("*.prototxt")):
        arrays.update((f"{path.stem}/{key}", array) for key, array in layer_arrays(caffe, path).items())
    return arrays


def all_training_arrays(caffe, iterations):
    """`training_arrays` of every solver_NAME.prototxt in the working directory, under "NAME/..."."""
    arrays = {}
    for path in sorted(Path().glob("solver_*.prototxt")):
        name = path.stem[len("solver_") :]
        arrays.update((f"{name}/{key}", array) for key, array in training_arrays(caffe, path, iterations).items())
    return arrays


def all_step_arrays(caffe):
    """`step_arrays` of every solver_NAME.prototxt in the working directory, under "NAME/..."."""
    arrays = {}
    for path in sorted(Path().glob("solver_*.prototxt")):
        name = path.stem[len("solver_") :]
        arrays.update((f"{name}/{key}", array) for key, array in step_arrays(caffe, path).items())
    return arrays


def serve(caffe):
    """`layer_arrays` for each line of standard input, without starting anew each time."""
    for line in sys.stdin:
        prototxt, seed, path = json.loads(line)
        np.savez(path, **layer_arrays(caffe, prototxt, seed))
        print("done", flush=True)


def main(verb, *arguments):
    import caffe

    if verb == "serve":
        return serve(caffe)
    if verb == "layers":
        arrays = all_layer_arrays(caffe, arguments[0])
    elif verb == "steps":
        arrays = all_step_arrays(caffe)
    else:
        arrays = all_training_arrays(caffe, int(arguments[0]))
    np.savez_compressed(arguments[-1], **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
