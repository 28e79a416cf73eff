"""Images of one split that look like one of another: what is learned from a picture is then tested on the picture.

Splitting by group keeps the frames of one video together, but not a video that a public set holds twice under two
names, nor frames whose video nobody noted. Every picture gets a perceptual hash (ImageHash's pHash: the signs of its
low frequencies); pictures whose hashes differ in few bits are reported. Nothing is left out because of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from data_prep import manifest
from data_prep.parallel import ordered_map
from data_prep.source_pictures import TABLES, Picture
from data_prep.splits import SPLITS
from layerwise.errors import DataError
from layerwise.files import file_digest, read_csv, read_json, write_csv, write_json

CSV, RECORD = "near_duplicates.csv", "near_duplicates.json"
COLUMNS = ("image_a", "split_a", "group_a", "image_b", "split_b", "group_b", "distance")

# chosen: with 256 bits the two kinds of pairs lie apart, with 64 they do not. On the phantoms a frame that was saved
# again (JPEG of quality 50, half the size, 15 % brighter, blurred) is 0 to 34 bits from itself, 19 of 20 within 26; the
# nearest frame, region or volume of another split is 40 to 110 bits away (2 000 sources of all four applications). What
# is not found: a cut of 3 % all around moves 74 bits, and so does the next frame of a moving camera.
_HASH_SIDE = 16
N_BITS = _HASH_SIDE**2
MOST_DISTANT = 32
_CODE = (Path(__file__), Path(__file__).with_name("source_pictures.py"))
# chosen: a block of 1024 x 4096 distances takes 16 MB, however many images there are.
_ASKED_BLOCK, _KNOWN_BLOCK = 1024, 4096


@dataclass(frozen=True)
class Source:
    """One image of a split. path: as the table has it, relative to the data set's folder or absolute."""

    path: str
    split: str
    group_id: str
    row: Mapping[str, str]

    def __str__(self) -> str:
        return self.path


def check_splits(dataset: Path, workers: int) -> dict[str, Any]:
    """Compare every split's images with those of the splits before it; returns the record, made now or before.

    dataset: holds the first stage's folder, where near_duplicates.csv lists each image that has a near-duplicate in an
    earlier split (train, val, test in this order), with the nearest one there, and near_duplicates.json counts them.
    Memory: 1 kB an image. Images that cannot be read are counted and not compared.
    """
    name, picture = next((name, picture) for name, picture in TABLES.items() if (dataset / name).is_file())
    table = dataset / name
    record = table.parent / RECORD
    inputs = {"table_sha256": file_digest(table), "code_sha256": manifest.code_sha256(*_CODE)}
    if manifest.is_up_to_date(record, inputs):
        return read_json(record)
    sources = _sources(table)
    hashes = list(ordered_map(partial(_hash, dataset=dataset, picture=picture), sources, workers, "near-duplicates"))
    readable = [(source, bits) for source, bits in zip(sources, hashes, strict=True) if bits is not None]
    rows = list(_pairs(readable))
    write_csv(table.parent / CSV, COLUMNS, rows)
    found = {
        "inputs": inputs,
        "hash": f"pHash of {N_BITS} bits",
        "most_distant": MOST_DISTANT,
        "images": {split: sum(source.split == split for source in sources) for split in SPLITS},
        "unreadable": len(sources) - len(readable),
        "with_near_duplicate": {
            split: len({row["image_b"] for row in rows if row["split_b"] == split}) for split in SPLITS[1:]
        },
        "listed_in": (Path(name).parent / CSV).as_posix(),
    }
    write_json(record, found)
    return found


def summary(found: Mapping[str, Any], dataset: Path) -> str:
    """What `check_splits` found, as one line for people."""
    within = f"(within {found['most_distant']} bits of {N_BITS}; {found['unreadable']} could not be compared)"
    if not any(found["with_near_duplicate"].values()):
        return f"near-duplicates across splits: none among {sum(found['images'].values())} images {within}"
    counts = " and ".join(
        f"{n} of {found['images'][split]} {split} images" for split, n in found["with_near_duplicate"].items() if n
    )
    return f"NOTE: {counts} look like an image of an earlier split {within}: see {dataset / found['listed_in']}"


def _sources(table: Path) -> list[Source]:
    """Every image once for each split it is in."""
    once: dict[tuple[str, str], Source] = {}
    for row in read_csv(table):
        once.setdefault((row["path"], row["split"]), Source(row["path"], row["split"], row["group_id"], row))
    return list(once.values())


def _hash(source: Source, dataset: Path, picture: Picture) -> np.ndarray | None:
    """(N_BITS,) bool, or None if the image cannot be read."""
    try:
        grey = picture(dataset / source.path, source.row)
    except DataError:
        return None
    return imagehash.phash(Image.fromarray(np.ascontiguousarray(grey)), hash_size=_HASH_SIDE).hash.ravel()


def _pairs(hashed: Sequence[tuple[Source, np.ndarray]]) -> Iterator[dict[str, Any]]:
    """The rows of the CSV: for each image its nearest in each earlier split, if that is near."""
    for split_a, split_b in itertools.combinations(SPLITS, 2):
        known, asked = ([item for item in hashed if item[0].split == split] for split in (split_a, split_b))
        if not known or not asked:
            continue
        nearest, distances = nearest_hashes(np.array([b for _, b in known]), np.array([b for _, b in asked]))
        for (b, _), index, distance in zip(asked, nearest.tolist(), distances.tolist(), strict=True):
            if distance <= MOST_DISTANT:
                a = known[index][0]
                values = (a.path, a.split, a.group_id, b.path, b.split, b.group_id, distance)
                yield dict(zip(COLUMNS, values, strict=True))


def nearest_hashes(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of `asked` (M, bits) the index of the nearest of `known` (N, bits), the first of equals, and how many
    bits differ: (M,) int64 both. Bits are bool.
    """
    nearest, distances = np.zeros(len(asked), np.int64), np.full(len(asked), asked.shape[1] + 1)
    for first in range(0, len(asked), _ASKED_BLOCK):
        rows = slice(first, first + _ASKED_BLOCK)
        signs = _signs(asked[rows])
        for start in range(0, len(known), _KNOWN_BLOCK):
            # The product of two rows of signs is the number of equal bits less that of different ones.
            equal = signs @ _signs(known[start : start + _KNOWN_BLOCK]).T
            best = equal.argmax(axis=1)
            found = ((asked.shape[1] - equal[np.arange(len(best)), best]) / 2).astype(np.int64)
            closer = found < distances[rows]
            nearest[rows] = np.where(closer, best + start, nearest[rows])
            distances[rows] = np.where(closer, found, distances[rows])
    return nearest, distances


def _signs(bits: np.ndarray) -> np.ndarray:
    return 2 * bits.astype(np.float32) - 1
