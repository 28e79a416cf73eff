"""Readers of public sets of informative and other frames; the layout of a folder decides which one reads it."""

from __future__ import annotations

from pathlib import Path

from data_prep.frames_readers.frame_ref import FrameRef, Reader
from data_prep.frames_readers.own_images import CSV, FOLDERS
from data_prep.frames_readers.public_sets import HYPER_KVASIR, NBI_INF_FRAMES, NERTHUS
from layerwise.errors import DataError

__all__ = ["READERS", "FrameRef", "Reader", "find_reader"]

READERS = (NBI_INF_FRAMES, NERTHUS, HYPER_KVASIR, CSV, FOLDERS)
_SHOWN = 8  # entries of an unknown folder that the error lists


def find_reader(root: Path | str) -> Reader:
    """The reader whose layout `root` has. DataError says what was looked for and what was found."""
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder. DATA names the folder that holds the unpacked images.")
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
