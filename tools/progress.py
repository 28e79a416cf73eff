"""Progress of a training run: a bar with ETA, loss and AUC on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

PLAIN_SECONDS = 15.0  # chosen: a log file stays readable, and nobody wonders for long whether it still runs


class TrainProgress:
    """Shows iteration, loss, the newest validation AUC and the time left; `close` leaves the last state on screen."""

    def __init__(self, max_iter: int, start_iter: int = 0) -> None:
        self.max_iter = max_iter
        self.start_iter = start_iter
        self.auc: float | None = None
        self._began = self._spoke = time.monotonic()
        self._bar = (
            tqdm(total=max_iter, initial=start_iter, unit="it", dynamic_ncols=True) if sys.stderr.isatty() else None
        )

    def step(self, iteration: int, loss: float, images_per_s: float) -> None:
        now = time.monotonic()
        if self._bar is not None:
            auc = "" if self.auc is None else f" val AUC {self.auc:.3f}"
            self._bar.set_postfix_str(f"loss {loss:.3f}{auc}", refresh=False)
            self._bar.update(iteration - self._bar.n)
        elif now - self._spoke >= PLAIN_SECONDS:
            self._spoke = now
            left = (now - self._began) / max(1, iteration - self.start_iter) * (self.max_iter - iteration)
            print(
                f"  iteration {iteration}/{self.max_iter}  loss {loss:.4f}  {images_per_s:.0f} images/s  "
                f"at most {left:.0f} s left",
                flush=True,
            )

    def validated(self, iteration: int, epoch: float, auc: float, improved: bool) -> None:
        self.auc = auc
        best = "  (best so far)" if improved else ""
        self._say(f"  iteration {iteration}  epoch {epoch:.2f}  validation AUC {auc:.4f}{best}")

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
