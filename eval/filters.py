"""The first layer's filters as pictures: what tuning, and learning from scratch, make of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from recaffe.proto.files import ProtoFileError, read_caffemodel
from recaffe.proto.upgrade_v0 import UpgradeError

from eval.frame_pictures import png_uri
from eval.study import ApplicationStudy
from layerwise.errors import DataError
from layerwise.run_folder import RunFolder

LAYER, DEEPEST = "conv1", "finetune-conv1"
MAGNIFIED, GAP_PX, ACROSS = 4, 2, 8  # chosen: eight 11 x 11 filters across are as wide as a phone


@dataclass(frozen=True)
class FilterPicture:
    """image_uri: a PNG as data URI, "" where `missing` says why. change: |w - source| / |w of the source|, or None."""

    title: str
    image_uri: str = ""
    width_px: int = 0
    height_px: int = 0
    n_filters: int = 0
    change: float | None = None
    missing: str = ""


def filter_pictures(study: ApplicationStudy) -> list[FilterPicture]:
    """Of the source weights, of the net that was tuned from conv1 on, and of the best net from scratch."""
    sources = [run.record["weights"] for run in study.runs if run.record.get("weights")]
    scratch = study.samples("scratch")
    best = study.best(scratch) if scratch else "from scratch"
    pictures, source = [], None
    if sources:
        source, picture = _picture(f"source weights {sources[0]['name']}", Path(sources[0]["path"]), None)
        pictures.append(picture)
    pictures.append(_picture(f"{DEEPEST}, as tuned", _kept(study, DEEPEST), source)[1])
    pictures.append(_picture(f"{best}, as learned", _kept(study, best), None)[1])
    return pictures


def _kept(study: ApplicationStudy, scheme: str) -> Path | None:
    cell = study.cells.get((scheme, 1.0))
    return RunFolder(cell.runs[0].folder).best_caffemodel if cell else None


def _picture(title: str, path: Path | None, source: np.ndarray | None) -> tuple[np.ndarray | None, FilterPicture]:
    """The filters and their picture. A page about scores that are at hand must not fail because weights have moved."""
    if path is None:
        return None, FilterPicture(title, missing="no run")
    try:
        weights = read_filters(path)
    except DataError as error:
        return None, FilterPicture(title, missing=str(error))
    page, change = draw_filters(weights), None
    if source is not None and source.shape == weights.shape:
        change = float(np.linalg.norm(weights - source) / np.linalg.norm(source))
    return weights, FilterPicture(title, png_uri(page), page.shape[1], page.shape[0], len(weights), change)


def read_filters(path: Path) -> np.ndarray:
    """(N, 3, height, width) float32, channels blue, green, red. DataError if the file does not have them."""
    try:
        net = read_caffemodel(path)
    except (OSError, ProtoFileError, UpgradeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for layer in net.layer:
        if layer.name == LAYER and layer.blobs:
            blob = layer.blobs[0]
            shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
            if len(shape) != 4 or shape[1] != 3:
                raise DataError(f"{path}: {LAYER} has weights of {shape}, expected filters of three channels")
            return np.array(blob.data or blob.double_data, dtype=np.float32).reshape(shape)
    raise DataError(f"{path} has no weights of a layer {LAYER}")


def draw_filters(weights: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the filters in rows of eight, in the net's order, each stretched to its own full range.

    Mid grey is the mean of a filter's extremes, so a picture shows form and colour, not size.
    """
    low, high = (np.take(np.sort(weights.reshape(len(weights), -1)), at, axis=1) for at in (0, -1))
    spread = np.maximum(high - low, 1e-12)[:, None, None, None]
    tiles = np.round(255 * (weights - low[:, None, None, None]) / spread).astype(np.uint8).transpose(0, 2, 3, 1)
    side = tiles.shape[1] * MAGNIFIED
    rows = ceil(len(tiles) / ACROSS)
    page = np.full((rows * (side + GAP_PX) - GAP_PX, ACROSS * (side + GAP_PX) - GAP_PX, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = (place * (side + GAP_PX) for place in divmod(index, ACROSS))
        page[top : top + side, left : left + side] = cv2.resize(tile, (side, side), interpolation=cv2.INTER_NEAREST)
    return page
