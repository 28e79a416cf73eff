"""Pulmonary embolism: from CT angiographies to the three databases.

    python -m data_prep.embolism                      the phantom, demonstration size
    python -m data_prep.embolism --data /path/to/set  a public set; its layout decides which reader reads it

Two stages, each in a folder of its own below data/embolism/<dataset>/: candidates/ (splits, detector, candidates) and
patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is not done again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep import databases, embolism_candidates, manifest, stages
from data_prep.embolism_hits import HIT_CRITERION
from data_prep.embolism_patches import TRANSFORMS, cut, geometry_record
from data_prep.embolism_phantom import generate
from data_prep.embolism_plan import plan_patches, reduced_emboli
from data_prep.embolism_readers import VolumeRef, find_reader
from data_prep.embolism_scales import SCALES, Scale
from data_prep.splits import SPLITS, check_no_leak
from layerwise.applications import APPLICATIONS, VALIDATION_FRACTION
from layerwise.errors import exit_code_main
from layerwise.files import file_digest, read_json

_HERE = Path(__file__).parent
# What decides the content of each stage; a change of these files makes the stage be done again.
_PHANTOM_CODE = (_HERE / "embolism_phantom",)
_CANDIDATE_CODE = tuple(
    _HERE / name
    for name in ("embolism_readers", "embolism_detector", "embolism_candidates.py", "embolism_hits.py", "splits.py")
)
_PATCH_CODE = (
    *stages.PATCH_CODE,
    *(_HERE / name for name in ("embolism_plan.py", "embolism_patches.py", "embolism_readers")),
)

Options = stages.Options[Scale]


def make_phantom(raw: Path, options: Options) -> None:
    generate(raw, seed=options.seed, scale=options.scale.name, workers=options.workers)


def index_volumes(root: Path, options: Options) -> tuple[str, list[VolumeRef]]:
    """Name of the reader, and the volumes; of the phantom, those meant for testing are marked so."""
    reader = find_reader(root)
    refs = reader.index(root)
    if options.data is None:
        test = set(read_json(root / "phantom.json")["test_volumes"])
        refs = [replace(ref, native_split="test" if ref.volume_id in test else "") for ref in refs]
    return reader.name, refs


def prepare_candidates(dataset: Path, root: Path, options: Options) -> dict[str, Any]:
    """First stage; returns the content of candidates/detector.json, made now or before."""
    reader, refs = index_volumes(root, options)
    inputs = {
        "source_listing_sha256": manifest.listing_sha256(root, [path for ref in refs for path in ref.files()]),
        "code_sha256": manifest.code_sha256(*_CANDIDATE_CODE),
        "seed": options.seed,
        "test_fraction": options.scale.test_fraction,
        "validation": options.validation,
    }
    folder = dataset / "candidates"

    def make() -> dict[str, Any]:
        return embolism_candidates.build_candidates(
            refs,
            folder,
            seed=options.seed,
            test_fraction=options.scale.test_fraction,
            val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
            facts={"inputs": inputs, "reader": reader},
            workers=options.workers,
        )

    return stages.once(folder / "detector.json", inputs, make)


def prepare_databases(dataset: Path, detector: dict[str, Any], options: Options) -> dict[str, Any]:
    """Second stage; returns the manifest, made now or before."""
    inputs = {
        "candidates_sha256": file_digest(dataset / "candidates" / "candidates.csv"),
        "code_sha256": manifest.code_sha256(*_PATCH_CODE),
        "source_listing_sha256": detector["inputs"]["source_listing_sha256"],
    }

    def make(folder: Path, inputs: dict[str, Any]) -> dict[str, Any]:
        candidates = embolism_candidates.read_candidates(dataset / "candidates")
        check_no_leak((candidate.group_id, split) for candidate, split in candidates)
        reduced = reduced_emboli(candidates, options.fraction, options.seed)
        planned = plan_patches(candidates, options.scale, options.seed, options.patch_level_validation, reduced)
        facts = {
            **stages.common_facts("embolism", dataset, options, detector["reader"]),
            "hit_criterion": HIT_CRITERION,
            "fp_unit": APPLICATIONS["embolism"].fp_unit,
            "training_set": reduced.record(),
            "source_sha256": detector["content_sha256"],
            "detector_sha256": detector["sha256"],
            "detector": detector["performance"],
            "skipped": detector["skipped"],
            "geometry": geometry_record(options.size),
            "inputs": inputs,
        }
        _, refs = index_volumes(options.data or dataset / "raw", options)
        return databases.build_databases(
            planned,
            {ref.volume_id: ref for ref in refs},
            cut,
            folder,
            size=options.size,
            facts=facts,
            workers=options.workers,
        )

    return stages.databases_once(dataset, options, inputs, make)


PREPARATION = stages.Preparation(
    application="embolism",
    check=find_reader,
    make_phantom=make_phantom,
    phantom_code=_PHANTOM_CODE,
    first_name="candidates",
    first=prepare_candidates,
    second=prepare_databases,
)


def prepare(options: Options) -> tuple[Path, dict[str, Any]]:
    """Everything up to the databases; returns their folder and the manifest."""
    return PREPARATION.run(options)


def report(folder: Path, made: dict[str, Any]) -> str:
    """What is in the databases, as text for people."""
    origin = "PHANTOM volumes, not patients" if made["is_phantom"] else made["reader"]
    lines = [
        f"data set {made['dataset']} ({origin}); hit criterion {made['hit_criterion']}; "
        f"validation split by {made['validation']}",
        "split  patients  volumes  emboli | detector: sensitivity  FP/volume | patches  positive  negative",
    ]
    for split in SPLITS:
        found, count = made["detector"][split], made["counts"][split]
        sensitivity = "-" if found["sensitivity"] is None else f"{found['sensitivity']:.3f}"
        per_volume = "-" if found["fps_per_volume"] is None else f"{found['fps_per_volume']:.1f}"
        lines.append(
            f"{split:5}  {found['groups']:8}  {found['volumes']:7}  {found['lesions']:6} |"
            f" {sensitivity:>21}  {per_volume:>9} | {count['patches']:7}  {count['positive']:8}  {count['negative']:8}"
        )
    lines += stages.reduction_lines(made)
    lines += [f"left out: volume {one['volume_id']}: {one['reason']}" for one in made["skipped"]]
    return "\n".join([*lines, f"databases: {folder}"])


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = stages.option_parser("embolism", "From CT angiographies to train, val and test databases.", SCALES)
    parser.add_argument("--patches-per-candidate", type=int, metavar="N", help=f"of {len(TRANSFORMS)}, in every split")
    given = parser.parse_args(arguments)
    fields = ("patches_per_candidate", "test_patches_per_candidate")
    options = stages.checked_options(given, SCALES)
    return stages.with_count(
        options, "--patches-per-candidate", given.patches_per_candidate, fields, high=len(TRANSFORMS)
    )


@exit_code_main
def main() -> None:
    print(report(*prepare(parse_options())))


if __name__ == "__main__":
    raise SystemExit(main())
