"""What the layers of a net answer to images, as rows for a linear classifier."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from recaffe.proto import text

from tools.source_images.nets import VAL_BATCH, deploy
from tools.source_images.probe import Features

PROBED = ("pool1", "pool2", "pool5", "fc6", "fc7")
GRID = 3  # chosen: pool5 is 3 x 3; larger maps are averaged to that, so that layers compare


def open_features(caffe: Any, weights: Path | None, seed: int) -> Features:
    """Features of the source net with the weights of a caffemodel; None: with random ones, filled by msra from `seed`.

    The function returned takes up to VAL_BATCH images, (N, 3, 131, 131) float32 BGR minus the mean, and gives for each
    of PROBED (N, D) float32.
    """
    caffe.set_mode_cpu()
    caffe.set_random_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        prototxt = Path(folder) / "deploy.prototxt"
        prototxt.write_text(text.format(deploy(VAL_BATCH, filler=None if weights else "msra")))
        net = caffe.Net(str(prototxt), str(weights), caffe.TEST) if weights else caffe.Net(str(prototxt), caffe.TEST)

    def features(images: np.ndarray) -> dict[str, np.ndarray]:
        net.blobs["data"].data[: len(images)] = images
        net.forward()
        return {layer: _rows(net.blobs[layer].data[: len(images)]) for layer in PROBED}

    return features


def _rows(values: np.ndarray) -> np.ndarray:
    """(N, ...) float32 -> (N, D): a map is averaged over GRID x GRID fields of about equal size."""
    if values.ndim == 4:
        rows = [part.mean(axis=2) for part in np.array_split(values, GRID, axis=2)]
        values = np.stack([part.mean(axis=2) for row in rows for part in np.array_split(row, GRID, axis=2)], axis=2)
    return values.reshape(len(values), -1).copy()
