"""pycaffe's Detector: a net that classifies windows of images, as in R-CNN (python/caffe/detector.py)."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe import io
from recaffe.net import Net
from recaffe.proto import caffe_pb2

Detection = dict[str, Any]  # filename, window (ymin, xmin, ymax, xmax), prediction (classes,)


class Detector(Net):
    """A net of phase TEST whose first input takes windows warped to its size, and whose first output scores them.

    mean, input_scale, raw_scale, channel_swap: as the setters of `io.Transformer`.
    context_pad: how many pixels of the warped window, on each side, show what lies around the window.
    """

    def __init__(
        self,
        model_file: str | Path,
        pretrained_file: str | Path,
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, caffe_pb2.TEST, weights=pretrained_file)
        shape = self.blobs[self.inputs[0]].shape
        self.transformer = io.image_transformer(self.inputs[0], shape, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Sequence[NDArray[Any]]]]) -> list[Detection]:
        """The scores of every window of every image; (filename, windows) with windows (ymin, xmin, ymax, xmax)."""
        name = self.inputs[0]
        found: list[Detection] = []
        prepared = []
        for filename, windows in images_windows:
            image = io.load_image(filename)
            for window in windows:
                prepared.append(self.transformer.preprocess(name, self.crop(image, window)))
                found.append({"window": window, "prediction": None, "filename": filename})
        if found:
            scores = self.forward_all(None, **{name: np.array(prepared)})[self.outputs[0]]
            for detection, prediction in zip(found, scores, strict=True):
                detection["prediction"] = prediction
        return found

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[Detection]:
        """`detect_windows` with the windows that selective search proposes.

        Raises ImportError without the module selective_search_ijcv_with_python, which in turn needs MATLAB.
        """
        try:
            search = importlib.import_module("selective_search_ijcv_with_python")
        except ImportError:
            raise ImportError(
                "detect_selective_search needs the module selective_search_ijcv_with_python "
                "(github.com/sergeyk/selective_search_ijcv_with_python); with windows of your own call detect_windows"
            ) from None
        filenames = [str(Path(filename).absolute()) for filename in image_fnames]
        windows = search.get_windows(filenames, cmd="selective_search_rcnn")
        return self.detect_windows(zip(filenames, windows, strict=True))

    def crop(self, im: NDArray[Any], window: NDArray[Any]) -> NDArray[np.float32]:
        """The window (ymin, xmin, ymax, xmax) of the image (H, W, K), warped and with its surroundings if there is a
        context_pad; what lies outside of the image is the mean. Raises ValueError for a window outside of the image."""
        if not self.context_pad:
            ymin, xmin, ymax, xmax = (int(side) for side in window)
            return im[ymin:ymax, xmin:xmax]
        size = self.blobs[self.inputs[0]].width  # of a square input
        scale = size / (size - 2.0 * self.context_pad)
        low, high = np.array(window[:2], dtype=float), np.array(window[2:], dtype=float)
        half = (high - low + 1) / 2
        first, last = np.round(low + half - scale * half), np.round(low + half + scale * half)
        zoom = size / (last - first + 1)
        pad = [round(amount) for amount in np.maximum(0, -first) * zoom]
        sizes = np.array(im.shape[:2], dtype=float)
        first, last = np.clip(first, 0, sizes).astype(int), np.clip(last, 0, sizes).astype(int)
        if (last <= first).any():
            raise ValueError(f"window {tuple(window)} lies outside of the image of shape {im.shape}")
        inner = [
            min(round(amount), size - before) for amount, before in zip((last - first + 1) * zoom, pad, strict=True)
        ]
        crop = np.ones(self.crop_dims, dtype=np.float32) * self.crop_mean
        piece = io.resize_image(im[first[0] : last[0], first[1] : last[1]], inner)
        crop[pad[0] : pad[0] + inner[0], pad[1] : pad[1] + inner[1]] = piece
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set the context, and the mean image (H, W, K) around the image, in the range of unprepared images."""
        name = self.inputs[0]
        order = self.transformer.transpose[name]
        back = [order[axis] for axis in order]
        self.crop_dims = np.array(self.blobs[name].shape[1:])[back]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(name)
        if mean is None:
            self.crop_mean: NDArray[Any] = np.zeros(self.crop_dims, dtype=np.float32)
            return
        self.crop_mean = mean.transpose(back)
        if name in self.transformer.channel_swap:
            self.crop_mean = self.crop_mean[:, :, np.argsort(self.transformer.channel_swap[name])]
        if name in self.transformer.raw_scale:
            self.crop_mean = self.crop_mean / self.transformer.raw_scale[name]
