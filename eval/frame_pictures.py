"""Tiles cut from frames, with the lesions' and the candidate's boxes drawn in; and whole frames as thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from eval.candidates import FRAME, DetectionTruth
from eval.tables import Row
from eval.worst_errors import Box, Tile

CONTEXT = 2.5  # chosen: the tile is this many times as wide as the box, so that the surroundings can be judged
MIN_TILE_PX, MAX_TILE_PX = 96, 240  # chosen: a small box is not blown up to mush, a large one does not swell the page


class FramePictures:
    """Cuts a tile that holds a row's box and draws every lesion of that frame, and one candidate, into it."""

    def __init__(self, truth: DetectionTruth, dataset_dir: Path) -> None:
        self._frames = truth.images
        self._dataset_dir = dataset_dir
        self._lesions: dict[str, list[Row]] = {}
        for row in truth.lesions.values():
            self._lesions.setdefault(row["frame_id"], []).append(row)

    def size(self, lesion: Row) -> float:
        """The longer side of its box, in pixels."""
        x0, y0, x1, y1 = _box(lesion)
        return max(x1 - x0, y1 - y0)

    def tile(self, around: Row, score: float | None, candidate: Row | None) -> Tile:
        x0, y0, x1, y1 = _box(around)
        side = max(self.size(around) * CONTEXT, MIN_TILE_PX)
        frame = self._frames[around["frame_id"]]
        left = _kept_inside((x0 + x1 - side) / 2, side, float(frame["width_px"]))
        top = _kept_inside((y0 + y1 - side) / 2, side, float(frame["height_px"]))
        drawn = [("lesion", row) for row in self._lesions.get(around["frame_id"], [])]
        drawn += [("candidate", candidate)] if candidate else []
        return Tile(
            image_id=around["frame_id"],
            group_id=around["group_id"],
            score=score,
            image_uri=_cut_uri(self._dataset_dir / frame["path"], left, top, side),
            width_px=side,
            height_px=side,
            missing="frame not at hand",
            boxes=[
                Box(kind, bx0 - left, by0 - top, bx1 - bx0, by1 - by0)
                for kind, (bx0, by0, bx1, by1) in ((kind, _box(row)) for kind, row in drawn)
            ],
        )


def _box(row: Row) -> Sequence[float]:
    return [float(row[column]) for column in FRAME.place_columns]


def _kept_inside(start: float, side: float, length: float) -> float:
    """Where a window of `side` begins that wants to begin at `start`, moved into 0 .. length, or centred if larger."""
    return (length - side) / 2 if side > length else min(max(start, 0), length - side)


def _cut_uri(path: Path, left: float, top: float, side: float) -> str:
    """The square as a PNG data URI, black where it leaves the frame; "" if the file cannot be read as an image.

    A report about scores that are at hand must not fail because frames have since been moved.
    """
    frame = read_image(path)
    if frame is None:
        return ""
    pixels = min(round(side), MAX_TILE_PX)
    shift = np.array([[pixels / side, 0, -left * pixels / side], [0, pixels / side, -top * pixels / side]])
    tile = cv2.warpAffine(frame, shift, (pixels, pixels), flags=cv2.INTER_AREA)
    return png_uri(tile)


def thumbnail_uri(path: Path) -> str:
    """The whole frame, at most MAX_TILE_PX wide and high, as a PNG data URI; "" if it cannot be read as an image."""
    frame = read_image(path)
    if frame is None:
        return ""
    factor = min(1.0, MAX_TILE_PX / max(frame.shape[:2]))
    return png_uri(cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def read_image(path: Path) -> np.ndarray | None:
    """(H, W, 3) uint8 BGR; None where there is no file, or none that is an image."""
    # np.fromfile and imdecode instead of imread, which prints its own warning about a missing file.
    encoded = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if encoded.size else None


def png_uri(image: np.ndarray) -> str:
    """An image of OpenCV's layout as a PNG data URI."""
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode("ascii")
