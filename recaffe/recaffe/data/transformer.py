"""What happens to a record on its way into a blob: crop, subtract the mean, scale, mirror.

Source: src/caffe/data_transformer.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.proto import caffe_pb2
from recaffe.proto.files import read_binary
from recaffe.random_stream import RandomStream


class RecordError(ValueError):
    """A record that cannot be transformed: its `index` within the batch, and the `problem` ("is ...", "has ...")."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"record {index} {problem}")
        self.index, self.problem = index, problem


class Transformer:
    """A TransformationParameter in a phase. Random only if it mirrors, or crops in phase TRAIN.

    Each record then takes words from the transformer's own stream, which `seed` starts: one for the mirror coin (odd:
    mirror), then two for the crop's top and left (remainders). In phase TEST the crop is the centre.
    Raises ValueError if mean_file and mean_value are both given, or mean_file holds no image; OSError if it is missing.
    """

    def __init__(self, param: Any, phase: int) -> None:
        self.crop_size = param.crop_size
        self.scale = np.float32(param.scale)
        self.mirrors = param.mirror
        self.crops_randomly = param.crop_size > 0 and phase == caffe_pb2.TRAIN
        self.stream: RandomStream | None = None
        self.mean_values = np.array(param.mean_value, dtype=np.float32).reshape(-1, 1, 1)
        self.mean_image = _mean_image(param.mean_file) if param.HasField("mean_file") else None
        if self.mean_image is not None and len(self.mean_values):
            raise ValueError("transform_param has both mean_file and mean_value; keep one")

    @property
    def is_random(self) -> bool:
        return self.mirrors or self.crops_randomly

    def seed(self, seed: int) -> None:
        """Start the transformer's own stream."""
        self.stream = RandomStream(seed)

    def output_shape(self, datum: Any) -> tuple[int, int, int]:
        """(channels, height, width) of the Datum once transformed. Raises RecordError (index 0) if it cannot be."""
        if datum.encoded:
            raise RecordError(0, "is an encoded image; build the database of raw pixels")
        shape = (datum.channels, datum.height, datum.width)
        if min(shape) < 1:
            raise RecordError(0, f"has the shape {shape}")
        if self.crop_size > min(shape[1:]):
            raise RecordError(0, f"of shape {shape} is smaller than crop_size {self.crop_size}")
        if self.mean_image is not None and self.mean_image.shape != shape:
            raise RecordError(0, f"of shape {shape} does not fit mean_file's {self.mean_image.shape}")
        if len(self.mean_values) not in (0, 1, shape[0]):
            raise RecordError(0, f"has {shape[0]} channels, transform_param {len(self.mean_values)} mean_value")
        return (shape[0], self.crop_size or shape[1], self.crop_size or shape[2])

    def transform(self, datums: Sequence[Any]) -> NDArray[np.float32]:
        """The Datums as one blob, float32 (N, C, H, W), all of the first one's shape.

        Raises RecordError for one that has another shape, not as many values as its shape says, or is encoded.
        """
        shape = self.output_shape(datums[0])
        out = np.empty((len(datums), *shape), dtype=np.float32)
        for index, datum in enumerate(datums):
            try:
                self._transform_one(datum, out[index])
            except RecordError as error:
                raise RecordError(index, error.problem) from None
        if self.scale != 1:
            out *= self.scale
        return out

    def _transform_one(self, datum: Any, out: NDArray[np.float32]) -> None:
        """All but the scale, from `datum` into `out`."""
        shape = self.output_shape(datum)
        if shape != out.shape:
            raise RecordError(0, f"comes out as {shape}, the first of its batch as {out.shape}")
        values = _values(datum)
        is_mirrored, top, left = self._draw(datum.height - shape[1], datum.width - shape[2])
        window = (slice(None), slice(top, top + shape[1]), slice(left, left + shape[2]))
        target = out[:, :, ::-1] if is_mirrored else out
        if self.mean_image is not None:
            np.subtract(values[window], self.mean_image[window], out=target)
        elif len(self.mean_values):
            np.subtract(values[window], self.mean_values, out=target)
        else:
            target[...] = values[window]

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


def _values(datum: Any) -> NDArray[Any]:
    """The Datum's values, uint8 or float32 (C, H, W)."""
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, dtype=np.uint8) if datum.data else np.array(datum.float_data, dtype=np.float32)
    if values.size != math.prod(shape):
        raise RecordError(0, f"of shape {shape} has {values.size} values, expected {math.prod(shape)}")
    return values.reshape(shape)


def _mean_image(path: str) -> NDArray[np.float32]:
    """float32 (C, H, W) from a BlobProto file as compute_image_mean writes it."""
    blob = read_binary(path, caffe_pb2.BlobProto)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else (blob.num, blob.channels, blob.height, blob.width)
    if len(shape) < 3 or math.prod(shape[:-3]) != 1 or len(blob.data) != math.prod(shape):
        raise ValueError(f"{path}: {len(blob.data)} values of shape {shape}, expected one image (1, C, H, W)")
    return np.array(blob.data, dtype=np.float32).reshape(shape[-3:])
