"""Informative frames: from raw colonoscopy frames to the three databases.

    python -m data_prep.frames                      the phantom, demonstration size
    python -m data_prep.frames --data /path/to/set  a public set or your own; its layout decides which reader reads it

Two stages, each in a folder of its own below data/frames/<dataset>/: frames/ (splits, what can be read, what not) and
patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is not done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep import databases, frames_index, manifest, stages
from data_prep.fractions import Fraction, reduce_training
from data_prep.frames_patches import GEOMETRY, IndexedFrame, cut, plan_crops
from data_prep.frames_phantom import generate
from data_prep.frames_readers import find_reader
from data_prep.frames_scales import SCALES, Scale
from data_prep.splits import SPLITS
from layerwise.applications import VALIDATION_FRACTION
from layerwise.errors import exit_code_main
from layerwise.files import file_digest, read_csv, read_json

_HERE = Path(__file__).parent
# What decides the content of each stage; a change of these files makes the stage be done again.
_PHANTOM_CODE = (_HERE / "frames_phantom", _HERE / "polyp_phantom")
_INDEX_CODE = tuple(_HERE / name for name in ("frames_readers", "frames_index.py", "splits.py"))
_PATCH_CODE = (*stages.PATCH_CODE, _HERE / "frames_patches.py")

# chosen: what 5 % of the paper's set leave. One frame of each class, 1 % of the demonstration's, ranks nets at random:
# its AUC fell from 0.4 to 0 while the net learned, and the untrained net was the best.
LEAST_VAL_FRAMES = 10  # of each class, if there are so many

Options = stages.Options[Scale]


def make_phantom(raw: Path, options: Options) -> None:
    generate(raw, seed=options.seed, scale=options.scale.name, workers=options.workers)


def prepare_index(dataset: Path, root: Path, options: Options) -> dict[str, Any]:
    """First stage; returns the content of frames/frames.json, made now or before."""
    reader = find_reader(root)
    refs = reader.index(root)
    if options.data is None:
        test_folds = {f"Fold{video}" for video in read_json(root / "phantom.json")["test_videos"]}
        refs = [replace(ref, native_split="test" if ref.group_id in test_folds else "") for ref in refs]
    inputs = {
        "source_listing_sha256": manifest.listing_sha256(root, (ref.image_path for ref in refs)),
        "labels_sha256": frames_index.labels_sha256(refs),
        "code_sha256": manifest.code_sha256(*_INDEX_CODE),
        "seed": options.seed,
        "test_fraction": options.scale.test_fraction,
        "validation": options.validation,
    }
    folder = dataset / frames_index.FOLDER

    def make() -> dict[str, Any]:
        return frames_index.build_index(
            refs,
            folder,
            seed=options.seed,
            test_fraction=options.scale.test_fraction,
            val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
            facts={"inputs": inputs, "reader": reader.name, "note": reader.note},
            workers=options.workers,
        )

    return stages.once(folder / frames_index.RECORD, inputs, make)


def prepare_databases(dataset: Path, index: dict[str, Any], options: Options) -> dict[str, Any]:
    """Second stage; returns the manifest, made now or before."""
    table = dataset / frames_index.FOLDER / "frames.csv"
    inputs = {
        "frames_sha256": file_digest(table),
        "code_sha256": manifest.code_sha256(*_PATCH_CODE),
        "source_listing_sha256": index["inputs"]["source_listing_sha256"],
        **({"least_val_frames": LEAST_VAL_FRAMES} if options.fraction < 1 else {}),
    }

    def make(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
        frames = frames_index.read_index(table.parent)
        reduced = reduce_frames(frames, options.fraction, options.seed)
        planned = plan_crops(frames, options.scale, options.size, options.seed, options.patch_level_validation, reduced)
        facts = {
            **stages.common_facts("frames", dataset, options, index["reader"]),
            "group_unit": index["group_unit"],
            "label_note": index["note"],
            "training_set": reduced.record(),
            "source_sha256": index["content_sha256"],
            "index": {"skipped": index["skipped"], "counts": index["counts"]},
            "geometry": {"size_px": options.size, **GEOMETRY},
            "inputs": inputs,
        }
        images = {row["frame_id"]: dataset / row["path"] for row in read_csv(table)}
        return databases.build_databases(
            planned, images, cut, folder, size=options.size, facts=facts, workers=options.workers
        )

    return stages.databases_once(dataset, options, inputs, make)


def reduce_frames(frames: Sequence[IndexedFrame], fraction: float, seed: int) -> Fraction:
    """Choose the frames of train and val that are used: `fraction` of each class, of val at least LEAST_VAL_FRAMES.

    Paper, section VI-C: 10, 5 and 1 % of the training samples. chosen: a sample is a frame with all its crops.
    """
    of_class = Counter(frame.label for frame in frames if frame.split == "val")
    least = min(1.0, LEAST_VAL_FRAMES / min(of_class.values(), default=LEAST_VAL_FRAMES))
    kept: set[tuple[str, str]] = set()
    for split, share in (("train", fraction), ("val", max(fraction, least))):
        units = [(split, frame.frame_id, frame.label) for frame in frames if frame.split == split]
        kept |= reduce_training(units, share, seed).kept
    return Fraction(fraction, "frame", frozenset(kept))


PREPARATION = stages.Preparation(
    application="frames",
    check=find_reader,
    make_phantom=make_phantom,
    phantom_code=_PHANTOM_CODE,
    first_name="frames",
    first=prepare_index,
    second=prepare_databases,
)


def prepare(options: Options) -> tuple[Path, dict[str, Any]]:
    """Everything up to the databases; returns their folder and the manifest."""
    return PREPARATION.run(options)


def report(folder: Path, made: dict[str, Any]) -> str:
    """What is in the databases, as text for people."""
    origin = "PHANTOM images, not patients" if made["is_phantom"] else made["reader"]
    by_group = made["group_unit"]
    lines = [
        f"data set {made['dataset']} ({origin}); split by {by_group}; validation split by {made['validation']}",
        f"split  {by_group + 's':>6}  frames  informative | patches  positive  negative",
    ]
    for split in SPLITS:
        found, count = made["index"]["counts"][split], made["counts"][split]
        lines.append(
            f"{split:5}  {found['groups']:6}  {found['frames']:6}  {found['informative']:11} |"
            f" {count['patches']:7}  {count['positive']:8}  {count['negative']:8}"
        )
    lines += stages.reduction_lines(made)
    if by_group == frames_index.NO_GROUPS:
        lines.append(
            "NOTE: nothing says which video or patient a frame is of, so frames were split one by one. Frames of one "
            "video may be in train and test, and every number measured here flatters."
        )
    if made["label_note"]:
        lines.append(f"NOTE: {made['label_note']}.")
    if made["index"]["skipped"]:
        skipped = folder.parent / frames_index.FOLDER / "skipped.csv"
        lines.append(f"{made['index']['skipped']} frames could not be read and were left out: {skipped}")
    return "\n".join([*lines, f"databases: {folder}"])


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = stages.option_parser("frames", "From raw colonoscopy frames to train, val and test databases.", SCALES)
    parser.add_argument("--crops-per-frame", type=int, metavar="N", help="in every split (the paper: 20, or 200)")
    given = parser.parse_args(arguments)
    fields = ("crops_per_frame", "test_crops_per_frame")
    return stages.with_count(stages.checked_options(given, SCALES), "--crops-per-frame", given.crops_per_frame, fields)


@exit_code_main
def main() -> None:
    print(report(*prepare(parse_options())))


if __name__ == "__main__":
    raise SystemExit(main())
