"""Fit the handcrafted rival of an application and rate the test split with it: `python -m tools.handcrafted polyp`.

It reads the data that the nets read and leaves a run folder that the report and the comparisons read as any other.
Exit codes: 0 rated (or already done), 1 bad input, 2 usage.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_prep.manifest import content_sha256
from data_prep.parallel import available_cores
from handcrafted.rival import Rated, RivalInputs
from layerwise.applications import get_application
from layerwise.errors import exit_code_main
from layerwise.files import file_digest, write_csv
from layerwise.nearest import lookup
from layerwise.nets import get_net
from layerwise.paths import dataset_dir, patches_dir
from layerwise.run_folder import RunFolder, describe_commit, describe_host, short_path
from layerwise.schemes import HANDCRAFTED
from tools.train import DEFAULT_NET, read_manifest

RIVALS = {name: f"handcrafted.{name}" for name in ("polyp", "embolism", "frames", "intima")}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.handcrafted", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("application", help=", ".join(RIVALS))
    parser.add_argument("--data", help="folder of the images, as given to data_prep (default: the phantom)")
    parser.add_argument("--scale", default="demo", help="the phantom's scale: smoke, demo or paper (default: demo)")
    parser.add_argument("--data-seed", type=int, default=0, help="the data set's seed (default: 0)")
    parser.add_argument("--net", default=DEFAULT_NET, help="whose databases say what is in the training set")
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training set, as given to data_prep")
    parser.add_argument("--seed", type=int, default=0, help="of the fitting (default: 0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders go (default: runs)")
    parser.add_argument("--workers", type=int, default=available_cores(), help="processes (default: cores)")
    parser.add_argument("--restart", action="store_true", help="fit again; the earlier folder is kept, renamed")
    return parser.parse_args()


@exit_code_main
def main() -> int:
    options = parse_arguments()
    application = get_application(options.application)
    rate = importlib.import_module(lookup("handcrafted rival", application.name, RIVALS)).rate
    dataset = dataset_dir(application.name, options.data, options.scale, options.data_seed)
    database = patches_dir(dataset, get_net(options.net).patch_size(application), options.fraction)
    manifest = read_manifest(database, application.name)
    folder = RunFolder.of_rival(options.runs, application.name, options.seed, options.fraction)
    settings = {
        "application": application.name,
        "scheme": HANDCRAFTED,
        "data_sha256": content_sha256(manifest),
        "seed": options.seed,
        "fraction": options.fraction,
    }
    if not folder.open(settings, resume=False, restart=options.restart):
        return 0
    source = Path(options.data) if options.data else dataset / "raw"
    began, clock = datetime.now(UTC), time.monotonic()
    rated: Rated = rate(RivalInputs(dataset, source, database, options.seed, options.workers))
    seconds = time.monotonic() - clock
    write_csv(folder.path / rated.file, rated.columns, rated.rows)
    folder.write_run(record(settings, rated, manifest, dataset, database, began, seconds))
    print(rated.facts["description"])
    print(f"rated the test split in {seconds:.0f} s: {short_path(folder.path / rated.file)}")
    return 0


def record(
    settings: dict[str, Any],
    rated: Rated,
    manifest: dict[str, Any],
    dataset: Path,
    database: Path,
    began: datetime,
    seconds: float,
) -> dict[str, Any]:
    """run.json: as a trained run's, without what only a net has."""
    return {
        **settings,
        "net": None,
        "weights": None,
        "engine": {"name": "scikit-learn", "version": version("scikit-learn"), "device": "cpu"},
        "facts": dict(rated.facts),
        "data": {
            "dataset": manifest["dataset"],
            "is_phantom": manifest["is_phantom"],
            "dataset_dir": short_path(dataset),
            "manifest": short_path(database / "manifest.json"),
            "manifest_sha256": file_digest(database / "manifest.json"),
            "content_sha256": settings["data_sha256"],
            "counts": manifest["counts"],
        },
        "commit": describe_commit(),
        "host": describe_host(),
        "times": {
            "began": began.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "training_seconds": round(seconds, 2),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
