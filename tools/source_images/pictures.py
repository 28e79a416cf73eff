"""Pictures to look at: a sheet of source images, and the filters of conv1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from layerwise.files import write_bytes
from tools.source_images.scenes import N_CLASSES, PARTS, draw_scene, make_bank

GAP = 2


def scenes_picture(seed: int, size: int, rows: int = 5, columns: int = 8) -> np.ndarray:
    """(H, W, 3) uint8 BGR: random scenes."""
    bank = make_bank(seed, 1, columns)
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, N_CLASSES, (rows * columns, len(PARTS)))
    return _sheet([draw_scene(bank, int(s), int(t), int(p), rng, size) for s, t, p in parts], columns)


def filters_picture(weights: np.ndarray, columns: int = 12, enlarge: int = 5) -> np.ndarray:
    """(n, 3, k, k) weights of conv1 as one picture, each filter stretched to the full range about grey."""
    scaled = weights / np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    tiles = np.round(127.5 + 127.5 * scaled).astype(np.uint8).transpose(0, 2, 3, 1)
    return _sheet([np.kron(tile, np.ones((enlarge, enlarge, 1), np.uint8)) for tile in tiles], columns)


def write_picture(path: Path, image_bgr: np.ndarray) -> None:
    """Encode by the ending of `path`."""
    _, encoded = cv2.imencode(path.suffix, image_bgr)
    write_bytes(path, encoded.tobytes())


def _sheet(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    framed = [
        cv2.copyMakeBorder(tile, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255)) for tile in tiles
    ]
    return np.vstack([np.hstack(framed[start : start + columns]) for start in range(0, len(framed), columns)])
