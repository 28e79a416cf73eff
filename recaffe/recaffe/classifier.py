"""pycaffe's Classifier: a net that classifies images of any size (python/caffe/classifier.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe import io
from recaffe.net import Net
from recaffe.proto import caffe_pb2


class Classifier(Net):
    """A net of phase TEST whose first input takes images, and whose first output scores them.

    image_dims: (height, width) that images are resized to before they are cropped, by default the input's own.
    mean, input_scale, raw_scale, channel_swap: as the setters of `io.Transformer`.
    Raises ValueError for image_dims smaller than the input, and what Net raises.
    """

    def __init__(
        self,
        model_file: str | Path,
        pretrained_file: str | Path,
        image_dims: Sequence[int] | None = None,
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, caffe_pb2.TEST, weights=pretrained_file)
        shape = self.blobs[self.inputs[0]].shape
        self.transformer = io.image_transformer(self.inputs[0], shape, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(shape[2:])
        self.image_dims: Sequence[int] | NDArray[Any] = self.crop_dims if image_dims is None else image_dims
        if (np.array(self.image_dims) < self.crop_dims).any():
            dims = tuple(map(int, self.image_dims))
            raise ValueError(f"image_dims {dims} are smaller than the input {shape[2:]}")

    def predict(self, inputs: Sequence[NDArray[Any]], oversample: bool = True) -> NDArray[np.float32]:
        """Scores (N, classes) of N images (H, W, K) of the range that the Transformer expects, as `io.load_image`'s.

        oversample: mean over ten crops, of corners and centre and their mirror images; else the centre crop alone.
        """
        images = np.array([io.resize_image(image, self.image_dims) for image in inputs], dtype=np.float32)
        if oversample:
            crops = io.oversample(list(images), self.crop_dims)
        else:
            top, left = (int(spare / 2) for spare in np.array(self.image_dims) - self.crop_dims)
            crops = images[:, top : top + self.crop_dims[0], left : left + self.crop_dims[1]]
        name = self.inputs[0]
        prepared = np.array([self.transformer.preprocess(name, crop) for crop in crops], dtype=np.float32)
        scores = self.forward_all(None, **{name: prepared})[self.outputs[0]]
        return scores.reshape(len(inputs), 10, -1).mean(1) if oversample else scores
