"""pycaffe's Layer: what `net.layers` holds, and the class that the layers people write in Python derive from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recaffe.blob import Blob, BlobVec

Blobs = Sequence[Blob]


class Layer:
    """One step of a net. A Python layer (see `recaffe.layers.python_layer`) is a class of its own that derives from
    this one and defines the four methods below; before `setup` it is given `self.param_str` (str) and `self.phase`
    (caffe.TRAIN or caffe.TEST).

    `blobs` are the weights, a list with `add_blob(*shape)`. Everything else belongs to the class that derives: no other
    name is taken. Source: python/caffe/_caffe.cpp and include/caffe/layers/python_layer.hpp.
    """

    param_str: str
    phase: int

    def __init__(self, param: Any) -> None:
        """param: the LayerParameter."""
        self.__type: str = param.type
        self.__blobs = BlobVec()

    @property
    def type(self) -> str:
        """The type in the prototxt."""
        return self.__type

    @property
    def blobs(self) -> BlobVec:
        """The weights."""
        return self.__blobs

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Once, when the net is built: read the parameters, check the numbers of blobs, make the weights."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Before each forward: give the tops their shapes."""
        raise NotImplementedError(f"{type(self).__name__} must define reshape(self, bottom, top)")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Read the bottoms' data and write the tops' data."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, bottom, top)")

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Read the tops' diff, *add* to the diff of the weights, and *write* the diff of each bottom with
        propagate_down."""
        raise NotImplementedError(f"{type(self).__name__} must define backward(self, top, propagate_down, bottom)")
