"""The source images as two LMDBs of Datum, a function of the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.lmdb_builder import datum_key, encode_datum, write_lmdb
from layerwise.files import read_json, write_json
from tools.source_images.scenes import N_CLASSES, draw_scene, make_bank

MEMBERS = 16  # chosen: silhouettes and tiles per class part; scenes place, colour and light them anew
SPLITS = ("train", "val")


def make_databases(folder: Path, counts: dict[str, int], size: int, seed: int) -> None:
    """Write `train_lmdb` and `val_lmdb` with so many (3, size, size) scenes, and manifest.json.

    Classes have equal shares. The two splits share neither silhouettes nor tiles. If the manifest already says the
    same, nothing is done.
    """
    asked = {"seed": seed, "size": size, "classes": N_CLASSES, "counts": counts}
    manifest = folder / "manifest.json"
    if manifest.is_file() and {key: read_json(manifest).get(key) for key in asked} == asked:
        print(f"{folder}: databases are up to date")
        return
    manifest.unlink(missing_ok=True)
    sums = {
        name: write_lmdb(folder / f"{name}_lmdb", _records(split, counts[name], size, seed)).sha256
        for split, name in enumerate(SPLITS)
    }
    write_json(manifest, {**asked, "sha256": sums})


def _records(split: int, count: int, size: int, seed: int) -> Iterator[tuple[str, bytes]]:
    bank = make_bank(seed, split, MEMBERS)
    labels = np.random.default_rng((seed, split)).permutation(count) % N_CLASSES
    for index, label in enumerate(tqdm(labels.tolist(), desc=f"{SPLITS[split]} images", unit="img", disable=None)):
        scene = draw_scene(bank, label, np.random.default_rng((seed, split, index)), size)
        yield datum_key(index, f"class{label:03d}"), encode_datum(scene[:, :, ::-1], label)
