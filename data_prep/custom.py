"""Your own images: from a folder per class, or a table, to the three databases.

    python -m data_prep.custom --data skin --classes benign,malignant

Two stages, each in a folder of its own below data/custom/<name of the data>/: frames/ (classes, splits, what can be
read, what not) and patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is
not done again. docs/your_own_data.md explains how to arrange images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import custom_index, databases, manifest, stages
from data_prep.custom_folders import read_folders
from data_prep.custom_listing import GUIDE, Listing, nearest, parse_classes
from data_prep.custom_patches import SCALES, Scale, cut, geometry_record, plan_patches
from data_prep.custom_table import NAME, read_table
from data_prep.fractions import reduce_training
from data_prep.frames_readers.frame_ref import listing
from data_prep.splits import SPLITS
from data_prep.whole_folder import only_one_writer
from layerwise.applications import CUSTOM, VALIDATION_FRACTION
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import file_digest
from layerwise.paths import dataset_dir, patches_dir

_HERE = Path(__file__).parent
_INDEX_CODE = tuple(_HERE / f"custom_{part}.py" for part in ("listing", "folders", "table", "images", "index", "split"))
_PATCH_CODE = (*stages.PATCH_CODE, *(_HERE / name for name in ("custom_images.py", "custom_patches.py", "patches.py")))


@dataclass(frozen=True)
class Options(stages.Options[Scale]):
    """classes: in their order, or () for those of the data. upright: images that must not be turned or stood on end."""

    classes: tuple[str, ...] = ()
    upright: bool = False


def read_listing(data: Path | None, classes: tuple[str, ...]) -> Listing:
    """What the folder or table says, by whichever it is. UsageError without one; DataError that says what to do."""
    if data is None:
        raise UsageError(f"no images are named: DATA is missing. {GUIDE}")
    if not data.exists():
        there = next(folder for folder in data.absolute().parents if folder.is_dir())
        name = data.absolute().relative_to(there).parts[0]
        found = sorted(path.name for path in listing(there))
        raise DataError(f"{data} is not there: {there} has no {name!r}. {nearest(name, found)} {GUIDE}")
    if data.is_file() and data.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise DataError(f"{data} is a file but no table: expected a folder of images, or a .csv. {GUIDE}")
    table = data / NAME if data.is_dir() else data
    return read_table(table, classes) if table.is_file() else read_folders(data, classes)


def prepare(options: Options) -> tuple[Path, dict[str, Any]]:
    """Everything up to the databases; returns their folder and the manifest. Waits for another process doing it."""
    said = read_listing(options.data, options.classes)
    dataset = dataset_dir(CUSTOM.name, options.data, options.scale.name, options.seed)
    with only_one_writer(dataset):
        with stages.timed("images"):
            index = prepare_index(dataset, said, options)
        stages.report_near_duplicates(dataset, options.workers)
        with stages.timed("databases"):
            made = prepare_databases(dataset, index, options)
    return patches_dir(dataset, options.size, options.fraction), made


def prepare_index(dataset: Path, said: Listing, options: Options) -> dict[str, Any]:
    """First stage; returns the content of frames/frames.json, made now or before."""
    files = [item.image_path.resolve() for item in said.items]
    inputs = {
        "source_listing_sha256": manifest.listing_sha256(Path(files[0].anchor), files),
        "items_sha256": custom_index.items_sha256(said),
        "notes": list(said.notes),
        "code_sha256": manifest.code_sha256(*_INDEX_CODE),
        "seed": options.seed,
        "test_fraction": options.scale.test_fraction,
        "validation": options.validation,
    }
    folder = dataset / custom_index.FOLDER

    def make() -> dict[str, Any]:
        return custom_index.build_index(
            said,
            folder,
            seed=options.seed,
            test_fraction=options.scale.test_fraction,
            val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
            inputs=inputs,
            workers=options.workers,
        )

    return stages.once(folder / custom_index.RECORD, inputs, make)


def prepare_databases(dataset: Path, index: dict[str, Any], options: Options) -> dict[str, Any]:
    """Second stage; returns the manifest, made now or before."""
    table = dataset / custom_index.FOLDER / custom_index.TABLE
    inputs = {
        "frames_sha256": file_digest(table),
        "code_sha256": manifest.code_sha256(*_PATCH_CODE),
        "source_listing_sha256": index["inputs"]["source_listing_sha256"],
        "upright": options.upright,
    }
    names = index["class_names"]

    def make(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
        items = custom_index.read_index(table)
        units = [(item.split, item.group_id, item.label) for item in items]
        reduced = reduce_training(units, options.fraction, options.seed, unit=index["group_unit"])
        planned = plan_patches(
            items,
            names,
            options.scale,
            options.seed,
            upright=options.upright,
            patch_level_validation=options.patch_level_validation,
            reduced=reduced,
        )
        labels = {split: np.array([patch.label for patch in planned[split]]) for split in SPLITS}
        facts = {
            **stages.common_facts(CUSTOM.name, dataset, options, index["reader"]),
            "class_names": names,
            "group_unit": index["group_unit"],
            "notes": index["notes"],
            "training_set": reduced.record(),
            "source_sha256": index["content_sha256"],
            "index": {"skipped": index["skipped"], "counts": index["counts"]},
            "classes": {
                split: dict(zip(names, np.bincount(found, minlength=len(names)).tolist(), strict=True))
                for split, found in labels.items()
            },
            "geometry": geometry_record(options.size, options.upright),
            "inputs": inputs,
        }
        images = {str(item.image_path): item.image_path for item in items}
        return databases.build_databases(
            planned, images, cut, folder, size=options.size, facts=facts, workers=options.workers
        )

    return stages.databases_once(dataset, options, inputs, make)


def report(folder: Path, made: dict[str, Any]) -> str:
    """What is in the databases, as text for people."""
    negative, *positive = made["class_names"]
    unit, index = made["group_unit"], made["index"]
    width = max(7, *map(len, made["class_names"]))
    lines = [
        f"data set {made['dataset']} ({made['reader']}), split by {unit}",
        f"negative: {negative}; positive: {', '.join(positive)} (CLASSES=... gives another order)",
        "split   groups"
        + "".join(f"  {name:>{width}}" for name in made["class_names"])
        + " | patches of them, in the same order",
    ]
    for split in SPLITS:
        found = index["counts"][split]
        counts = "".join(f"  {n:{width}}" for n in found["classes"].values())
        lines.append(
            f"{split:6}  {found['groups']:6}{counts} | " + "  ".join(map(str, made["classes"][split].values()))
        )
    lines += stages.reduction_lines(made)
    if made["training_set"]["fraction"] == 1:
        lines += _unused(made)
    if unit == custom_index.NO_GROUPS:
        lines.append(
            "NOTE: nothing says which images are of one patient, so each was taken for a patient of its own. If some "
            "are of the same one, they may be in train and test, and every number measured here flatters. Sub-folders "
            "within a class (one per patient), or group_id in labels.csv, say it."
        )
    lines += [f"NOTE: {note}." for note in made["notes"]]
    if index["skipped"]:
        skipped = folder.parent / custom_index.FOLDER / "skipped.csv"
        lines.append(f"NOTE: {index['skipped']} images could not be used and were left out; which and why: {skipped}")
    return "\n".join([*lines, f"databases: {folder}"])


def _unused(made: dict[str, Any]) -> list[str]:
    """A line for every class of which the limit of patches leaves images unused in training."""
    found, used = made["index"]["counts"]["train"]["classes"], made["classes"]["train"]
    return [
        f"NOTE: {n} of {found[name]} training images of {name} are used: at most {sum(used.values())} patches, as many "
        "of each class. SCALE=paper, or DATA_ARGS='--max-train-patches N', takes more."
        for name, n in used.items()
        if n < found[name]
    ]


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = stages.option_parser(
        CUSTOM.name,
        "From your own images to train, val and test databases.",
        SCALES,
        data="a folder with a sub-folder of images per class, or a .csv with the columns path,label,group_id",
    )
    parser.add_argument("--classes", help="names with commas between, the negative one first (default: all, by name)")
    parser.add_argument(
        "--test-fraction", type=float, help="of the images, unless the data say which test (default 0.3)"
    )
    parser.add_argument(
        "--upright", action="store_true", help="mirror images left to right only: they have an up and down"
    )
    given = parser.parse_args(arguments)
    checked = stages.checked_options(given, SCALES)
    scale = checked.scale
    if (share := given.test_fraction) is not None:
        if not 0 < share < 1:
            raise UsageError(f"--test-fraction {share:g}: expected more than 0 and less than 1 (0.3 is 30 %)")
        scale = replace(scale, test_fraction=share)
    return Options(**{**vars(checked), "scale": scale}, classes=parse_classes(given.classes), upright=given.upright)


@exit_code_main
def main() -> None:
    print(report(*prepare(parse_options())))


if __name__ == "__main__":
    raise SystemExit(main())
