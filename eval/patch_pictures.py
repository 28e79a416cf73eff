"""Tiles of candidates in volumes: the patch that the net was shown, out of the test database."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
from recaffe.proto import caffe_pb2

from eval.candidates import VOLUME
from eval.frame_pictures import png_uri
from eval.tables import Row, read_table
from eval.worst_errors import Tile

# A patch of embolism holds the cross-section, then twice the longitudinal view; a Datum has its channels in the order
# blue, green, red. The two views are shown side by side.
VIEWS = (2, 0)
GAP_PX = 4


class PatchPictures:
    """Shows a candidate by its first test patch, which is the plain one: neither shifted nor turned.

    database: a folder patches-<size>. Where it is gone there are no pictures; a report about scores that are at hand
    must not fail because of that. A lesion that nothing proposed has no patch either.
    """

    def __init__(self, database: Path) -> None:
        self._lmdb = database / "test_lmdb"
        self._key_of: dict[str, str] = {}
        patches_csv = database / "patches.csv"
        if patches_csv.is_file() and (self._lmdb / "data.mdb").is_file():
            for row in read_table(patches_csv, ("key", "split", "candidate_id"), "the data preparation"):
                if row["split"] == "test":
                    self._key_of.setdefault(row["candidate_id"], row["key"])

    def size(self, lesion: Row) -> float:
        """In cubic millimetres, where the table has it."""
        return float(lesion.get("volume_mm3") or 0)

    def tile(self, around: Row, score: float | None, candidate: Row | None) -> Tile:
        patch = self._patch(candidate["candidate_id"]) if candidate else None
        views = np.zeros((1, 2)) if patch is None else side_by_side(patch)
        z, y, x = (float(around[column]) for column in VOLUME.place_columns)
        volume = f", {self.size(around):.0f} mm³" if around.get("volume_mm3") else ""
        return Tile(
            image_id=around["volume_id"],
            group_id=around["group_id"],
            score=score,
            image_uri="" if patch is None else png_uri(views),
            width_px=views.shape[1],
            height_px=views.shape[0],
            missing="patch not at hand" if candidate else "",
            place=f"slice {z:.0f}, row {y:.0f}, column {x:.0f}{volume}",
        )

    def _patch(self, candidate_id: str) -> np.ndarray | None:
        """(3, size, size) uint8 BGR, or None."""
        key = self._key_of.get(candidate_id)
        if key is None:
            return None
        with lmdb.open(str(self._lmdb), readonly=True, lock=False) as environment, environment.begin() as transaction:
            value = transaction.get(key.encode())
        if value is None:
            return None
        datum = caffe_pb2.Datum.FromString(value)
        return np.frombuffer(datum.data, np.uint8).reshape(datum.channels, datum.height, datum.width)


def side_by_side(patch: np.ndarray) -> np.ndarray:
    """The views of a (3, size, size) patch in one grey picture, (size, 2 size + GAP_PX), white between them."""
    first, second = (patch[channel] for channel in VIEWS)
    return np.hstack([first, np.full((len(first), GAP_PX), 255, np.uint8), second])
