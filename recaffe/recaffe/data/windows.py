"""Window files of R-CNN. Source: WindowDataLayer::DataLayerSetUp.

An image is a line each of `# INDEX` (from 0, in order), PATH, CHANNELS, HEIGHT, WIDTH, NUMBER OF WINDOWS, then a line
`LABEL OVERLAP X1 Y1 X2 Y2` for each window: corners in px, both inside the window, from 0.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from recaffe.data.errors import DataError

_MOST = 2**31 - 1


@dataclass(frozen=True)
class Windows:
    """paths of the images; foreground and background, int32 (N, 6): image, label, x1, y1, x2, y2, in the file's order.

    channels: of the last image, which is what Caffe shapes its batches by.
    """

    paths: list[str]
    channels: int
    foreground: NDArray[np.int32]
    background: NDArray[np.int32]


def read_windows(path: str | Path, fg_threshold: float, bg_threshold: float, root_folder: str = "") -> Windows:
    """The windows of a file: foreground from an overlap of fg_threshold on, background (label 0) below bg_threshold.

    Windows between the two are left out. Raises DataError, with file and line, for what does not follow the form
    above, for a foreground window whose label is not above 0, and for a file without a window of either kind.
    """
    try:
        with Path(path).open("rb") as file:
            return _Reader(path, file, np.float32(fg_threshold), np.float32(bg_threshold), root_folder).read()
    except OSError as error:
        raise DataError(f"{path}: the window file cannot be read: {error.strerror or error}") from None


class _Reader:
    """Reads one file, line after line; blank lines do not count."""

    def __init__(
        self, path: str | Path, lines: Iterator[bytes], fg_threshold: np.float32, bg_threshold: np.float32, root: str
    ) -> None:
        self.path, self.root = path, root
        self.lines = ((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip())
        self.fg_threshold, self.bg_threshold = fg_threshold, bg_threshold
        self.number = 0  # of the line read last

    def read(self) -> Windows:
        paths: list[str] = []
        foreground, background = [], []
        channels = 0
        for number, line in self.lines:
            self.number = number
            if line.split() != [b"#", str(len(paths)).encode()]:
                self.fail(f"{os.fsdecode(line)!r}, expected `# {len(paths)}`, the beginning of the next image")
            paths.append(self.root + os.fsdecode(self.line("the path of the image")))
            channels = self.whole("its number of channels", least=1)
            self.whole("its height in px", least=1)
            self.whole("its width in px", least=1)
            is_foreground, is_background, windows = self.windows(self.whole("its number of windows"), len(paths) - 1)
            foreground.append(windows[is_foreground])
            background.append(windows[is_background])
        for kind, parts in (("foreground", foreground), ("background", background)):
            if not any(len(part) for part in parts):
                raise DataError(f"{self.path}: has no {kind} window; both kinds are needed to sample from")
        return Windows(paths, channels, np.concatenate(foreground), np.concatenate(background))

    def line(self, what: str) -> bytes:
        self.number, line = next(self.lines, (self.number, b""))
        if not line:
            self.fail(f"the file ends here, expected {what}")
        return line

    def whole(self, what: str, least: int = 0) -> int:
        line = self.line(what)
        if not line.isdigit() or len(line) > 10 or not least <= int(line) <= _MOST:
            self.fail(f"{os.fsdecode(line)!r}, expected {what}")
        return int(line)

    def windows(self, count: int, image: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int32]]:
        """Which are foreground, which background, and the windows with their labels as they are used."""
        numbered = list(itertools.islice(self.lines, count))
        rows = [line.split() for _, line in numbered]
        for (self.number, _), row in zip(numbered, rows, strict=True):
            if len(row) != 6:
                self.fail(f"{len(row)} values, expected a window: label overlap x1 y1 x2 y2")
        if len(rows) != count:
            self.fail(f"the file ends after {len(rows)} windows of image {image}, which says that it has {count}")
        values = self.values([number for number, _ in numbered], rows)
        windows = np.empty((count, 6), dtype=np.int32)
        windows[:, 0] = image
        windows[:, 1:] = values[:, (0, 2, 3, 4, 5)]
        overlap = values[:, 1].astype(np.float32)
        is_foreground = overlap >= self.fg_threshold
        is_background = ~is_foreground & (overlap < self.bg_threshold)
        bad = np.flatnonzero(is_foreground & (windows[:, 1] <= 0))
        if len(bad):
            self.number = numbered[bad[0]][0]
            self.fail(f"a foreground window has the label {windows[bad[0], 1]}, expected 1 or more")
        windows[is_background, 1] = 0
        return is_foreground, is_background, windows

    def values(self, numbers: list[int], rows: list[list[bytes]]) -> NDArray[np.float64]:
        """Rows of numbers, all but the second in each a whole one."""
        try:
            values = np.array(rows, dtype=np.float64).reshape(-1, 6)
        except ValueError:
            values = np.array([_numbers(row) for row in rows])
        whole = values[:, (0, 2, 3, 4, 5)]
        is_good = np.isfinite(values).all(axis=1) & ((whole == np.rint(whole)) & (np.abs(whole) <= _MOST)).all(axis=1)
        if not is_good.all():
            bad = int(np.argmin(is_good))
            self.number = numbers[bad]
            self.fail(f"{os.fsdecode(b' '.join(rows[bad]))!r}, expected a window: label overlap x1 y1 x2 y2")
        return values

    def fail(self, problem: str) -> NoReturn:
        raise DataError(f"{self.path}:{self.number}: {problem}")


def _numbers(row: list[bytes]) -> list[float]:
    """The values of a row, NaN for each if one of them is no number."""
    try:
        return [float(value) for value in row]
    except ValueError:
        return [float("nan")] * len(row)
