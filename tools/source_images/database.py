"""The source images and their labels as LMDBs of Datum, a function of the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.lmdb_builder import datum_key, encode_datum, write_lmdb
from layerwise.files import read_json, write_json
from tools.source_images.scenes import N_CLASSES, PARTS, draw_scene, make_bank

SPLITS = ("train", "val")


def lmdb_name(split: str, part: str) -> str:
    """The database whose labels are those of `part`."""
    return f"{split}_{part}_lmdb"


def make_databases(folder: Path, counts: dict[str, int], members: int, size: int, seed: int) -> None:
    """Write so many (3, size, size) scenes per split, from `members` silhouettes and tiles a class, and manifest.json.

    A Datum has one label and a scene has three: `<split>_shape_lmdb` holds the scenes, labelled by shape; the databases
    of the other two parts hold one black pixel and a label per scene, in the same order. The splits share neither
    silhouettes nor tiles. If the manifest already says the same, nothing is done.
    """
    asked = {"seed": seed, "size": size, "classes": N_CLASSES, "members": members, "counts": counts}
    manifest = folder / "manifest.json"
    if manifest.is_file() and {key: read_json(manifest).get(key) for key in asked} == asked:
        print(f"{folder}: databases are up to date")
        return
    manifest.unlink(missing_ok=True)
    sums = {}
    for number, split in enumerate(SPLITS):
        labels = np.random.default_rng((seed, number)).integers(0, N_CLASSES, (counts[split], len(PARTS)))
        for part, column in zip(PARTS, labels.T, strict=True):
            records = _scenes(labels, number, members, size, seed) if part == "shape" else _pixels(column)
            name = lmdb_name(split, part)
            sums[name] = write_lmdb(folder / name, records).sha256
    write_json(manifest, {**asked, "sha256": sums})


def _scenes(labels: np.ndarray, split: int, members: int, size: int, seed: int) -> Iterator[tuple[str, bytes]]:
    bank = make_bank(seed, split, members)
    bar = tqdm(labels.tolist(), desc=f"{SPLITS[split]} images", unit="img", disable=None)
    for index, (shape, texture, palette) in enumerate(bar):
        scene = draw_scene(bank, shape, texture, palette, np.random.default_rng((seed, split, index)), size)
        yield datum_key(index, "scene"), encode_datum(scene[:, :, ::-1], shape)


def _pixels(labels: np.ndarray) -> Iterator[tuple[str, bytes]]:
    pixel = np.zeros((1, 1, 3), np.uint8)
    for index, label in enumerate(labels.tolist()):
        yield datum_key(index, "label"), encode_datum(pixel, label)
