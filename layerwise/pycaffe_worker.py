"""All that is done with a net: training, scoring patches, mapping regions. It is handed a caffe module and speaks
pycaffe, so real Caffe and recaffe run the same lines.

Imports nothing but the standard library and numpy, and runs on any Python from 2.7 on, because under ENGINE=caffe it is
a script of the Python that real Caffe was built for.

`train` and `predict` are generators of events (JSON-able dicts); whoever drives them decides. The driver is
`layerwise.engine`: in our process for recaffe, over a pipe of JSON lines for real Caffe (see `serve`).
"""

from __future__ import absolute_import, division, print_function

import json
import os
import sys
import time

import numpy as np

OFFSETS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of the four maps that one is parted into before a pooling


def train(caffe, job):
    """Train until job["max_iter"] or until the driver says stop.

    job: solver, deploy (paths of prototxt), weights (caffemodel or None), restore (solverstate or None), max_iter,
         validate_at (iterations), val_patches (path of .npy, (N, 3, S, S) uint8 BGR), mean_bgr (3 floats), device.
    Events, in order: one "ready"; per iteration one "step" (iteration from 1, loss, seconds); where validation is due,
    one "scores" (P(positive) of every validation patch, in the order of the file); after a reply with "snapshot", one
    "snapshot" (its two paths); a last "done". The reply to "step" and "scores" (a dict) may have "snapshot" and "stop".
    """
    use_device(caffe, job["device"])
    solver = caffe.get_solver(str(job["solver"]))
    scorer = caffe.Net(str(job["deploy"]), caffe.TEST)  # before restore, which takes up the random numbers' state
    if job["restore"]:
        solver.restore(str(job["restore"]))
    elif job["weights"]:
        solver.net.copy_from(str(job["weights"]))
    scorer.share_with(solver.net)
    patches = np.load(job["val_patches"], mmap_mode="r")
    validate_at = set(job["validate_at"])

    yield {"event": "ready", "version": engine_version(caffe), "iteration": int(solver.iter)}
    while solver.iter < job["max_iter"]:
        started = time.time()
        solver.step(1)
        seconds = time.time() - started
        iteration, loss = int(solver.iter), float(solver.net.blobs["loss"].data)
        if not np.isfinite(loss):
            raise FloatingPointError(describe_non_finite(solver.net, iteration, loss))
        reply = yield {"event": "step", "iteration": iteration, "loss": loss, "seconds": seconds}
        if iteration in validate_at or iteration == job["max_iter"]:
            scores = np.concatenate(list(score(scorer, patches, job["mean_bgr"])))
            reply = yield {"event": "scores", "iteration": iteration, "scores": scores.tolist()}
        if reply.get("snapshot"):
            solver.snapshot()
            yield dict(snapshot_paths(job["snapshot_prefix"], iteration), event="snapshot", iteration=iteration)
        if reply.get("stop"):
            break
    yield {"event": "done", "iteration": int(solver.iter)}


def predict(caffe, job):
    """Score every patch of job["patches"] (.npy) with job["deploy"] and job["weights"]; events as in `train`.

    Events: "ready"; one "scores" per batch (start: index of its first patch); "done".
    """
    use_device(caffe, job["device"])
    net = caffe.Net(str(job["deploy"]), str(job["weights"]), caffe.TEST)
    patches = np.load(job["patches"], mmap_mode="r")
    yield {"event": "ready", "version": engine_version(caffe), "iteration": 0}
    start = 0
    for scores in score(net, patches, job["mean_bgr"]):
        yield {"event": "scores", "start": start, "scores": scores.tolist()}
        start += len(scores)
    yield {"event": "done", "iteration": 0}


def score(net, patches, mean_bgr):
    """Yield P(not background) of `patches` ((N, 3, S, S) uint8 BGR), a batch of the net's own size at a time.

    We feed the deploy net ourselves because a Data layer never rewinds: from its second pass on, scores part from their
    keys whenever the batch does not divide the database. The last batch is filled up and the filling dropped.
    """
    data = net.blobs["data"].data
    batch, mean = data.shape[0], np.asarray(mean_bgr, np.float32).reshape(3, 1, 1)
    for start in range(0, len(patches), batch):
        part = patches[start : start + batch].astype(np.float32) - mean
        net.blobs["data"].data[: len(part)] = part
        prob = net.forward()["prob"]
        yield prob[: len(part), 1:].reshape(len(part), -1).sum(axis=1).copy()


def maps(caffe, job):
    """Score every place of regions at once with the convolutional form of job["deploy"]; no net is trained.

    job: deploy, weights (of the patch net, as in `predict`), convolutional (prototxt that `layerwise.net_surgery` made
         of deploy), renamed (fully connected layer -> its convolution), context_size, stride, mean_bgr, device, and
         regions: a list of {"pixels": path of .npy, (3, H, W) uint8 BGR, "maps": of .npy to write, (K, h, w) float32}.
    Events: "ready"; one "maps" per region (index, seconds of its pass); "done".
    """
    use_device(caffe, job["device"])
    net = operate(caffe, job)
    mean = np.asarray(job["mean_bgr"], np.float32).reshape(3, 1, 1)
    yield {"event": "ready", "version": engine_version(caffe), "iteration": 0}
    for index, region in enumerate(job["regions"]):
        pixels = np.load(region["pixels"]).astype(np.float32) - mean
        started = time.time()
        found = dense_scores(net, pixels, job["context_size"], job["stride"])
        seconds = time.time() - started
        np.save(region["maps"], found)
        yield {"event": "maps", "index": index, "seconds": seconds}
    yield {"event": "done", "iteration": 0}


def operate(caffe, job):
    """Net surgery: the convolutional net with the weights of the patch net; of job the paths and `renamed` of `maps`.

    A fully connected weight (outputs, C * H * W) is, row by row, the kernel (outputs, C, H, W) of the convolution that
    stands for it.
    """
    patch_net = caffe.Net(str(job["deploy"]), str(job["weights"]), caffe.TEST)
    net = caffe.Net(str(job["convolutional"]), caffe.TEST)
    for layer, blobs in patch_net.params.items():
        for number, blob in enumerate(blobs):
            target = net.params[job["renamed"].get(layer, layer)][number].data
            target[...] = blob.data.reshape(target.shape)
    return net


def dense_scores(net, region, context_size, stride):
    """Scores (K, h, w) of a region (C, H, W), mean subtracted, at every `stride`-th pixel where a context fits.

    The score [:, i, j] is that of the context_size square whose first pixel is (i * stride, j * stride). Strides of the
    whole net multiply to more than that of its first layer, so before each pooling (all of stride 2) a map is parted
    into the four that begin at row and column 0 or 1, which go on as items of the batch and are interleaved at the end
    (Giusti et al. 2013). Nothing is computed twice.
    """
    layers = list(net._layer_names)
    pools = [name for number, name in enumerate(layers) if net.layers[number].type == "Pooling"]
    ends = [layers[layers.index(pool) - 1] for pool in pools] + [layers[-1]]
    places = [(side - context_size) // stride + 1 for side in region.shape[1:]]
    if min(places) < 1:
        raise ValueError("a region of %d x %d pixels holds no square of %d" % (region.shape[1:] + (context_size,)))
    # As many places more as it takes to be parted evenly at every pooling; what they see does not matter.
    parts = 2 ** len(pools)
    sides = [(-(-n // parts) * parts - 1) * stride + context_size for n in places]
    filled = np.zeros([1, region.shape[0]] + sides, np.float32)
    region = region[:, : sides[0], : sides[1]]
    filled[0, :, : region.shape[1], : region.shape[2]] = region
    found = run_part(net, net.inputs[0], filled, layers[0], ends[0])
    for number, pool in enumerate(pools):
        quarters = [found[:, :, i : found.shape[2] - 1 + i, j : found.shape[3] - 1 + j] for i, j in OFFSETS]
        found = run_part(net, net.bottom_names[pool][0], np.concatenate(quarters), pool, ends[number + 1])
    for _ in pools:
        n, channels, height, width = found.shape
        joined = np.empty((n // 4, channels, 2 * height, 2 * width), np.float32)
        for number, (i, j) in enumerate(OFFSETS):
            joined[:, :, i::2, j::2] = found[number * (n // 4) : (number + 1) * (n // 4)]
        found = joined
    return found[0, :, : places[0], : places[1]]


def run_part(net, blob, values, first, last):
    """Give `blob` its values and run the layers from `first` to `last`; returns what the last one puts out."""
    net.blobs[blob].reshape(*values.shape)
    net.blobs[blob].data[...] = values
    (made,) = net.forward(start=first, end=last).values()
    return made.copy()


def use_device(caffe, device):
    """device: "cpu", or the index of a GPU."""
    if device == "cpu":
        caffe.set_mode_cpu()
    else:
        caffe.set_device(int(device))
        caffe.set_mode_gpu()


def engine_version(caffe):
    return str(getattr(caffe, "__version__", "unknown"))


def snapshot_paths(prefix, iteration):
    """Caffe's names of a snapshot (solver.cpp, SnapshotFilename)."""
    stem = "%s_iter_%d" % (prefix, iteration)
    return {"caffemodel": stem + ".caffemodel", "solverstate": stem + ".solverstate"}


def describe_non_finite(net, iteration, loss):
    """Name the first blob or parameter, in the order of the net, that is not finite."""
    for name in net._layer_names:
        for index, blob in enumerate(net.params.get(name, [])):
            if not np.isfinite(blob.data).all():
                return "loss is %r at iteration %d; first bad: parameter %d of layer '%s'" % (
                    loss,
                    iteration,
                    index,
                    name,
                )
    for name, blob in net.blobs.items():
        if not np.isfinite(blob.data).all():
            return "loss is %r at iteration %d; first bad: blob '%s'" % (loss, iteration, name)
    return "loss is %r at iteration %d; every other blob and parameter is finite" % (loss, iteration)


def serve(job_path):
    """Run one job under real Caffe: events as JSON lines on stdout, one reply line on stdin after each event.

    Caffe and its Python print where they like, so stdout is kept for events and file descriptor 1 becomes the log's.
    """
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with open(job_path) as handle:
        job = json.load(handle)
    try:
        import caffe  # pyright: ignore[reportMissingImports] - only real Caffe's Python has it

        if not hasattr(caffe, "SGDSolver"):
            raise ImportError("this 'caffe' is not pycaffe: %s" % getattr(caffe, "__file__", "?"))
        task = {"train": train, "predict": predict, "maps": maps}[job["task"]](caffe, job)
        event = next(task)
        while True:
            events.write(json.dumps(event) + "\n")
            events.flush()
            line = sys.stdin.readline()
            if not line:
                return  # the driver is gone: nobody would read the rest
            event = task.send(json.loads(line))
    except StopIteration:
        pass
    except Exception as error:  # whatever pycaffe raises must reach the driver as a message
        events.write(json.dumps({"event": "failed", "reason": "%s: %s" % (type(error).__name__, error)}) + "\n")
        events.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
