"""What every layer has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from recaffe import mode
from recaffe.blob import Blob
from recaffe.errors import BlobSizeError, CaffeError, NetError
from recaffe.fillers import FillerError, fill
from recaffe.io import blobproto_to_array
from recaffe.layer import Layer as PublicLayer
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream

Blobs = Sequence[Blob]


class Layer(PublicLayer):
    """One step of a net. The class has the name of the type in the prototxt.

    `setup` runs once, reads `self.param` and makes `self.blobs` (the weights); `reshape` runs before each forward and
    gives the tops their shapes; `forward` reads bottoms' data and sets tops'; `backward` reads tops' diff, *adds* to
    the diff of each weight with `learns(index)`, and *sets* the diff of each bottom with `propagate_down`. Gradients
    are Caffe's own formulas on tensors: nothing is recorded, so a layer that needs no backward keeps nothing, and
    `backward` works with whatever the blobs hold, as in Caffe.
    """

    bottom_range: ClassVar[tuple[int, int | None]] = (1, 1)
    top_range: ClassVar[tuple[int, int | None]] = (1, 1)
    tops_as_bottoms: ClassVar[bool] = False  # as many tops as bottoms
    adds_missing_tops: ClassVar[bool] = False  # tops that the prototxt leaves out exist without a name
    allows_in_place: ClassVar[bool] = False
    default_loss_weight: ClassVar[float] = 0.0  # of the first top

    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self.param = param
        self.phase: int = param.phase
        self.needs_backward = False  # the net sets it: whether `backward` will be called
        self._learns: list[bool] = []

    @property
    def public(self) -> PublicLayer:
        """What `net.layers` shows: the layer, unless it stands for one written in Python."""
        return self

    @property
    def name(self) -> str:
        return self.param.name

    @property
    def is_train(self) -> bool:
        return self.phase == caffe_pb2.TRAIN

    def allows_force_backward(self, index: int) -> bool:
        """Whether `force_backward: true` sends a gradient to bottom `index`."""
        return True

    def state(self) -> dict[str, np.ndarray]:
        """What decides the layer's next batches besides weights and the global random stream, for `set_state`."""
        return {}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from where `state` was taken. Snapshots keep it, so that a restored session sees the same data."""

    def learns(self, index: int) -> bool:
        """Whether the gradient of weight `index` is wanted (its lr_mult is not 0)."""
        return self._learns[index]

    def set_learns(self, flags: Sequence[bool]) -> None:
        self._learns = list(flags)

    def loss_weight(self, index: int) -> float:
        """Weight of top `index` in the loss. Source: Layer::SetLossWeights, LossLayer::LayerSetUp."""
        if self.param.loss_weight:
            return self.param.loss_weight[index]
        return self.default_loss_weight if index == 0 else 0.0

    def connect(self, bottom: Blobs, top: Blobs) -> None:
        """Check the numbers of blobs, set up and shape: what a net does once with each layer."""
        self._check_count("bottom", len(bottom), self.bottom_range)
        self._check_count("top", len(top), self.top_range)
        if self.tops_as_bottoms and len(bottom) != len(top):
            raise self.error(f"has {len(bottom)} bottoms and {len(top)} tops, expected as many tops as bottoms")
        if self.param.loss_weight and len(self.param.loss_weight) != len(top):
            raise self.error(f"has {len(self.param.loss_weight)} loss_weight for {len(top)} tops; give one for each")
        if not self.allows_in_place and any(blob in bottom for blob in top):
            raise self.error("cannot work in place; give its top another name than its bottom")
        with self.naming_errors():
            self.setup(bottom, top)
            self.reshape(bottom, top)
        for index, blob in enumerate(top):
            if self.loss_weight(index):
                blob.set_diff(torch.full(blob.shape, self.loss_weight(index), dtype=mode.dtype(), device=mode.device()))

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        """Inside, what a blob, torch or memory refuses is raised as a NetError that names the layer.

        Errors of the classes behind Python layers come through as they are.
        """
        try:
            yield
        except BlobSizeError as error:
            raise self.error(f"cannot be shaped: {error}") from None
        except (RuntimeError, MemoryError, OverflowError) as error:
            if isinstance(error, CaffeError) or self.type == "Python":
                raise
            raise self.error(f"cannot be computed: {error}") from error

    def _check_count(self, kind: str, found: int, allowed: tuple[int, int | None]) -> None:
        least, most = allowed
        if found < least or (most is not None and found > most):
            expected = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
            raise self.error(f"has {found} {kind} blobs, expected {expected}")

    def axis_of(self, blob: Blob, axis: int) -> int:
        """`axis` of a blob counted from the front; negative ones count from the back. NetError out of range."""
        if not -len(blob.shape) <= axis < len(blob.shape):
            raise self.error(f"needs axis {axis}, which a blob of shape {blob.shape} does not have")
        return axis % len(blob.shape)

    def error(self, problem: str) -> NetError:
        """The error to raise about this layer."""
        return NetError(f"layer {self.name!r} ({self.type}) {problem}")

    def make_weights(self, *specs: tuple[tuple[int, ...], Any]) -> None:
        """Make `self.blobs` of (shape, FillerParameter), filled in this order from the global random stream.

        Where the net file itself holds the weights (`blobs`), they are taken, and nothing is drawn.
        """
        stated = self.param.blobs
        if stated and len(stated) != len(specs):
            raise self.error(f"has {len(stated)} blobs in the net file for its {len(specs)} weight arrays")
        for index, (shape, filler) in enumerate(specs):
            blob = Blob()
            blob.reshape(*shape)  # refuses what no blob can have before anything of that size is made
            try:
                values = self._stated_weights(index, shape) if stated else fill(filler, shape, global_stream)
            except (FillerError, MemoryError) as error:
                raise self.error(f"cannot fill its weights: {error}") from None
            blob.set(torch.from_numpy(values).to(mode.dtype()))
            self.blobs.append(blob)

    def _stated_weights(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        """Weight array `index` as the net file has it, float32; of old files in four sizes, ones in front."""
        try:
            values = blobproto_to_array(self.param.blobs[index]).astype(np.float32)
        except ValueError as error:
            raise self.error(f"has broken blobs in the net file: {error}") from None
        if values.shape != shape and values.shape != (1,) * (values.ndim - len(shape)) + shape:
            raise self.error(f"has blobs of shape {values.shape} in the net file, expected {shape}")
        return values.reshape(shape)
