"""A user's images as one table: path,label,group_id, and where wanted x,y,w,h of a box and split."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_prep.custom_listing import BoxXYWH, Item, Listing, check_groups, nearest, order_classes
from layerwise.errors import DataError

NAME = "labels.csv"
REQUIRED, BOX, SPLIT = ("path", "label", "group_id"), ("x", "y", "w", "h"), "split"
_SPLITS = ("", "train", "val", "test")
_EXAMPLE = "The first line names the columns: path,label,group_id"
# What people call them; an error names the column that was probably meant.
_ALIASES = {
    "path": ("file", "filename", "file_name", "image", "image_path", "img"),
    "label": ("class", "diagnosis", "target", "category", "dx"),
    "group_id": ("group", "patient", "patient_id", "subject", "subject_id", "case", "case_id", "video"),
}

Row = dict[str, str]


def read_table(table: Path, wanted: tuple[str, ...]) -> Listing:
    """Every row of the table. wanted: CLASSES, or (). Paths are relative to the table's folder.

    The separator is a comma, a semicolon or a tab; letter case and order of the columns do not matter, and others may
    stand beside them. DataError, with the line, for whatever cannot be understood.
    """
    rows = _rows(table)
    items = [_item(table, line, row) for line, row in rows.items()]
    names = order_classes(tuple({item.class_name: None for item in items}), wanted, f"labels of {table}")
    _check_labels(items, names)
    check_groups(items, lambda _: "Fill in group_id, or leave it empty in every row.")
    return Listing("a table", names, tuple(_numbered(items)))


def _rows(table: Path) -> dict[int, Row]:
    """Line number -> the row's cells by column name, stripped; empty lines are left out."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{table}: cannot be read as text in UTF-8 ({error}). Save it as CSV, UTF-8.") from None
    if "\0" in text:
        raise DataError(f"{table}: is no text but a binary file (of a spreadsheet?). Save it as CSV, UTF-8.")
    lines = text.splitlines()
    separator = max(",;\t", key=(lines[0] if lines else "").count)
    reader = csv.reader(lines, delimiter=separator)
    columns = [name.strip().lower() for name in next(reader, [])]
    _check_columns(table, columns)
    rows: dict[int, Row] = {}
    for cells in reader:
        if any(cell.strip() for cell in cells):
            if len(cells) > len(columns):
                raise DataError(
                    f"{table}, line {reader.line_num}: {len(cells)} cells, but {len(columns)} columns are named. Put a "
                    f"cell that has {separator!r} in it between quotes."
                )
            cells += [""] * (len(columns) - len(cells))
            rows[reader.line_num] = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    if not rows:
        raise DataError(f"{table}: has no row below the names of its columns. Write one row per image.")
    return rows


def _check_columns(table: Path, columns: list[str]) -> None:
    for name in (*REQUIRED, *BOX, SPLIT):
        if columns.count(name) > 1:
            raise DataError(f"{table}, line 1: column {name} stands there {columns.count(name)} times. Keep one.")
    for name in REQUIRED:
        if name not in columns:
            meant = next((other for other in _ALIASES[name] if other in columns), None)
            hint = f"Rename {meant!r} to {name!r}." if meant else nearest(name, columns)
            extra = (
                " group_id says which images belong together (one patient, one video), so that none is in two splits. "
                "If you do not know, add the column and leave its cells empty."
                if name == "group_id"
                else ""
            )
            raise DataError(f"{table}, line 1: column {name!r} is missing. {hint} {_EXAMPLE}.{extra}")
    some = [name for name in BOX if name in columns]
    if some and len(some) < len(BOX):
        raise DataError(
            f"{table}, line 1: of a box's columns x,y,w,h only {', '.join(some)} are there. Give all four (left and "
            "upper edge, width, height in pixels), or none."
        )


def _check_labels(items: list[Item], names: tuple[str, ...]) -> None:
    labels = Counter(item.class_name for item in items)
    for item in items:
        if item.class_name not in names:
            raise DataError(
                f"{item.origin}: label {item.class_name!r}, which {labels[item.class_name]} of {len(items)} rows have, "
                f"is not in CLASSES. {nearest(item.class_name, names)} Correct the label, add it to CLASSES, or take "
                "the rows out."
            )


def _item(table: Path, line: int, row: Row) -> Item:
    where = f"{table}, line {line}"
    if not row["path"]:
        raise DataError(f"{where}: no path. Every row names its image, relative to {table.parent}.")
    if not row["label"]:
        raise DataError(f"{where}: no label. Every row needs its class.")
    split = row.get(SPLIT, "").lower()
    if split not in _SPLITS:
        raise DataError(f"{where}: split {row[SPLIT]!r}; expected train, val, test or nothing (it is then drawn).")
    path = table.parent / row["path"].replace("\\", "/")
    return Item(row["path"], path, row["label"], row["group_id"], _box(where, row), split, where)


def _box(where: str, row: Row) -> BoxXYWH | None:
    cells = [row.get(name, "") for name in BOX]
    if not any(cells):
        return None
    number: Callable[[str], float] = lambda text: float(text.replace(",", "."))  # noqa: E731 - decimal commas
    try:
        x, y, width, height = (number(cell) for cell in cells)
    except ValueError:
        raise DataError(
            f"{where}: x,y,w,h are {', '.join(cell or 'empty' for cell in cells)}; expected four numbers in pixels, or "
            "four empty cells for the whole image."
        ) from None
    if not (all(map(math.isfinite, (x, y, width, height))) and width > 0 and height > 0):
        raise DataError(f"{where}: a box of width {width:g} and height {height:g} px; expected more than 0 and finite.")
    return x, y, width, height


def _numbered(items: list[Item]) -> list[Item]:
    """The same items, those of one image called path#1, path#2. DataError for an image or a box that is there twice."""
    seen: dict[tuple[Path, BoxXYWH | None], Item] = {}
    per_image, so_far = Counter(item.image_path for item in items), Counter[Path]()
    numbered = []
    for item in items:
        other = seen.setdefault((item.image_path, item.box_xywh_px), item)
        if other is not item:
            what = "image" if item.box_xywh_px is None else "box of the same image"
            labels = (
                f", as {other.class_name!r} and as {item.class_name!r}" if other.class_name != item.class_name else ""
            )
            raise DataError(f"{item.origin}: the same {what} as in {other.origin.rsplit(', ')[-1]}{labels}. Keep one.")
        so_far[item.image_path] += 1
        many = per_image[item.image_path] > 1
        numbered.append(replace(item, item_id=f"{item.item_id}#{so_far[item.image_path]}") if many else item)
    return numbered
