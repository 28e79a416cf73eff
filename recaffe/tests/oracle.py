"""What a caffe module computes for given files, as arrays: the same lines for real Caffe and for recaffe.

Run as a script by real Caffe's Python (3.6 or later): `oracle.py layers CASES_DIR OUT.npz`, and
`oracle.py train ITERATIONS OUT.npz` in a folder of solver_*.prototxt.
"""

import sys
import zlib
from pathlib import Path

import numpy as np


def layer_arrays(caffe, prototxt):
    """Forward and backward of one case: inputs, weights and top diffs follow from the file's name alone.

    Returns {"data NAME" | "diff NAME" | "weight LAYER INDEX" | "weight diff LAYER INDEX": array}.
    """
    name = Path(prototxt).stem
    caffe.set_random_seed(7)
    net = caffe.Net(str(prototxt), caffe.TRAIN)
    numbers = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
    for blob in net.inputs:
        shape = tuple(net.blobs[blob].data.shape)
        values = numbers.randint(0, 3, shape) if blob == "label" else numbers.randn(*shape)
        net.blobs[blob].data[...] = values
    net.forward()
    for blob in net.outputs:
        if blob not in ("loss", "places"):
            net.blobs[blob].diff[...] = numbers.randn(*net.blobs[blob].diff.shape)
    arrays = {}
    if not name.startswith("accuracy"):
        net.backward()
        arrays.update((f"diff {blob}", net.blobs[blob].diff.copy()) for blob in net.inputs if blob != "label")
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


def main(verb, *arguments):
    import caffe

    if verb == "layers":
        arrays = all_layer_arrays(caffe, arguments[0])
    else:
        arrays = all_training_arrays(caffe, int(arguments[0]))
    np.savez_compressed(arguments[-1], **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
