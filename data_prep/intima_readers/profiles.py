"""The text files of CUBS: a traced line in either of its two shapes, the size of a pixel, the region of interest."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from layerwise.errors import DataError

# chosen: no scanner saves finer or coarser pixels; a file in um per pixel, or in pixels per mm, is caught.
PIXEL_MM_RANGE = (0.005, 0.5)
MIN_POINTS = 5
# chosen: a hand that trembles goes back now and then; a line that does so more often is no y(x).
MAX_BACKWARD = 0.1


def read_profile(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(x_px, y_px) of a traced line, (N,) float64 each, x rising; points at one x are averaged.

    Two lines of text are all x and then all y; otherwise every line is one point "x y". Numbers may have decimal
    commas and be separated by blanks, tabs or semicolons. DataError if the file is missing, is neither shape, holds
    what is no finite number, or does not run from one side to the other.
    """
    rows = _numbers(path)
    if len(rows) == 2 and len(rows[0]) == len(rows[1]):
        points = np.array(rows)
    elif all(len(row) == 2 for row in rows):
        points = np.array(rows).T
    else:
        lengths = sorted({len(row) for row in rows})
        raise DataError(
            f"{path}: {len(rows)} lines of {lengths[0]} to {lengths[-1]} numbers; expected two lines (all x, all y) or "
            "one point `x y` per line. Export the profile again."
        )
    if points.shape[1] < MIN_POINTS:
        raise DataError(f"{path}: {points.shape[1]} points, expected {MIN_POINTS} or more. Trace the boundary again.")
    if not np.isfinite(points).all():
        raise DataError(f"{path}: point {_first_bad(points)} is not finite. Correct or remove it.")
    x, y = points if points[0, -1] >= points[0, 0] else points[:, ::-1]
    backward = np.mean(np.diff(x) < 0)
    if backward > MAX_BACKWARD:
        raise DataError(
            f"{path}: {backward:.0%} of the steps go backwards in x, so this is no line y(x). "
            "The two rows may be exchanged, or the file holds a closed outline."
        )
    unique, where = np.unique(x, return_inverse=True)
    return unique, np.bincount(where, weights=y) / np.bincount(where)


def read_pixel_mm(path: Path) -> float:
    """Millimetres per pixel. DataError if the file is missing, says no number, or one that no scanner has."""
    rows = _numbers(path)
    value = rows[0][0]
    low, high = PIXEL_MM_RANGE
    if not low <= value <= high:
        raise DataError(
            f"{path}: {value:g} mm per pixel; expected {low:g} to {high:g} (CUBS has about 0.06). Write it in mm."
        )
    return value


def read_rect(path: Path) -> tuple[int, int, int, int] | None:
    """(x, y, w, h) of the region of interest in whole pixels; None if there is no such file."""
    if not path.is_file():
        return None
    values = [value for row in _numbers(path) for value in row]
    if len(values) != 4 or not np.isfinite(values).all() or min(values[2:]) < 1:
        raise DataError(f"{path}: {values}; expected x y w h in pixels with w and h of 1 or more. Correct it.")
    x, y, w, h = (round(value) for value in values)
    return x, y, w, h


def _numbers(path: Path) -> list[list[float]]:
    """The numbers of every line that is not empty; DataError names line and word of what is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Every image needs its text files.") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: is empty. Restore it from its source.")
    words = [[word.rstrip(",") for word in re.split(r"[;\s]+", line) if word] for _, line in lines]
    if len(words) > 1 and all(len(row) == 1 and row[0].count(",") == 1 for row in words):
        words = [row[0].split(",") for row in words]  # "x,y" per line: here the comma separates
    rows = []
    for (number, _), row in zip(lines, words, strict=True):
        try:
            rows.append([float(word.replace(",", ".")) for word in row])
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}. Expected numbers only.") from None
        if not row:
            raise DataError(f"{path}, line {number}: no number. Remove the line.")
    return rows


def _first_bad(points: np.ndarray) -> int:
    return int(np.flatnonzero(~np.isfinite(points).all(axis=0))[0]) + 1
