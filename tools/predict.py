"""Score the test patches of a trained run with its best snapshot: `python -m tools.predict polyp finetune-conv4`.

Writes scores.csv: every test patch's key, group, label, P(not background), and the ids that patches.csv gives it; of
intima boundaries.csv, both lines of every test region (tools/predict_boundaries.py).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.lmdb_reader import export_patches
from data_prep.manifest import content_sha256, read_manifest
from layerwise.applications import get_application
from layerwise.engine import open_engine
from layerwise.errors import DataError, exit_code_main
from layerwise.nets import MEAN_BGR
from layerwise.paths import run_place
from layerwise.run_folder import RunFolder, short_path
from tools.predict_boundaries import boundaries_csv, predict_boundaries
from tools.run_options import add_run_options
from tools.score_table import score_table


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.predict", description=(__doc__ or "").split("\n")[0])
    add_run_options(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or the index of a GPU (default: auto)")
    options = parser.parse_args()
    place = run_place(options.application, options.data)
    folder = RunFolder.of(options.runs, place, options.scheme, options.engine, options.seed, options.fraction)
    run = folder.read_run()
    database = Path(run["data"]["manifest"]).parent
    if content_sha256(read_manifest(database)) != run["data"]["content_sha256"]:
        raise DataError(
            f"{database} was built again, to another content, after {folder.path} was trained; "
            "train again with --restart"
        )
    is_boundary = get_application(options.application).curve == "boundary"
    made = boundaries_csv(folder) if is_boundary else folder.scores_csv
    if is_newer(made, folder.best_caffemodel):
        print(f"{made} is up to date")
        return 0

    began = time.monotonic()
    if is_boundary:
        engine = open_engine(options.engine)
        n = predict_boundaries(engine, options.device, folder, Path(run["data"]["dataset_dir"]))
        print(f"mapped {n} test regions in {time.monotonic() - began:.1f} s: {short_path(made)}")
        return 0
    with tempfile.TemporaryDirectory(prefix=".test-", dir=folder.path) as scratch:
        patches = Path(scratch) / "test_patches.npy"
        keys, labels = export_patches(database / "test_lmdb", patches)
        scores = score_patches(options.engine, options.device, folder, patches, len(keys))
    score_table(database, "test", keys, labels).write(folder.scores_csv, scores)
    rate = len(keys) / (time.monotonic() - began)
    print(f"scored {len(keys)} test patches ({rate:.0f}/s): {short_path(folder.scores_csv)}")
    return 0


def is_newer(made: Path, source: Path) -> bool:
    return made.is_file() and made.stat().st_mtime >= source.stat().st_mtime


def score_patches(engine_name: str, device: str, folder: RunFolder, patches: Path, n: int) -> np.ndarray:
    """P(not background) of each of the n patches of the .npy file, (n,) float64, by the run's best snapshot."""
    engine = open_engine(engine_name)
    scores = np.full(n, np.nan)

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "scores":
            scores[event["start"] : event["start"] + len(event["scores"])] = event["scores"]

    job = {
        "deploy": str(folder.deploy_prototxt),
        "weights": str(folder.best_caffemodel),
        "patches": str(patches),
        "mean_bgr": MEAN_BGR,
        "device": engine.device(device),
    }
    engine.run("predict", job, on_event, folder.path / "predict.log")
    return scores


if __name__ == "__main__":
    sys.exit(main())
