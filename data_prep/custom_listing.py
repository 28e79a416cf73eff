"""What a user's own data say: the images or boxes to be judged, their classes and groups. Nothing is decoded yet."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.frames_readers.frame_ref import natural
from data_prep.polyp_readers.frame_ref import IMAGE_SUFFIXES
from layerwise.errors import DataError, UsageError

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
SUFFIXES = (*IMAGE_SUFFIXES, ".webp", *DICOM_SUFFIXES)
GUIDE = (
    "DATA is a folder with one sub-folder of images per class (skin/benign/*.png, skin/malignant/*.png), or a table "
    "labels.csv with the columns path,label,group_id. docs/your_own_data.md shows both, to copy and paste."
)
SHOWN = 8  # names that an error lists
BoxXYWH = tuple[float, float, float, float]  # x, y of the upper left corner, width, height in pixels


@dataclass(frozen=True)
class Item:
    """One thing that gets a score: an image, or a box in one.

    group_id: the unit of splitting (a patient); "" where the data do not say. box_xywh_px: None for the whole image.
    native_split: "train", "val" or "test" where the user fixed it, else "". origin: where it is said, for errors.
    """

    item_id: str
    image_path: Path
    class_name: str
    group_id: str
    box_xywh_px: BoxXYWH | None = None
    native_split: str = ""
    origin: str = ""


@dataclass(frozen=True)
class Listing:
    """All items of one data set. class_names: the negative class first. notes: what was left out or supposed."""

    reader: str
    class_names: tuple[str, ...]
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()


def parse_classes(text: str | None) -> tuple[str, ...]:
    """`benign,malignant` -> its names; () if not given. UsageError for fewer than two, an empty or a doubled one."""
    if text is None or not text.strip():
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2 or not all(names):
        raise UsageError(
            f"CLASSES={text}: expected two names or more with commas between, such as CLASSES=benign,malignant. The "
            "first is the negative class (healthy, background). Without CLASSES the names come from the data."
        )
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"CLASSES={text}: {name!r} stands there twice. Name each class once.")
    return names


def order_classes(found: Sequence[str], wanted: Sequence[str], what: str) -> tuple[str, ...]:
    """The classes in the order of CLASSES, or else sorted by name.

    found: the names in the data. what: what they are, for errors ("class folders of skin"). DataError if CLASSES names
    one that is not there, names differ in letter case alone, or there are fewer than two.
    """
    for name in wanted:
        if name not in found:
            raise DataError(f"CLASSES names {name!r}, which is not among the {what}. {nearest(name, found)}")
    names = tuple(wanted) or tuple(sorted(set(found), key=natural))
    plain: dict[str, str] = {}
    for name in names:
        other = plain.setdefault(" ".join(name.lower().split()), name)
        if other != name:
            raise DataError(
                f"{other!r} and {name!r}, both among the {what}, differ in letter case or blanks alone. Write them "
                "alike."
            )
    if len(names) < 2:
        raise DataError(
            f"one class only, {names[0]!r}, among the {what}; a net learns to tell two classes or more apart. Add the "
            "images of the other class (the healthy ones, say)."
            if names
            else f"no class at all among the {what}. {GUIDE}"
        )
    return names


def nearest(name: str, known: Sequence[str]) -> str:
    """For an error: the known name that is most like `name`, and all of them."""
    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return (f"Did you mean {by_lower[near[0]]!r}? " if near else "") + f"There are: {shortened(known)}."


def shortened(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return (", ".join(names[:SHOWN]) or "nothing") + (f" and {more} more" if more > 0 else "")


def check_groups(items: Sequence[Item], how: Callable[[Item], str]) -> None:
    """DataError if some items have a group and others do not. how: what to do about that one item."""
    without = [item for item in items if not item.group_id]
    if without and len(without) < len(items):
        raise DataError(
            f"{without[0].origin}: no group, as for {len(without)} of {len(items)} images, while the others have one. "
            f"Images of one patient must share a group, or they are learned from and tested on. {how(without[0])}"
        )


def is_image(path: Path) -> bool:
    """By its ending; a file without one is an image if it has the mark of DICOM behind its preamble."""
    if path.name.startswith(".") or not path.is_file():
        return False
    if path.suffix:
        return path.suffix.lower() in SUFFIXES
    with path.open("rb") as handle:
        return handle.read(132)[128:] == b"DICM"
