"""Intima-media boundaries: from raw carotid ultrasound to the three databases.

    python -m data_prep.intima                      the phantom, demonstration size
    python -m data_prep.intima --data /path/to/set  CUBS, clinical or technical; the layout decides

Two stages, each in a folder of its own below data/intima/<dataset>/: rois/ (splits and the experts' boundaries) and
patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is not done again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_prep import databases, intima_rois, manifest, stages
from data_prep.fractions import reduce_training
from data_prep.intima_patches import cut, geometry_record, plan_patches
from data_prep.intima_phantom import generate
from data_prep.intima_readers import find_reader
from data_prep.splits import SPLITS, check_no_leak
from layerwise.applications import APPLICATIONS, VALIDATION_FRACTION
from layerwise.errors import exit_code_main
from layerwise.files import file_digest, read_json

_HERE = Path(__file__).parent
# What decides the content of each stage; a change of these files makes the stage be done again.
_PHANTOM_CODE = (_HERE / "intima_phantom",)
_ROI_CODE = tuple(_HERE / name for name in ("intima_readers", "intima_rois.py", "splits.py"))
_PATCH_CODE = (*stages.PATCH_CODE, _HERE / "intima_patches.py", _HERE / "intima_readers")


@dataclass(frozen=True)
class Scale:
    """Limits of one preset. test_fraction: of the regions, where none is fixed; max_*: patches of all three classes."""

    name: str
    test_fraction: float
    max_train_patches: int
    max_val_patches: int
    max_test_patches: int


_INTIMA = APPLICATIONS["intima"]
SCALES = {
    scale.name: scale
    for scale in (
        # chosen: seconds, not minutes; only to see that everything runs.
        Scale("smoke", 0.4, 240, 90, 60),
        # chosen: patches of 259 pixels take 200 kB each; eight epochs of these take two cores some minutes.
        Scale("demo", 0.48, 2_400, 240, 150),
        # Paper, section VI-D: 132 of 276 regions test; 200,000 patches, of which 20 % validate. chosen: the patches of
        # test regions, which the paper does not score: it maps whole regions. They give the ROC area of patches.
        Scale("paper", 0.48, _INTIMA.n_train_patches, _INTIMA.n_validation_patches, 30_000),
    )
}
Options = stages.Options[Scale]


def make_phantom(raw: Path, options: Options) -> None:
    generate(raw, seed=options.seed, scale=options.scale.name, workers=options.workers)


def prepare_rois(dataset: Path, root: Path, options: Options) -> dict[str, Any]:
    """First stage; returns the content of rois/rois.json, made now or before."""
    reader = find_reader(root)
    refs = reader.index(root)
    if options.data is None:
        test_subjects = set(read_json(root / "phantom.json")["test_subjects"])
        refs = [replace(ref, native_split="test" if ref.group_id in test_subjects else "") for ref in refs]
    inputs = {
        "source_listing_sha256": manifest.listing_sha256(root, [path for ref in refs for path in ref.files]),
        "code_sha256": manifest.code_sha256(*_ROI_CODE),
        "seed": options.seed,
        "test_fraction": options.scale.test_fraction,
        "validation": options.validation,
    }
    folder = dataset / "rois"

    def make() -> dict[str, Any]:
        return intima_rois.build_rois(
            refs,
            folder,
            seed=options.seed,
            test_fraction=options.scale.test_fraction,
            val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
            facts={"inputs": inputs, "reader": reader.name, "note": reader.note},
            workers=options.workers,
        )

    return stages.once(folder / "rois.json", inputs, make)


def prepare_databases(dataset: Path, record: dict[str, Any], options: Options) -> dict[str, Any]:
    """Second stage; returns the manifest, made now or before."""
    inputs = {
        "rois_sha256": file_digest(dataset / "rois" / "rois.csv"),
        "boundaries_sha256": file_digest(dataset / "rois" / "boundaries.csv"),
        "code_sha256": manifest.code_sha256(*_PATCH_CODE),
        "source_listing_sha256": record["inputs"]["source_listing_sha256"],
    }

    def make(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
        rois = intima_rois.read_rois(dataset / "rois")
        check_no_leak((roi.group_id, roi.split) for roi in rois)
        # Paper, section VI-D: reduced down to the patches of one subject. chosen: it validates on one other subject, of
        # those that the whole set validates on; what it stops by must not be what it learns from.
        units = [(roi.split, roi.group_id, "") for roi in rois]
        reduced = reduce_training(units, options.fraction, options.seed, unit="subject")
        scale = options.scale
        limits = {"train": scale.max_train_patches, "val": scale.max_val_patches, "test": scale.max_test_patches}
        planned = plan_patches(rois, limits, options.seed, options.patch_level_validation, reduced)
        facts = {
            **stages.common_facts("intima", dataset, options, record["reader"]),
            "note": record["note"],
            "training_set": reduced.record(),
            "source_sha256": record["content_sha256"],
            "rois": record["splits"],
            "skipped_rois": record["skipped"],
            "geometry": geometry_record(options.size),
            "inputs": inputs,
        }
        sources = {roi.roi_id: (roi.path, roi.pixel_um) for roi in rois}
        return databases.build_databases(
            planned, sources, cut, folder, size=options.size, facts=facts, workers=options.workers
        )

    return stages.databases_once(dataset, options, inputs, make)


PREPARATION = stages.Preparation(
    application="intima",
    check=find_reader,
    make_phantom=make_phantom,
    phantom_code=_PHANTOM_CODE,
    first_name="regions",
    first=prepare_rois,
    second=prepare_databases,
)


def prepare(options: Options) -> tuple[Path, dict[str, Any]]:
    """Everything up to the databases; returns their folder and the manifest."""
    return PREPARATION.run(options)


def report(folder: Path, made: dict[str, Any]) -> str:
    """What is in the databases, as text for people."""
    origin = "PHANTOM images, not patients" if made["is_phantom"] else made["reader"]
    lines = [
        f"data set {made['dataset']} ({origin}); validation split by {made['validation']}",
        "split  subjects  regions  thickness um | experts apart: LI um  MA um | patches  boundary  background",
    ]
    for split in SPLITS:
        found, count = made["rois"][split], made["counts"][split]
        thickness, li, ma = (
            "-" if found[key] is None else f"{found[key]:.1f}"
            for key in ("intima_media_um", "observers_li_um", "observers_ma_um")
        )
        lines.append(
            f"{split:5}  {found['groups']:8}  {found['regions']:7}  {thickness:>12} | {li:>20}  {ma:>5} |"
            f" {count['patches']:7}  {count['positive']:8}  {count['negative']:10}"
        )
    lines += stages.reduction_lines(made)
    if made["note"]:
        lines.append(f"NOTE: {made['note']}")
    if made["skipped_rois"]:
        lines.append(f"{made['skipped_rois']} regions could not be used; see {folder.parent / 'rois' / 'skipped.csv'}")
    return "\n".join([*lines, f"databases: {folder}"])


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = stages.option_parser("intima", "From raw carotid ultrasound to train, val and test databases.", SCALES)
    return stages.checked_options(parser.parse_args(arguments), SCALES)


@exit_code_main
def main() -> None:
    print(report(*prepare(parse_options())))


if __name__ == "__main__":
    raise SystemExit(main())
