"""What happens to an image on its way into a blob: crop, subtract the mean, scale, mirror.

Source: src/caffe/data_transformer.cpp.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import RecordError
from recaffe.proto import caffe_pb2
from recaffe.proto.files import read_binary
from recaffe.random_stream import RandomStream


class Transformer:
    """A TransformationParameter in a phase. Random only if it mirrors, or crops in phase TRAIN.

    Each image then takes words from the transformer's own stream, which `seed_from` starts: one for the mirror coin
    (odd: mirror), then two for the crop's top and left (remainders). In phase TEST the crop is the centre.
    Raises ValueError if mean_file and mean_value are both given, or mean_file holds no image; OSError if it is missing.
    """

    def __init__(self, param: Any, phase: int) -> None:
        self.crop_size = param.crop_size
        self.scale = np.float32(param.scale)
        self.mirrors = param.mirror
        self.crops_randomly = param.crop_size > 0 and phase == caffe_pb2.TRAIN
        self.force_color, self.force_gray = param.force_color, param.force_gray
        self.stream: RandomStream | None = None
        self.mean_values = np.array(param.mean_value, dtype=np.float32).reshape(-1, 1, 1)
        self.mean_image = read_mean_image(param.mean_file) if param.HasField("mean_file") else None
        if self.mean_image is not None and len(self.mean_values):
            raise ValueError("transform_param has both mean_file and mean_value; keep one")

    @property
    def is_random(self) -> bool:
        return self.mirrors or self.crops_randomly

    def seed_from(self, stream: RandomStream) -> None:
        """Start the transformer's own stream at a word of `stream`, if it is random. Source: InitRand."""
        if self.is_random:
            self.stream = RandomStream(stream.word())

    def output_shape(self, image: NDArray[Any]) -> tuple[int, int, int]:
        """(C, H, W) of the image (C, H, W) once transformed. Raises RecordError if it cannot be."""
        shape = image.shape
        if self.crop_size > min(shape[1:]):
            raise RecordError(f"of shape {shape} is smaller than crop_size {self.crop_size}")
        if self.mean_image is not None and self.mean_image.shape != shape:
            raise RecordError(f"of shape {shape} does not fit mean_file's {self.mean_image.shape}")
        if len(self.mean_values) not in (0, 1, shape[0]):
            raise RecordError(f"has {shape[0]} channels, transform_param {len(self.mean_values)} mean_value")
        return (shape[0], self.crop_size or shape[1], self.crop_size or shape[2])

    def transform(self, image: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Put the image, uint8 or float32 (C, H, W), transformed into `out`, float32 of its `output_shape`.

        Raises RecordError for an image that does not fit.
        """
        shape = self.output_shape(image)
        if shape != out.shape:
            raise RecordError(f"comes out as {shape}, the first of its batch as {out.shape}")
        is_mirrored, top, left = self._draw(image.shape[1] - shape[1], image.shape[2] - shape[2])
        window = (slice(None), slice(top, top + shape[1]), slice(left, left + shape[2]))
        if self.mean_image is not None:
            np.subtract(image[window], self.mean_image[window], out=out)
        elif len(self.mean_values):
            np.subtract(image[window], self.mean_values, out=out)
        else:
            out[...] = image[window]
        if is_mirrored:  # last: arithmetic on reversed rows takes numpy three times as long
            out[...] = out[:, :, ::-1]
        if self.scale != 1:
            out *= self.scale

    def _draw(self, spare_rows: int, spare_columns: int) -> tuple[bool, int, int]:
        """Whether to mirror, and the crop's top and left."""
        if not self.is_random:
            return False, spare_rows // 2, spare_columns // 2
        if self.stream is None:
            raise RuntimeError("a random Transformer must be seeded before it transforms")
        is_mirrored = self.mirrors and self.stream.word() % 2 == 1
        if not self.crops_randomly:
            return is_mirrored, spare_rows // 2, spare_columns // 2
        top = self.stream.word() % (spare_rows + 1)
        return is_mirrored, top, self.stream.word() % (spare_columns + 1)


def read_mean_image(path: str) -> NDArray[np.float32]:
    """float32 (C, H, W) from a BlobProto file as compute_image_mean writes it. Raises OSError or ValueError."""
    blob = read_binary(path, caffe_pb2.BlobProto)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else (blob.num, blob.channels, blob.height, blob.width)
    values = blob.double_data or blob.data
    if len(shape) < 3 or min(shape) < 1 or math.prod(shape[:-3]) != 1 or len(values) != math.prod(shape):
        raise ValueError(f"{path}: {len(values)} values of shape {shape}, expected one image (1, C, H, W)")
    return np.array(values, dtype=np.float32).reshape(shape[-3:])
