"""pycaffe's Timer (src/caffe/util/benchmark.cpp)."""

from __future__ import annotations

import sys
import time


class Timer:
    """A stop watch: `start()`, `stop()`, then `ms`. What a GPU still computes is waited for."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._ms = 0.0

    def start(self) -> None:
        """Start anew; does nothing while it runs."""
        if self._started_at is None:
            self._started_at = _now()

    def stop(self) -> None:
        """Stop; does nothing where it does not run."""
        if self._started_at is not None:
            self._ms = 1000 * (_now() - self._started_at)
            self._started_at = None

    @property
    def ms(self) -> float:
        """Milliseconds from start to stop; a running watch is stopped. 0 before the first start."""
        self.stop()
        return self._ms


def _now() -> float:
    mode = sys.modules.get("recaffe.mode")  # loads torch: nothing computes on a GPU before it is there
    if mode is not None and mode.device().type == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()
