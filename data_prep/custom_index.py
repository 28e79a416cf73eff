"""First stage: a user's images -> splits and what can be read, as files in <dataset>/frames/.

The tables are those of the frames application, so the same evaluation reads them: a "frame" is here whatever gets a
score, an image or a box in one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.custom_images import RULES, read_picture
from data_prep.custom_listing import BoxXYWH, Item, Listing
from data_prep.custom_split import labelled_groups, split_stratified
from data_prep.parallel import ordered_map
from data_prep.splits import SPLITS
from data_prep.whole_folder import disk_full_is_data_error, whole_folder
from layerwise.errors import DataError
from layerwise.files import read_csv, read_json, write_csv, write_json

FOLDER, TABLE, RECORD = "frames", "frames.csv", "frames.json"
BOX_COLUMNS = ("x_px", "y_px", "w_px", "h_px")
COLUMNS = ("frame_id", "group_id", "split", "label", "kind", "path", "width_px", "height_px", *BOX_COLUMNS)
SKIPPED_COLUMNS = ("frame_id", "group_id", "path", "reason")
# chosen: as embolism. Files in hospitals' folders are often broken or of another kind; more than these, and the folder
# or the table is not what was meant.
MAX_SKIPPED_FRACTION = 0.2
NO_GROUPS, GROUPS = "image", "group"


@dataclass(frozen=True)
class ImageJob:
    """One file and all that is to be judged in it."""

    path: Path
    items: tuple[Item, ...]


@dataclass(frozen=True)
class ExaminedImage:
    """What is kept of an image once its pixels are gone. problems: item_id -> why it cannot be used."""

    width_px: int
    height_px: int
    content_sha256: str
    rules: tuple[str, ...]
    problems: Mapping[str, str]
    n_beyond: int = 0


@dataclass(frozen=True)
class IndexedItem:
    """A row of frames.csv. label: the place of its class in class_names. box_xyxy_px: without one, the whole image."""

    item_id: str
    image_path: Path
    group_id: str
    split: str
    label: int
    box_xyxy_px: tuple[float, float, float, float]
    is_box: bool


def examine(job: ImageJob) -> ExaminedImage:
    """Decode one image to see whether it can be, and whether its boxes lie in it."""
    try:
        image_rgb, rules = read_picture(job.path)
        content = hashlib.sha256(job.path.read_bytes()).hexdigest()
    except DataError as error:
        return ExaminedImage(0, 0, "", (), {item.item_id: str(error) for item in job.items})
    height, width = image_rgb.shape[:2]
    problems, n_beyond = {}, 0
    for item in job.items:
        if item.box_xywh_px is not None:
            x, y, box_width, box_height = item.box_xywh_px
            if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
                problems[item.item_id] = f"{item.origin}: the box lies outside its image of {width} x {height} pixels"
            n_beyond += x < 0 or y < 0 or x + box_width > width + 1 or y + box_height > height + 1
    return ExaminedImage(width, height, content, rules, problems, n_beyond)


def items_sha256(listing: Listing) -> str:
    """A mark of everything that is said about the images, but not of their pixels."""
    lines = (f"{i.item_id}\t{i.class_name}\t{i.group_id}\t{i.box_xywh_px}\t{i.native_split}\n" for i in listing.items)
    return hashlib.sha256(("\t".join(listing.class_names) + "\n" + "".join(lines)).encode()).hexdigest()


def build_index(
    listing: Listing,
    folder: Path,
    *,
    seed: int,
    test_fraction: float,
    val_fraction: float,
    inputs: dict[str, Any],
    workers: int,
) -> dict[str, Any]:
    """Examine and split the items; write frames.csv, skipped.csv and frames.json to `folder`; return the last one's.

    Items of unknown group are split one by one, and group_unit says so. Raises DataError if more than
    MAX_SKIPPED_FRACTION cannot be used, or a class does not suffice for the splits.
    """
    jobs = image_jobs(listing.items)
    examined = list(ordered_map(examine, jobs, workers, "images"))
    seen = [(item, image) for job, image in zip(jobs, examined, strict=True) for item in job.items]
    problems = {item.item_id: image.problems[item.item_id] for item, image in seen if item.item_id in image.problems}
    if len(problems) > MAX_SKIPPED_FRACTION * len(seen):
        raise DataError(_too_many(problems, listing))
    usable = [(item, image) for item, image in seen if item.item_id not in problems]
    unit = GROUPS if usable[0][0].group_id else NO_GROUPS
    split_of = split_stratified(
        labelled_groups([(_group(item), item.class_name, item.native_split) for item, _ in usable]),
        listing.class_names,
        seed,
        test_fraction,
        val_fraction,
        unit,
    )
    notes = [*listing.notes, *_image_notes(examined), *_class_note(listing.class_names)]
    record = {
        "inputs": inputs,
        "reader": listing.reader,
        "class_names": list(listing.class_names),
        "notes": notes,
        "note": ". ".join(notes),  # what the report shows beside its numbers
        "content_sha256": hashlib.sha256("".join(image.content_sha256 for image in examined).encode()).hexdigest(),
        "group_unit": unit,
        "skipped": len(problems),
        "counts": {split: _counts(usable, split_of, split, listing.class_names) for split in SPLITS},
    }
    with whole_folder(folder) as partial, disk_full_is_data_error(folder):
        rows = (_row(item, image, split_of, listing.class_names) for item, image in usable)
        write_csv(partial / TABLE, COLUMNS, rows)
        skipped = (item for item, _ in seen if item.item_id in problems)
        lines = ({**_identity(item), "reason": problems[item.item_id]} for item in skipped)
        write_csv(partial / "skipped.csv", SKIPPED_COLUMNS, lines)
        write_json(partial / RECORD, record)
    return read_json(folder / RECORD)


def image_jobs(items: Sequence[Item]) -> list[ImageJob]:
    """The items by their image, in order of first occurrence: each is decoded once."""
    of_image: dict[Path, list[Item]] = {}
    for item in items:
        of_image.setdefault(item.image_path, []).append(item)
    return [ImageJob(path, tuple(own)) for path, own in of_image.items()]


def read_index(table: Path) -> list[IndexedItem]:
    """Every row of frames.csv."""
    indexed = []
    for row in read_csv(table):
        is_box = row["w_px"] != ""
        x, y, width, height = (
            (float(row[name]) for name in BOX_COLUMNS)
            if is_box
            else (0.0, 0.0, float(row["width_px"]), float(row["height_px"]))
        )
        box = (x, y, x + width, y + height)
        own = row["frame_id"], Path(row["path"]), row["group_id"], row["split"], int(row["label"])
        indexed.append(IndexedItem(*own, box, is_box))
    return indexed


def _too_many(problems: Mapping[str, str], listing: Listing) -> str:
    first = next(iter(problems.values()))
    missing = next((item for item in listing.items if item.item_id in problems and not item.image_path.exists()), None)
    hint = ""
    if missing is not None and missing.origin != str(missing.image_path):
        hint = (
            f" {missing.origin} names that file; paths in the table are relative to the folder of the table. Correct "
            "the paths, or put the table where they begin."
        )
    return (
        f"{len(problems)} of {len(listing.items)} images cannot be used, more than {MAX_SKIPPED_FRACTION:.0%}. The "
        f"first: {first}.{hint}"
    )


def _image_notes(examined: Sequence[ExaminedImage]) -> list[str]:
    rules = Counter(rule for image in examined for rule in image.rules)
    beyond = sum(image.n_beyond for image in examined)
    return [
        *(f"{n} of {len(examined)} images: {RULES[rule]}" for rule, n in rules.items()),
        *(
            [
                f"{beyond} boxes reach beyond their image, where it is continued by reflection; if they are many, the "
                "columns may hold two corners instead of x,y,w,h"
            ]
            if beyond
            else []
        ),
    ]


def _class_note(names: Sequence[str]) -> list[str]:
    if len(names) == 2:
        return []
    return [
        f"the net tells {len(names)} classes apart; scores, areas and sensitivities are of {', '.join(names[1:])} "
        f"together (positive) against {names[0]}, as the score is the probability of not being {names[0]}; "
        "training stops by that area too"
    ]


def _group(item: Item) -> str:
    return item.group_id or item.item_id


def _counts(
    usable: Sequence[tuple[Item, ExaminedImage]], split_of: Mapping[str, str], split: str, names: Sequence[str]
) -> dict[str, Any]:
    here = [item for item, _ in usable if split_of[_group(item)] == split]
    of_class = Counter(item.class_name for item in here)
    return {
        "groups": len({_group(item) for item in here}),
        "images": len(here),
        "classes": {name: of_class[name] for name in names},
    }


def _identity(item: Item) -> dict[str, Any]:
    return {"frame_id": item.item_id, "group_id": _group(item), "path": item.image_path.resolve().as_posix()}


def _row(item: Item, image: ExaminedImage, split_of: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    box: tuple[float, ...] | BoxXYWH | tuple[str, ...] = item.box_xywh_px or ("", "", "", "")
    return {
        **_identity(item),
        "split": split_of[_group(item)],
        "label": names.index(item.class_name),
        "kind": item.class_name,
        "width_px": image.width_px,
        "height_px": image.height_px,
        **dict(zip(BOX_COLUMNS, box, strict=True)),
    }
