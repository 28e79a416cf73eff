"""Batches of windows: regions of images, warped to one size. Source: src/caffe/layers/window_data_layer.cpp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.data import images, prefetch
from recaffe.data.errors import DataError, RecordError
from recaffe.data.files import read_bytes
from recaffe.data.prefetch import Batch, State
from recaffe.data.windows import read_windows
from recaffe.random_stream import RandomStream

F32 = np.float32
_CHANNELS = 3  # images are read in color


class WindowLoader:
    """The batches of a WindowData layer; see `prefetch.Loader`. Background windows come first, then foreground.

    Setting up takes words from `stream`: one for the transformer's seed if it is random (though it transforms
    nothing), one for the stream that samples, the transformer's again, and one for the thread. Each window then takes
    a word of that stream that says which (a remainder), and a coin if it may be mirrored (odd: mirrored).
    param: the LayerParameter, crop_size, mirror and mean in its transform_param, scale in window_data_param.
    Raises DataError for settings or a window file that cannot be used; `load` raises it for images and windows.
    """

    def __init__(self, param: Any, phase: int, stream: RandomStream) -> None:
        options, transform = param.window_data_param, param.transform_param
        self._source = options.source
        self._crop_size, self._mirrors = transform.crop_size, transform.mirror
        self._context_pad, self._is_square = options.context_pad, options.crop_mode == "square"
        self._scale = F32(options.scale)
        if self._crop_size <= 2 * self._context_pad:
            raise DataError(
                f"layer {param.name!r}: crop_size is {self._crop_size}, expected more than 0 and more than twice the "
                f"context_pad of {self._context_pad}"
            )
        self._n_foreground = int(F32(options.batch_size) * F32(options.fg_fraction))
        if not 0 <= self._n_foreground <= options.batch_size:
            raise DataError(f"layer {param.name!r}: fg_fraction is {options.fg_fraction:g}, expected 0 to 1")
        transformer = prefetch.make_transformer(param, phase)
        self._windows = read_windows(options.source, options.fg_threshold, options.bg_threshold, options.root_folder)
        if self._windows.channels != _CHANNELS:
            raise DataError(f"{self._source}: the last image has {self._windows.channels} channels, expected 3 (color)")
        self.shape = (options.batch_size, _CHANNELS, self._crop_size, self._crop_size)
        prefetch.check_batch_size(options.batch_size, options.source)
        self._mean = self._placed_mean(transformer.mean_image, transformer.mean_values)
        self._files = [self._file(path) for path in self._windows.paths] if options.cache_images else None
        transformer.seed_from(stream)
        self._stream = RandomStream(stream.word())
        transformer.seed_from(stream)
        stream.word()  # seeds the thread's own global stream in Caffe, which nothing there draws from

    def _placed_mean(self, image: NDArray[np.float32] | None, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is subtracted from a warped window, for each place in it: float32, fits (3, crop_size, crop_size)."""
        if image is None:
            if len(values) not in (0, 1, _CHANNELS):
                raise DataError(f"{self._source}: transform_param has {len(values)} mean_value, expected 1 or 3")
            return np.broadcast_to(values if len(values) else F32(0), self.shape[1:])
        offset = (image.shape[2] - self._crop_size) // 2
        placed = image[:, offset : offset + self._crop_size, offset : offset + self._crop_size]
        if offset < 0 or placed.shape != self.shape[1:]:
            raise DataError(
                f"{self._source}: mean_file has the shape {image.shape}; from row and column {offset} on it does not "
                f"hold {self.shape[1:]}"
            )
        return placed

    def load(self) -> Batch:
        """The next batch."""
        data = np.zeros(self.shape, dtype=np.float32)
        labels = np.empty(self.shape[0], dtype=np.float32)
        n_background = len(labels) - self._n_foreground
        for index in range(len(labels)):
            windows = self._windows.background if index < n_background else self._windows.foreground
            window = windows[self._stream.word() % len(windows)]
            is_mirrored = self._mirrors and self._stream.word() % 2 == 1
            path = self._windows.paths[window[0]]
            try:
                self._cut(self._image(int(window[0])), window[2:].tolist(), is_mirrored, data[index])
            except RecordError as error:
                raise DataError(f"{self._source}: image {window[0]} ({path}) {error}") from None
            labels[index] = window[1]
        return Batch(data, labels, self.state())

    def _image(self, index: int) -> images.Image:
        data = self._files[index] if self._files is not None else self._file(self._windows.paths[index])
        return images.decode(data, images.COLOR)

    def _file(self, path: str) -> bytes:
        try:
            return read_bytes(path, "the image")
        except DataError as error:
            raise DataError(f"{self._source}: {error}") from None

    def _cut(self, image: images.Image, box: list[int], is_mirrored: bool, out: NDArray[np.float32]) -> None:
        """Put one window of the image into `out`, (3, crop_size, crop_size), which holds zeros."""
        if box[0] > box[2] or box[1] > box[3]:
            raise RecordError(f"has the window {box}, whose first corner is not above and left of its second")
        region = plan_region(box, image.shape[:2], self._crop_size, self._context_pad, self._is_square, is_mirrored)
        if region.is_outside(image.shape[:2]):
            raise RecordError(f"of {image.shape[1]} x {image.shape[0]} px does not hold the window {box}")
        part = image[region.y1 : region.y2 + 1, region.x1 : region.x2 + 1]
        warped = images.resize(part, region.height, region.width)
        warped = (warped[:, ::-1] if is_mirrored else warped).transpose(2, 0, 1)
        rows = slice(region.top, region.top + region.height)
        columns = slice(region.left, region.left + region.width)
        out[:, rows, columns] = (warped - self._mean[:, rows, columns]) * self._scale

    def state(self) -> State:
        """The stream that samples."""
        return prefetch.stream_state("sample", self._stream)

    def set_state(self, state: State) -> None:
        prefetch.set_stream_state("sample", self._stream, state)

    def close(self) -> None:
        """Nothing is open between images."""


@dataclass(frozen=True)
class Region:
    """A part of an image, corners included, and where it goes: `height` x `width` px from `top` and `left` on."""

    x1: int
    y1: int
    x2: int
    y2: int
    height: int
    width: int
    top: int = 0
    left: int = 0

    def is_outside(self, image_size: tuple[int, int]) -> bool:
        """Whether it is empty or not wholly in an image of (height, width)."""
        return not (0 <= self.x1 <= self.x2 < image_size[1] and 0 <= self.y1 <= self.y2 < image_size[0])


def plan_region(
    box: list[int], image_size: tuple[int, int], crop_size: int, context_pad: int, is_square: bool, is_mirrored: bool
) -> Region:
    """What to cut out for the window `box` (x1, y1, x2, y2), and to where in the crop_size x crop_size px.

    With context_pad the window is widened so that it has that many px of its surroundings on each side once warped;
    `is_square` widens its shorter side to its longer one. What then lies outside of the image stays zero.
    All numbers are float32, halves round away from zero.
    """
    x1, y1, x2, y2 = box
    if not context_pad and not is_square:
        return Region(x1, y1, x2, y2, crop_size, crop_size)
    widening = F32(crop_size) / F32(crop_size - 2 * context_pad)
    half_height, half_width = F32(y2 - y1 + 1) / F32(2), F32(x2 - x1 + 1) / F32(2)
    center_x, center_y = F32(x1) + half_width, F32(y1) + half_height
    if is_square:
        half_height = half_width = max(half_height, half_width)
    x1, x2 = _round(center_x - half_width * widening), _round(center_x + half_width * widening)
    y1, y2 = _round(center_y - half_height * widening), _round(center_y + half_height * widening)

    scale_x, scale_y = F32(crop_size) / F32(x2 - x1 + 1), F32(crop_size) / F32(y2 - y1 + 1)
    left, right = max(0, -x1), max(0, x2 - image_size[1] + 1)
    top, bottom = max(0, -y1), max(0, y2 - image_size[0] + 1)
    x1, x2, y1, y2 = x1 + left, x2 - right, y1 + top, y2 - bottom
    width, height = _round(F32(x2 - x1 + 1) * scale_x), _round(F32(y2 - y1 + 1) * scale_y)
    left, top = _round(F32(right if is_mirrored else left) * scale_x), _round(F32(top) * scale_y)
    return Region(x1, y1, x2, y2, min(height, crop_size - top), min(width, crop_size - left), top, left)


def _round(value: np.float32) -> int:
    """To the nearest whole number, halves away from zero, as C's round."""
    return int(np.copysign(np.floor(np.abs(float(value)) + 0.5), float(value)))
