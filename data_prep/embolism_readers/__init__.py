"""Readers of the public sets of CT angiographies; the layout of a folder decides which one reads it."""

from __future__ import annotations

from pathlib import Path

from data_prep.embolism_readers.layouts import READERS, Reader
from data_prep.embolism_readers.volume import Volume, VolumeRef, load_volume, read_image
from layerwise.errors import DataError

__all__ = ["READERS", "Reader", "Volume", "VolumeRef", "find_reader", "load_volume", "read_image"]

_SHOWN = 8  # entries of an unknown folder that the error lists


def find_reader(root: Path | str) -> Reader:
    """The reader whose layout `root` has. DataError says what was looked for and what was found."""
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder. DATA names the folder that holds the unpacked volumes.")
    for reader in READERS:
        if reader.locate(root) is not None:
            return reader
    names = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    found = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    looked_for = "".join(f"\n  {reader.name}: {reader.looked_for}" for reader in READERS)
    raise DataError(
        f"{root} has none of the layouts that can be read. Looked for{looked_for}\n"
        f"found there: {found or 'nothing'}. Arrange the files as one of these."
    )
