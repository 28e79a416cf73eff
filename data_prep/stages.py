"""What the data preparations of all applications share: their options, and how raw files become databases in stages.

Each stage writes one folder below data/<application>/<dataset>/ with a record of what it was made from; a stage whose
inputs have not changed is not done again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from data_prep import manifest, near_duplicates, parallel
from data_prep.whole_folder import disk_full_is_data_error, only_one_writer, whole_folder
from layerwise.applications import APPLICATIONS, get_application
from layerwise.errors import UsageError
from layerwise.files import read_json, write_json
from layerwise.nearest import lookup
from layerwise.nets import NETS, get_net
from layerwise.paths import dataset_dir, patches_dir

_HERE = Path(__file__).parent
# Of the code that decides what is in the databases, the part that no application owns.
PATCH_CODE = tuple(
    _HERE / name for name in ("candidate_patches.py", "databases.py", "fractions.py", "lmdb_builder.py", "splits.py")
)
_RAW_RECORD = "inputs.json"


class NamedScale(Protocol):
    """One preset of sizes: a frozen dataclass of the application's own."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...

    @property
    def max_train_patches(self) -> int: ...


ScaleT = TypeVar("ScaleT", bound=NamedScale)


@dataclass(frozen=True)
class Options(Generic[ScaleT]):
    """What the command line decides. data: the user's folder, None for the phantom. fraction: of the training set."""

    application: str
    data: Path | None
    scale: ScaleT
    seed: int
    net: str
    patch_level_validation: bool
    workers: int
    fraction: float = 1.0

    @property
    def validation(self) -> str:
        """The unit that is drawn for validation, as the records name it."""
        return "patch" if self.patch_level_validation else "group"

    @property
    def size(self) -> int:
        """Side of a patch in pixels: what the application's net takes."""
        return get_net(self.net).patch_size(get_application(self.application))


@dataclass(frozen=True)
class Preparation(Generic[ScaleT]):
    """The stages of one application.

    check: raises DataError if no reader knows the user's folder; before anything is made for it.
    make_phantom: (folder, options) fills a new folder with the phantom; phantom_code decides what it makes.
    first: (dataset folder, raw folder, options) -> record of the stage called first_name (candidates, say).
    second: (dataset folder, that record, options) -> manifest of the databases.
    """

    application: str
    check: Callable[[Path], object]
    make_phantom: Callable[[Path, Options[ScaleT]], object]
    phantom_code: tuple[Path, ...]
    first_name: str
    first: Callable[[Path, Path, Options[ScaleT]], dict[str, Any]]
    second: Callable[[Path, dict[str, Any], Options[ScaleT]], dict[str, Any]]

    def run(self, options: Options[ScaleT]) -> tuple[Path, dict[str, Any]]:
        """Everything up to the databases; returns their folder and the manifest. Waits for another process doing it."""
        if options.data is not None:
            self.check(options.data)
        dataset = dataset_dir(self.application, options.data, options.scale.name, options.seed)
        with only_one_writer(dataset):
            if options.data is None:
                with timed("phantom"):
                    self._phantom(dataset / "raw", options)
            with timed(self.first_name):
                record = self.first(dataset, options.data or dataset / "raw", options)
            report_near_duplicates(dataset, options.workers)
            with timed("databases"):
                made = self.second(dataset, record, options)
        return patches_dir(dataset, options.size, options.fraction), made

    def _phantom(self, raw: Path, options: Options[ScaleT]) -> None:
        """Make the phantom in `raw`, unless it is there, of this scale and seed and by this code."""
        inputs = {
            "scale": options.scale.name,
            "seed": options.seed,
            "code_sha256": manifest.code_sha256(*self.phantom_code),
        }
        if manifest.is_up_to_date(raw / _RAW_RECORD, inputs):
            return
        with whole_folder(raw) as partial, disk_full_is_data_error(raw):
            self.make_phantom(partial, options)
            write_json(partial / _RAW_RECORD, {"inputs": inputs})


def once(record: Path, inputs: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON of `record` if it was made from exactly these inputs, else what `make` returns after making it."""
    return read_json(record) if manifest.is_up_to_date(record, inputs) else make()


def databases_once(
    dataset: Path, options: Options[Any], inputs: dict[str, Any], make: Callable[[Path, dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """The manifest of the databases of these options, made now by make(folder, inputs) or before.

    inputs: what decides their content besides seed, scale, fraction, kind of validation and size.
    """
    folder = patches_dir(dataset, options.size, options.fraction)
    everything = {
        **inputs,
        "seed": options.seed,
        "scale": asdict(options.scale),
        "fraction": options.fraction,
        "validation": options.validation,
        "size_px": options.size,
    }
    if manifest.is_up_to_date(folder / manifest.MANIFEST, everything):
        return manifest.read_manifest(folder)
    return make(folder, everything)


def common_facts(application: str, dataset: Path, options: Options[Any], reader: str) -> dict[str, Any]:
    """What every manifest begins with."""
    return {
        "application": application,
        "dataset": dataset.name,
        "is_phantom": options.data is None,
        "reader": reader,
        "group_unit": get_application(application).group_unit,
        "validation": options.validation,
        "seed": options.seed,
    }


def reduction_lines(made: Mapping[str, Any]) -> list[str]:
    """For the report: that the training set is a reduced one, where it is."""
    reduced = made["training_set"]
    if reduced["fraction"] == 1:
        return []
    units = ", ".join(f"{split} {n}" for split, n in reduced["units"].items())
    return [f"training set reduced to {100 * reduced['fraction']:g} % by {reduced['unit']}, what is left: {units}"]


def report_near_duplicates(dataset: Path, workers: int) -> None:
    """Say whether images of one split look like those of another; the first stage has said which are where."""
    with timed("near-duplicates"):
        found = near_duplicates.check_splits(dataset, workers)
    print(near_duplicates.summary(found, dataset), flush=True)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Print how long a stage took."""
    start = time.monotonic()
    yield
    print(f"{stage}: {time.monotonic() - start:.1f} s", flush=True)


def option_parser(
    application: str,
    description: str,
    scales: Mapping[str, NamedScale],
    data: str = "folder of a public set; without it the phantom is made and used",
) -> argparse.ArgumentParser:
    """The options that every data preparation has; an application adds its own and parses. data: help of --data."""
    parser = argparse.ArgumentParser(f"python -m data_prep.{application}", description=description)
    parser.set_defaults(application=application)
    parser.add_argument("--data", type=Path, help=data)
    parser.add_argument("--scale", default="demo", help=f"preset of sizes: {', '.join(scales)} (default demo)")
    parser.add_argument("--seed", type=int, default=0, help="of phantom, split, thinning and order (default 0)")
    parser.add_argument("--net", default="alexnet_half", help=f"decides the patch size: {', '.join(NETS)}")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training set that is used, 0 to 1")
    parser.add_argument(
        "--patch-level-validation",
        action="store_true",
        help="validate on patches of the training groups (the paper can be read so; it flatters the validation AUC)",
    )
    parser.add_argument(
        "--max-train-patches", type=int, metavar="N", help="all classes together (default: the scale's)"
    )
    parser.add_argument("--workers", type=int, default=parallel.available_cores(), help="processes (default: cores)")
    return parser


def checked_options(given: argparse.Namespace, scales: Mapping[str, ScaleT]) -> Options[ScaleT]:
    """The shared options of a parsed command line; UsageError for a value that cannot be."""
    scale = lookup("scale", given.scale, scales)
    if given.seed < 0:
        raise UsageError(f"--seed {given.seed}: expected 0 or more")
    if not 0 < given.fraction <= 1:
        raise UsageError(f"--fraction {given.fraction:g}: expected more than 0, at most 1 (0.25 is a quarter)")
    get_net(given.net)
    options = Options(
        given.application,
        given.data,
        scale,
        given.seed,
        given.net,
        given.patch_level_validation,
        given.workers,
        given.fraction,
    )
    # Of an own data set the classes are not known yet; it has two or more.
    n_classes = APPLICATIONS[given.application].n_classes if given.application in APPLICATIONS else 2
    most = "--max-train-patches"
    return with_count(
        options, most, given.max_train_patches, ("max_train_patches",), low=n_classes, why="one of each class"
    )


def with_count(
    options: Options[ScaleT],
    option: str,
    n: int | None,
    fields: Sequence[str],
    low: int = 1,
    high: int | None = None,
    why: str = "",
) -> Options[ScaleT]:
    """The options with n in these fields of their scale, if the option was given; UsageError if n cannot be."""
    require(option, n, low, high, why)
    return options if n is None else replace(options, scale=replace(options.scale, **dict.fromkeys(fields, n)))


def require(option: str, value: int | None, low: int, high: int | None = None, why: str = "") -> None:
    """UsageError if an option that was given is not within its limits, both included."""
    if value is not None and (value < low or (high is not None and value > high)):
        expected = f"{low} or more" if high is None else f"{low} to {high}"
        raise UsageError(f"{option} {value}: expected {expected}{why and ', ' + why}")
