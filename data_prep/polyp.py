"""Polyp detection: from raw colonoscopy frames to the three databases.

    python -m data_prep.polyp                      the phantom, demonstration size
    python -m data_prep.polyp --data /path/to/set  a public set; its layout decides which reader reads it

Two stages, each in a folder of its own below data/polyp/<dataset>/: candidates/ (splits, detector, candidates) and
patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is not done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep import databases, manifest, polyp_candidates, stages
from data_prep.fractions import Fraction, reduce_training
from data_prep.hit_criterion import HIT_CRITERION
from data_prep.patches import TRANSFORMS, geometry_record
from data_prep.polyp_patches import cut, plan_patches
from data_prep.polyp_phantom import generate
from data_prep.polyp_readers import find_reader, load_frame
from data_prep.scales import SCALES, Scale
from data_prep.splits import SPLITS, check_no_leak
from layerwise.applications import VALIDATION_FRACTION
from layerwise.errors import exit_code_main
from layerwise.files import file_digest, read_csv, read_json
from layerwise.records import Candidate, Frame

_HERE = Path(__file__).parent
# What decides the content of each stage; a change of these files makes the stage be done again.
_PHANTOM_CODE = (_HERE / "polyp_phantom",)
_CANDIDATE_CODE = tuple(
    _HERE / name
    for name in (
        *("polyp_readers", "polyp_detector", "polyp_proposals.py", "polyp_candidates.py"),
        *("hit_criterion.py", "splits.py"),
    )
)
_PATCH_CODE = (*stages.PATCH_CODE, _HERE / "polyp_patches.py", _HERE / "patches.py")

Options = stages.Options[Scale]


def read_frames(root: Path | str) -> Iterator[Frame]:
    """Every frame of a set in one of the known layouts, decoded one by one. DataError as the readers say."""
    for ref in find_reader(root).index(Path(root)):
        yield load_frame(ref)


def make_phantom(raw: Path, options: Options) -> None:
    generate(raw, seed=options.seed, scale=options.scale.name, workers=options.workers)


def prepare_candidates(dataset: Path, root: Path, options: Options) -> dict[str, Any]:
    """First stage; returns the content of candidates/detector.json, made now or before."""
    reader = find_reader(root)
    refs = reader.index(root)
    if options.data is None:
        test_videos = set(read_json(root / "phantom.json")["test_videos"])
        refs = [replace(ref, native_split="test" if ref.group_id in test_videos else "") for ref in refs]
    files = [path for ref in refs for path in (ref.image_path, ref.mask_path, ref.boxes_path) if path]
    inputs = {
        "source_listing_sha256": manifest.listing_sha256(root, files),
        "code_sha256": manifest.code_sha256(*_CANDIDATE_CODE),
        "seed": options.seed,
        "test_fraction": options.scale.test_fraction,
        "validation": options.validation,
    }
    folder = dataset / "candidates"

    def make() -> dict[str, Any]:
        return polyp_candidates.build_candidates(
            refs,
            folder,
            seed=options.seed,
            test_fraction=options.scale.test_fraction,
            val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
            facts={"inputs": inputs, "reader": reader.name},
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
        candidates = polyp_candidates.read_candidates(dataset / "candidates")
        check_no_leak((candidate.group_id, split) for candidate, split in candidates)
        reduced = reduced_videos(candidates, options)
        planned = plan_patches(candidates, options.scale, options.seed, options.patch_level_validation, reduced)
        facts = {
            **stages.common_facts("polyp", dataset, options, detector["reader"]),
            "hit_criterion": HIT_CRITERION,
            # Without frames that show no polyp, false positives are counted on polyp frames only; say so when shown.
            "fp_unit": "fps_per_frame" if _has_negative_frames(detector) else "fps_per_positive_frame",
            "training_set": reduced.record(),
            "source_sha256": detector["content_sha256"],
            "detector_sha256": detector["sha256"],
            "detector": detector["performance"],
            "geometry": geometry_record(options.size),
            "inputs": inputs,
        }
        images = {row["frame_id"]: dataset / row["path"] for row in read_csv(dataset / "candidates" / "frames.csv")}
        return databases.build_databases(
            planned, images, cut, folder, size=options.size, facts=facts, workers=options.workers
        )

    return stages.databases_once(dataset, options, inputs, make)


def reduced_videos(candidates: list[tuple[Candidate, str]], options: Options) -> Fraction:
    """Paper, section VI-A: 50 % and 25 % of the training data, by video, so that unique polyps go.

    The detector stays as it is, fitted on all training videos: the paper's came from elsewhere.
    """
    with_polyp = {candidate.group_id for candidate, _ in candidates if candidate.label}
    units = [(split, c.group_id, c.group_id in with_polyp) for c, split in candidates]
    return reduce_training(units, options.fraction, options.seed, unit="video")


def _has_negative_frames(detector: dict[str, Any]) -> bool:
    return detector["performance"]["test"]["frames_without_lesion"] > 0


PREPARATION = stages.Preparation(
    application="polyp",
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
    origin = "PHANTOM images, not patients" if made["is_phantom"] else made["reader"]
    lines = [
        f"data set {made['dataset']} ({origin}); hit criterion {made['hit_criterion']}; "
        f"validation split by {made['validation']}",
        "split  videos  frames  lesions | detector: sensitivity  FP/frame | patches  positive  negative",
    ]
    for split in SPLITS:
        found, count = made["detector"][split], made["counts"][split]
        sensitivity = "-" if found["sensitivity"] is None else f"{found['sensitivity']:.3f}"
        per_frame = "-" if found["fps_per_frame"] is None else f"{found['fps_per_frame']:.2f}"
        lines.append(
            f"{split:5}  {found['groups']:6}  {found['frames']:6}  {found['lesions']:7} |"
            f" {sensitivity:>21}  {per_frame:>8} | {count['patches']:7}  {count['positive']:8}  {count['negative']:8}"
        )
    lines += stages.reduction_lines(made)
    if made["fp_unit"] != "fps_per_frame":
        lines.append("no test frame is without a polyp: false positives are per POSITIVE frame, and mean less")
    return "\n".join([*lines, f"databases: {folder}"])


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = stages.option_parser("polyp", "From raw colonoscopy frames to train, val and test databases.", SCALES)
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
