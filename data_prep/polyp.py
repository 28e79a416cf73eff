"""Polyp detection: from raw colonoscopy frames to the three databases.

    python -m data_prep.polyp                      the phantom, demonstration size
    python -m data_prep.polyp --data /path/to/set  a public set; its layout decides which reader reads it

Two stages, each in a folder of its own below data/polyp/<dataset>/: candidates/ (splits, detector, candidates) and
patches-<size>/ (databases, patches.csv, manifest.json). A stage whose inputs have not changed is not done again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_prep import databases, manifest, parallel, polyp_candidates
from data_prep.hit_criterion import HIT_CRITERION
from data_prep.patches import TRANSFORMS, geometry_record
from data_prep.polyp_phantom import generate
from data_prep.polyp_readers import find_reader, load_frame
from data_prep.scales import SCALES, Scale, get_scale
from data_prep.splits import SPLITS, check_no_leak
from data_prep.whole_folder import disk_full_is_data_error, only_one_writer, whole_folder
from layerwise.applications import APPLICATIONS, VALIDATION_FRACTION
from layerwise.errors import UsageError, exit_code_main
from layerwise.files import file_digest, read_csv, read_json, write_json
from layerwise.nets import NETS, get_net
from layerwise.paths import dataset_dir, patches_dir
from layerwise.records import Frame

_HERE = Path(__file__).parent
# What decides the content of each stage; a change of these files makes the stage be done again.
_PHANTOM_CODE = (_HERE / "polyp_phantom",)
_CANDIDATE_CODE = tuple(
    _HERE / name for name in ("polyp_readers", "polyp_detector", "polyp_candidates.py", "hit_criterion.py", "splits.py")
)
_PATCH_CODE = tuple(_HERE / name for name in ("databases.py", "patches.py", "lmdb_builder.py", "splits.py"))
_RAW_RECORD = "inputs.json"


@dataclass(frozen=True)
class Options:
    """What the command line decides. data: the user's folder, None for the phantom."""

    data: Path | None
    scale: Scale
    seed: int
    net: str
    patch_level_validation: bool
    workers: int

    @property
    def validation(self) -> str:
        """The unit that is drawn for validation, as the records name it."""
        return "patch" if self.patch_level_validation else "group"


def read_frames(root: Path | str) -> Iterator[Frame]:
    """Every frame of a set in one of the known layouts, decoded one by one. DataError as the readers say."""
    for ref in find_reader(root).index(Path(root)):
        yield load_frame(ref)


def prepare_phantom(raw: Path, scale: str, seed: int, workers: int) -> None:
    """Make the phantom's frames in `raw`, unless they are there, of this scale and seed and by this code."""
    inputs = {"scale": scale, "seed": seed, "code_sha256": manifest.code_sha256(*_PHANTOM_CODE)}
    if manifest.is_up_to_date(raw / _RAW_RECORD, inputs):
        return
    with whole_folder(raw) as partial, disk_full_is_data_error(raw):
        generate(partial, seed=seed, scale=scale, workers=workers)
        write_json(partial / _RAW_RECORD, {"inputs": inputs})


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
    if manifest.is_up_to_date(folder / "detector.json", inputs):
        return read_json(folder / "detector.json")
    return polyp_candidates.build_candidates(
        refs,
        folder,
        seed=options.seed,
        test_fraction=options.scale.test_fraction,
        val_fraction=0.0 if options.patch_level_validation else VALIDATION_FRACTION,
        facts={"inputs": inputs, "reader": reader.name},
        workers=options.workers,
    )


def prepare_databases(dataset: Path, detector: dict[str, Any], options: Options) -> dict[str, Any]:
    """Second stage; returns the manifest, made now or before."""
    size = get_net(options.net).input_size
    folder = patches_dir(dataset, size)
    candidates_csv = dataset / "candidates" / "candidates.csv"
    inputs = {
        "candidates_sha256": file_digest(candidates_csv),
        "code_sha256": manifest.code_sha256(*_PATCH_CODE),
        "source_listing_sha256": detector["inputs"]["source_listing_sha256"],
        "seed": options.seed,
        "scale": asdict(options.scale),
        "validation": options.validation,
        "size_px": size,
    }
    if manifest.is_up_to_date(folder / manifest.MANIFEST, inputs):
        return manifest.read_manifest(folder)
    candidates = polyp_candidates.read_candidates(dataset / "candidates")
    check_no_leak((candidate.group_id, split) for candidate, split in candidates)
    planned = databases.plan_patches(candidates, options.scale, options.seed, options.patch_level_validation)
    frames = read_csv(dataset / "candidates" / "frames.csv")
    facts = {
        "application": "polyp",
        "dataset": dataset.name,
        "is_phantom": options.data is None,
        "reader": detector["reader"],
        "group_unit": APPLICATIONS["polyp"].group_unit,
        "hit_criterion": HIT_CRITERION,
        # Without frames that show no polyp, false positives are counted on polyp frames only; say so wherever shown.
        "fp_unit": "fps_per_frame" if _has_negative_frames(detector) else "fps_per_positive_frame",
        "validation": options.validation,
        "seed": options.seed,
        "source_sha256": detector["content_sha256"],
        "detector_sha256": detector["sha256"],
        "detector": detector["performance"],
        "geometry": geometry_record(size),
        "inputs": inputs,
    }
    image_paths = {row["frame_id"]: dataset / row["path"] for row in frames}
    return databases.build_databases(planned, image_paths, folder, size=size, facts=facts, workers=options.workers)


def _has_negative_frames(detector: dict[str, Any]) -> bool:
    return detector["performance"]["test"]["frames_without_lesion"] > 0


def prepare(options: Options) -> tuple[Path, dict[str, Any]]:
    """Everything up to the databases; returns their folder and the manifest. Waits for another process doing it."""
    if options.data is not None:
        find_reader(options.data)  # before a folder is made for a set that nobody can read
    dataset = dataset_dir("polyp", options.data, options.scale.name, options.seed)
    with only_one_writer(dataset):
        if options.data is None:
            with _timed("phantom"):
                prepare_phantom(dataset / "raw", options.scale.name, options.seed, options.workers)
        with _timed("candidates"):
            detector = prepare_candidates(dataset, options.data or dataset / "raw", options)
        with _timed("databases"):
            made = prepare_databases(dataset, detector, options)
    return patches_dir(dataset, get_net(options.net).input_size), made


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"{stage}: {time.monotonic() - start:.1f} s", flush=True)


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
    if made["fp_unit"] != "fps_per_frame":
        lines.append("no test frame is without a polyp: false positives are per POSITIVE frame, and mean less")
    return "\n".join([*lines, f"databases: {folder}"])


def parse_options(arguments: list[str] | None = None) -> Options:
    """The command line. Exits 2 on a wrong option; UsageError for a value that cannot be."""
    parser = argparse.ArgumentParser(
        "python -m data_prep.polyp", description="From raw colonoscopy frames to train, val and test databases."
    )
    parser.add_argument("--data", type=Path, help="folder of a public set; without it the phantom is made and used")
    parser.add_argument("--scale", default="demo", help=f"preset of sizes: {', '.join(SCALES)} (default demo)")
    parser.add_argument("--seed", type=int, default=0, help="of phantom, split, thinning and order (default 0)")
    parser.add_argument("--net", default="alexnet_half", help=f"decides the patch size: {', '.join(NETS)}")
    parser.add_argument("--patches-per-candidate", type=int, metavar="N", help=f"of {len(TRANSFORMS)}, in every split")
    parser.add_argument("--max-train-patches", type=int, metavar="N", help="both classes together")
    parser.add_argument(
        "--patch-level-validation",
        action="store_true",
        help="validate on patches of the training videos (the paper can be read so; it flatters the validation AUC)",
    )
    parser.add_argument("--workers", type=int, default=parallel.available_cores(), help="processes (default: cores)")
    given = parser.parse_args(arguments)
    scale = get_scale(given.scale)
    if (n := given.patches_per_candidate) is not None:
        if not 1 <= n <= len(TRANSFORMS):
            raise UsageError(f"--patches-per-candidate {n}: expected 1 to {len(TRANSFORMS)}")
        scale = replace(scale, patches_per_candidate=n, test_patches_per_candidate=n)
    if (n := given.max_train_patches) is not None:
        if n < 2:
            raise UsageError(f"--max-train-patches {n}: expected 2 or more, one of each class")
        scale = replace(scale, max_train_patches=n)
    if given.seed < 0:
        raise UsageError(f"--seed {given.seed}: expected 0 or more")
    get_net(given.net)
    return Options(given.data, scale, given.seed, given.net, given.patch_level_validation, given.workers)


@exit_code_main
def main() -> None:
    print(report(*prepare(parse_options())))


if __name__ == "__main__":
    raise SystemExit(main())
