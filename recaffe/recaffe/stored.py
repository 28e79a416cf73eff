"""What a snapshot file holds, whichever form it has: arrays with their shapes, by layer; and a solver's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, not read yet.

    shape: as the file states it. is_old: stated by the four sizes of old files, which pad with ones in front.
    read, read_diff: give the values as float32 of `shape`; raise WeightsError where they are not all there.
    """

    shape: Shape
    read: Callable[[], np.ndarray]
    is_old: bool = False
    read_diff: Callable[[], np.ndarray] | None = None

    def fits(self, shape: Shape) -> bool:
        """Whether this can become a blob of `shape`: (1, 1, 1, 5) of an old file is (5,). Source: Blob::ShapeEquals."""
        if self.is_old:
            return len(shape) <= 4 and self.shape == (1,) * (4 - len(shape)) + shape
        return self.shape == shape


@dataclass(frozen=True)
class StoredLayer:
    """A layer's weights in a file, by their index; a shared one may be stored with its owner only."""

    name: str
    arrays: dict[int, StoredArray]


@dataclass(frozen=True)
class StoredState:
    """A solverstate being read. learned_net: the path of the weights, as the file has it. resume: a ResumeState."""

    iteration: int
    learned_net: str | None
    current_step: int
    history: Sequence[StoredArray]
    resume: Any = None


@dataclass(frozen=True)
class SolverState:
    """A solverstate to be written; as StoredState, with the history's values."""

    iteration: int
    learned_net: str
    current_step: int
    resume: Any
    history: list[torch.Tensor] = field(default_factory=list)
