"""A user's own frames: one CSV of paths and labels, or a folder per class."""

from __future__ import annotations

import csv
from pathlib import Path

from data_prep.frames_readers.frame_ref import FrameRef, Reader, folders, images, listing
from data_prep.polyp_readers.frame_ref import IMAGE_SUFFIXES
from layerwise.errors import DataError
from layerwise.files import read_csv

# What people call the two classes; letter case, "-", "_" and blanks do not matter.
_INFORMATIVE = {"informative", "1", "good", "clear"}
_NON_INFORMATIVE = {"noninformative", "uninformative", "notinformative", "0", "bad"}
_SPLITS = ("", "train", "test")


def read_label(text: str) -> bool | None:
    """True for informative, False for the other, None for a word that is neither."""
    word = text.strip().lower().translate(str.maketrans("", "", "-_ "))
    return True if word in _INFORMATIVE else False if word in _NON_INFORMATIVE else None


# A CSV: path,label[,group_id][,split], paths relative to the CSV.

_CSV_LOOKED_FOR = "one .csv with the columns path,label and, better, group_id (the video); split is train or test"


def _locate_csv(root: Path) -> Path | None:
    tables = [path for path in listing(root) if path.suffix.lower() == ".csv"]
    return root if len(tables) == 1 and {"path", "label"} <= set(_header(tables[0])) else None


def _header(table: Path) -> list[str]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            return [name.strip().lower() for name in next(csv.reader(handle), [])]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table}: cannot be read as CSV in UTF-8 ({error}). Save it so.") from None


def _index_csv(root: Path) -> list[FrameRef]:
    table = next(path for path in listing(root) if path.suffix.lower() == ".csv")
    refs = []
    for line, given in enumerate(read_csv(table), start=2):
        row = {(name or "").strip().lower(): (value or "").strip() for name, value in given.items() if name}
        label = read_label(row["label"])
        if label is None:
            raise DataError(
                f"{table}, line {line}: label {row['label']!r}; expected informative or non-informative (or 1 or 0)."
            )
        path = root / row["path"]
        if not row["path"] or path.suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{table}, line {line}: path {row['path']!r} names no image ({', '.join(IMAGE_SUFFIXES)}).")
        split = row.get("split", "").lower()
        if split not in _SPLITS:
            raise DataError(
                f"{table}, line {line}: split {split!r}; expected train, test or nothing (val comes from train)."
            )
        refs.append(FrameRef(row["path"], row.get("group_id", ""), path, label, row["label"], split))
    return refs


# Folders: informative/ and non-informative/, with the images in them, or in one folder per video.

_FOLDERS_LOOKED_FOR = "informative/ and non-informative/ with images, or with one folder per video, named alike in both"


def _class_folders(root: Path) -> dict[bool, Path]:
    found: dict[bool, Path] = {}
    for folder in folders(root):
        label = read_label(folder.name)
        if label is not None and not folder.name.isdecimal():
            found[label] = folder
    return found


def _locate_folders(root: Path) -> Path | None:
    return root if len(_class_folders(root)) == 2 else None


def _index_folders(root: Path) -> list[FrameRef]:
    refs = []
    for label, home in sorted(_class_folders(root).items()):
        for place in [home, *folders(home)]:
            video = "" if place == home else place.name
            for path in images(place):
                refs.append(FrameRef(path.relative_to(root).with_suffix("").as_posix(), video, path, label, home.name))
    return refs


CSV = Reader("folder and CSV", _CSV_LOOKED_FOR, _locate_csv, _index_csv)
FOLDERS = Reader("a folder per class", _FOLDERS_LOOKED_FOR, _locate_folders, _index_folders)
