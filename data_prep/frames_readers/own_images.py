"""A user's own frames: one CSV of paths and labels, or a folder per class."""

from __future__ import annotations

import csv
import posixpath
from pathlib import Path

from data_prep.frames_readers.frame_ref import FrameRef, Reader, folders, images, listing
from data_prep.polyp_readers.frame_ref import IMAGE_SUFFIXES
from layerwise.errors import DataError

# What people call the two classes; letter case, "-", "_" and blanks do not matter.
_INFORMATIVE = {"informative", "1", "good", "clear"}
_NON_INFORMATIVE = {"noninformative", "uninformative", "notinformative", "0", "bad"}
_SPLITS = ("", "train", "test")
_NOTHING = {"nan", "none", "null"}  # what programs write for an empty cell


def read_label(text: str) -> bool | None:
    """True for informative, False for the other, None for a word that is neither."""
    word = text.strip().lower().translate(str.maketrans("", "", "-_ "))
    return True if word in _INFORMATIVE else False if word in _NON_INFORMATIVE else None


# A CSV: path,label[,group_id][,split], paths relative to the CSV.

_CSV_LOOKED_FOR = "one .csv with the columns path,label and, better, group_id (the video); split is train or test"


def _locate_csv(root: Path) -> Path | None:
    tables = [path for path in listing(root) if path.suffix.lower() == ".csv"]
    return root if len(tables) == 1 and {"path", "label"} <= set(_read(tables[0])[0]) else None


def _read(table: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The column names in small letters, and every row that is not blank with the number of its line."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            lines = csv.reader(handle)
            columns = [name.strip().lower() for name in next(lines, [])]
            rows = [(lines.line_num, dict(zip(columns, map(str.strip, row), strict=False))) for row in lines if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as CSV in UTF-8 ({error}). Save it so.") from None
    return columns, rows


def _index_csv(root: Path) -> list[FrameRef]:
    table = next(path for path in listing(root) if path.suffix.lower() == ".csv")
    return [_csv_frame(root, f"{table}, line {line}", row) for line, row in _read(table)[1]]


def _csv_frame(root: Path, place: str, row: dict[str, str]) -> FrameRef:
    given, word = row.get("path", ""), row.get("label", "")
    group, split = (
        "" if row.get(name, "").lower() in _NOTHING else row.get(name, "") for name in ("group_id", "split")
    )
    label = read_label(word)
    if label is None:
        raise DataError(f"{place}: label {word!r}; expected informative or non-informative (or 1 or 0).")
    path = posixpath.normpath(given)  # one frame, however its path is written
    if not given or Path(path).suffix.lower() not in IMAGE_SUFFIXES:
        raise DataError(f"{place}: path {given!r} names no image ({', '.join(IMAGE_SUFFIXES)}).")
    if path.startswith(("/", "../")):
        raise DataError(f"{place}: path {given!r} leads out of {root}; write it relative to the CSV, and below it.")
    if split.lower() not in _SPLITS:
        raise DataError(f"{place}: split {split!r}; expected train, test or nothing (val comes from train).")
    return FrameRef(path, group, root / path, label, word, split.lower())


# Folders: informative/ and non-informative/, with the images in them, or in one folder per video.

_FOLDERS_LOOKED_FOR = "informative/ and non-informative/ with images, or with one folder per video, named alike in both"


def _class_folders(root: Path) -> dict[bool, Path]:
    found: dict[bool, Path] = {}
    for folder in folders(root):
        label = None if folder.name.isdecimal() else read_label(folder.name)
        if label is None:
            continue
        if label in found:
            raise DataError(f"{folder} and {found[label]} name the same class. Put their images into one folder.")
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
