"""A user's images as a folder per class, with or without a folder per group (patient) in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from data_prep.custom_listing import (
    GUIDE,
    SUFFIXES,
    Item,
    Listing,
    check_groups,
    is_image,
    order_classes,
    shortened,
)
from data_prep.frames_readers.frame_ref import folders, in_order, listing
from layerwise.errors import DataError

# What people call the parts of a set that is divided already.
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"} | {"test": "test"}
_NOT_CLASSES = {"__MACOSX"}  # macOS's own, in every zip file that it makes


def read_folders(root: Path, wanted: tuple[str, ...]) -> Listing:
    """Every image below root/<class>/, or below root/train/<class>/ and so on. wanted: CLASSES, or ().

    A folder inside a class is a group; one of the same name in another class is the same group. Folders that CLASSES
    does not name are left out, and a note says so. DataError for a class without images, or only some with groups.
    """
    parts = _parts(root)
    homes = {(split, home.name): home for split, part in parts.items() for home in _folders(part)}
    found = tuple(dict.fromkeys(name for _, name in homes))
    if not found:
        raise DataError(_no_folder(root))
    if len(found) == 1 and not wanted:
        _refuse_folder_around(homes["", found[0]] if "" in parts else root)
    names = order_classes(found, wanted, f"class folders of {root}")
    items = [
        _item(root, home, path, split)
        for (split, name), home in homes.items()
        if name in names
        for path in in_order(path for path in home.rglob("*") if is_image(path))
    ]
    for name in names:
        if not any(item.class_name == name for item in items):
            places = [home for (_, other), home in homes.items() if other == name]
            raise DataError(
                f"{places[0]}: the class folder holds no image ({', '.join(SUFFIXES)}); found there: "
                f"{shortened([path.name for path in listing(places[0])])}. Put images into it, or leave the class out "
                "with CLASSES."
            )
    check_groups(
        items, lambda item: f"Put it into a folder of its patient within {item.class_name}, or use no such folders."
    )
    return Listing(
        "a folder per class", names, tuple(items), (*_left_out(found, names), *_passed_over(root, homes, names))
    )


def _parts(root: Path) -> dict[str, Path]:
    """Where the class folders lie: split -> folder, or "" -> root if the set is not divided."""
    splits = {folder: _SPLITS.get(folder.name.lower(), "") for folder in _folders(root)}
    if len(splits) < 2 or not all(splits.values()):
        return {"": root}
    parts: dict[str, Path] = {}
    for folder, split in splits.items():
        if split in parts:
            raise DataError(f"{parts[split]} and {folder} both name the {split} split. Put them together.")
        parts[split] = folder
    return parts


def _folders(root: Path) -> list[Path]:
    return [folder for folder in folders(root) if folder.name not in _NOT_CLASSES]


def _item(root: Path, home: Path, path: Path, split: str) -> Item:
    inside = path.relative_to(home).parts
    group = inside[0] if len(inside) > 1 else ""
    return Item(path.relative_to(root).as_posix(), path, home.name, group, None, split, str(path))


def _left_out(found: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    others = [name for name in found if name not in names]
    return [f"left out, as CLASSES does not name them: {shortened(others)}"] if others else []


def _passed_over(root: Path, homes: dict[tuple[str, str], Path], names: tuple[str, ...]) -> list[str]:
    """Files that are no images by their ending; and images that lie beside the class folders."""
    inside = [path for (_, name), home in homes.items() if name in names for path in home.rglob("*") if path.is_file()]
    endings = Counter(
        path.suffix or "no ending" for path in inside if not path.name.startswith(".") and not is_image(path)
    )
    beside = sum(is_image(path) for path in listing(root))
    said = ", ".join(f"{n} of {ending}" for ending, n in endings.most_common())
    return [
        *([f"files that are not images by their ending were passed over: {said}"] if endings else []),
        *([f"{beside} images in {root} itself belong to no class and were passed over"] if beside else []),
    ]


def _no_folder(root: Path) -> str:
    tables = [path.name for path in listing(root) if path.suffix.lower() == ".csv"]
    if tables:
        return f"{root} has no folder per class, and its table is {shortened(tables)}: rename it to labels.csv. {GUIDE}"
    n_images = sum(is_image(path) for path in listing(root))
    if n_images:
        return (
            f"{root} holds {n_images} images but no folder per class, so nothing says which image is of which class. "
            f"Make one folder per class in it and move the images there, or write {root / 'labels.csv'}. {GUIDE}"
        )
    found = shortened([path.name for path in listing(root)])
    return f"{root} has neither class folders nor labels.csv; found there: {found}. {GUIDE}"


def _refuse_folder_around(only: Path) -> None:
    """DataError if the only folder holds the class folders itself: unpacked archives often have one around them."""
    inner = [folder.name for folder in _folders(only)]
    if len(inner) >= 2 and not any(is_image(path) for path in listing(only)):
        raise DataError(
            f"{only.parent} has one folder only, {only.name}, and in it are {shortened(inner)}. If these are the "
            f"classes, give DATA={only}"
        )
