"""HDF5Data and HDF5Output: rows of HDF5 files as blobs, and blobs as an HDF5 file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
from recaffe.data.errors import DataError
from recaffe.data.hdf5_rows import Hdf5Rows
from recaffe.layers.base import Blobs, Layer
from recaffe.layers.inputs import Source, show
from recaffe.proto.files import atomic_path

_DATASETS = ("data", "label")
_MOST_AXES = 4


class HDF5Data(Source):
    """A batch of each dataset that has the name of a top, from the files that a list names. It transforms nothing.

    Source: src/caffe/layers/hdf5_data_layer.cpp.
    """

    top_range: ClassVar = (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        if self.param.HasField("transform_param"):
            raise self.error("has a transform_param, but transforms nothing; remove it")
        options = self.param.hdf5_data_param
        self._rows = Hdf5Rows(options.source, list(self.param.top), options.batch_size, options.shuffle)
        for blob, shape in zip(top, self._rows.shapes, strict=True):
            blob.reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        show(top, self._rows.next_batch())

    def state(self) -> dict[str, np.ndarray]:
        return dict(self._rows.state())

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._rows.set_state(state)


class HDF5Output(Layer):
    """Writes its bottoms into `file_name`, as datasets "data" and "label" of four axes, float32.

    Real Caffe empties the file when the net is made, ends the process at a second forward, and has the file whole only
    when the net is gone. Here the file appears whole at the first forward, replacing an older HDF5 file of that name
    and no other file; a second forward raises DataError. Source: src/caffe/layers/hdf5_output_layer.cpp.
    """

    bottom_range: ClassVar = (2, 2)
    top_range: ClassVar = (0, 0)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self._path = self.param.hdf5_output_param.file_name
        self._is_written = False
        if not self._path:
            raise self.error("has no file_name in hdf5_output_param")
        if not Path(self._path).parent.is_dir():
            raise self.error(f"cannot write {self._path}: there is no folder {Path(self._path).parent}; make it first")
        if Path(self._path).exists() and not h5py.is_hdf5(self._path):
            raise self.error(f"would replace {self._path}, which is no HDF5 file; correct file_name, or move that file")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        rows = [blob.shape[0] if blob.shape else 1 for blob in bottom]
        if rows[0] != rows[1]:
            raise self.error(f"has bottoms of {rows[0]} and {rows[1]} rows, expected as many labels as data")
        if any(len(blob.shape) > _MOST_AXES for blob in bottom):
            raise self.error(f"has bottoms of shapes {[blob.shape for blob in bottom]}, expected at most four axes")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        if self._is_written:
            raise DataError(f"{self._path}: HDF5Output has written its batch; an HDF5Output layer can write only one")
        try:
            with atomic_path(self._path) as partial, h5py.File(partial, "w") as file:
                for name, blob in zip(_DATASETS, bottom, strict=True):
                    shape = (*blob.shape, *(1,) * (_MOST_AXES - len(blob.shape)))
                    file.create_dataset(name, data=blob.tensor().cpu().contiguous().numpy().reshape(shape))
        except (OSError, ValueError) as error:
            raise DataError(f"{self._path}: cannot be written: {error}") from None
        self._is_written = True

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sends nothing down: the bottoms' diffs stay as they are, as in Caffe."""
