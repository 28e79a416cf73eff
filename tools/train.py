"""Train one run: `python -m tools.train polyp finetune-conv4 [--engine caffe] [--weights ...] [--resume]`.

Reads the databases, writes the run's own prototxt, prints the plan, trains with AUC-monitored stopping.
Exit codes: 0 trained (or already done), 1 failed or interrupted, 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from recaffe.proto.files import read_net

from data_prep.lmdb_reader import count_datums, export_patches
from data_prep.manifest import content_sha256
from eval.early_stopping import EarlyStopping
from layerwise.applications import get_application
from layerwise.engine import open_engine
from layerwise.errors import DataError, EngineError, UsageError, exit_code_main
from layerwise.files import file_digest, read_json
from layerwise.nets import MEAN_BGR, get_net
from layerwise.paths import dataset_dir, patches_dir, run_place
from layerwise.plan import format_plan, make_plan
from layerwise.run_folder import RunFolder, describe_commit, describe_host, short_path
from layerwise.schemes import BASE_LR, GAMMA, get_scheme
from layerwise.weights import NO_WEIGHTS, resolve_weights
from prototxt.generate import VALIDATIONS_PER_EPOCH, RunPrototxt, write_run_prototxt
from tools.run_options import add_run_options
from tools.score_table import score_table
from tools.train_session import TrainSession

# chosen: the paper's Figure 10 shows the AUC on a logarithmic axis from the first mini-batches on.
EARLY_VALIDATIONS = (1, 2, 5, 10, 20)
PATIENCE_EPOCHS = 4.0  # chosen: long enough for the AUC's noise between two validations of a few videos
# What a run is when nothing is said: `make polyp-finetune-conv4` in a fresh clone.
DEFAULT_NET = "alexnet_half"
DEFAULT_WEIGHTS = "alexnet_half_fractal"
DEFAULT_EPOCHS = 8.0  # chosen: real Caffe on two cores then trains the demonstration in under six minutes


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.train", description=(__doc__ or "").split("\n")[0])
    add_run_options(parser)
    parser.add_argument("--scale", default="demo", help="the phantom's scale: smoke, demo or paper (default: demo)")
    parser.add_argument("--data-seed", type=int, default=0, help="the data set's seed (default: 0)")
    parser.add_argument("--net", default=DEFAULT_NET, help=f"alexnet or alexnet_half (default: {DEFAULT_NET})")
    parser.add_argument("--weights", help="a folder of models/, a .caffemodel, or none (default: by scheme and net)")
    parser.add_argument("--epochs", type=float, default=DEFAULT_EPOCHS, help=f"at most (default: {DEFAULT_EPOCHS:g})")
    parser.add_argument("--batch", type=int, help="training mini-batch (default: the net's)")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_EPOCHS, help="epochs without a better validation AUC"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu or the index of a GPU (default: auto)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--resume", action="store_true", help="continue an interrupted run from its newest snapshot")
    action.add_argument("--restart", action="store_true", help="begin again; the earlier run folder is kept, renamed")
    return parser.parse_args()


@exit_code_main
def main() -> int:
    options = parse_arguments()
    application, scheme, net = get_application(options.application), get_scheme(options.scheme), get_net(options.net)
    engine = open_engine(options.engine)
    place = run_place(application.name, options.data)
    folder = RunFolder.of(options.runs, place, scheme.name, engine.name, options.seed, options.fraction)
    weights = resolve_weights(options.weights or default_weights(scheme.copies_source, net.name), net)
    if weights is None and scheme.copies_source:
        raise UsageError(f"scheme {scheme.name} tunes source weights, and WEIGHTS={NO_WEIGHTS} gives none")
    weights = weights if scheme.copies_source else None
    dataset = dataset_dir(application.name, options.data, options.scale, options.data_seed)
    database = patches_dir(dataset, net.patch_size(application), options.fraction)
    manifest = read_manifest(database, application.name)
    application = get_application(application.name, manifest)

    settings = {
        "application": application.name,
        "scheme": scheme.name,
        "engine": engine.name,
        "net": net.name,
        "weights": None if weights is None else asdict(weights),
        "data_sha256": content_sha256(manifest),
        "seed": options.seed,
        "fraction": options.fraction,
        "epochs": options.epochs,
        "batch": options.batch or net.train_batch,
        "patience_epochs": options.patience,
    }
    if not folder.open(settings, options.resume, options.restart):
        return 0
    describe_run(settings, manifest, database)

    n_train, n_val = count_datums(database / "train_lmdb"), count_datums(database / "val_lmdb")
    device = engine.device(options.device)
    files = write_run_prototxt(
        Path(short_path(folder.path)),
        application,
        scheme,
        net,
        short_path(database / "train_lmdb"),
        short_path(database / "val_lmdb"),
        n_train,
        n_val,
        settings["batch"],
        options.epochs,
        options.seed,
        short_path(folder.snapshot_prefix),
        "CPU" if device == "cpu" else "GPU",
    )
    patch_shape = net.patch_shape(application)
    plan = make_plan(read_net(files.train_val), patch_shape, scheme, weights, files.iterations_per_epoch)
    print(format_plan(plan), flush=True)

    with tempfile.TemporaryDirectory(prefix=".validation-", dir=folder.path) as scratch:
        val_patches = Path(scratch) / "val_patches.npy"
        keys, labels = export_patches(database / "val_lmdb", val_patches)
        check_validation_labels(labels, database)
        val_scores = score_table(database, "val", keys, labels)
        session = TrainSession(
            folder,
            labels,
            settings["batch"],
            files.iterations_per_epoch,
            files.max_iter,
            step_rate(files),
            EarlyStopping(max(1, round(options.patience * VALIDATIONS_PER_EPOCH))),
            first_counted=min(regular_validations(files)),
            keep_best_scores=lambda scores: val_scores.write(folder.val_scores_csv, scores),
        )
        restore = session.resume() if options.resume else None
        job = {
            "solver": str(files.solver),
            "deploy": str(files.deploy),
            "weights": None if weights is None else weights.path,
            "restore": None if restore is None else str(restore),
            "max_iter": files.max_iter,
            "validate_at": validation_iterations(files),
            "val_patches": str(val_patches),
            "mean_bgr": MEAN_BGR,
            "snapshot_prefix": short_path(folder.snapshot_prefix),
            "device": device,
        }
        folder.snapshot_prefix.parent.mkdir(exist_ok=True)
        began = datetime.now(UTC)
        with session.snapshot_on_interrupt():
            engine.run("train", job, session.on_event, folder.train_log)
    if session.stop_reason == "interrupted":
        raise EngineError(
            f"interrupted at iteration {session.iteration} of {files.max_iter}: go on with --resume (RESUME=1)"
        )
    write_run_record(folder, settings, session, plan, manifest, dataset, database, device, began)
    print(
        f"trained {session.iteration} iterations, {session.stop_reason}; best validation AUC "
        f"{session.stopping.best_auc:.4f} at iteration {session.best_iteration}: {short_path(folder.best_caffemodel)}"
    )
    return 0


def default_weights(copies_source: bool, net: str) -> str:
    """Fine-tuning without WEIGHTS= starts from the embedded weights where they fit, else from bvlc_alexnet."""
    if not copies_source:
        return NO_WEIGHTS
    return DEFAULT_WEIGHTS if net == DEFAULT_NET else "bvlc_alexnet"


def read_manifest(database: Path, application: str) -> dict[str, Any]:
    path = database / "manifest.json"
    if not path.is_file():
        raise DataError(
            f"{path} is not there: the databases are not built. Run `python -m data_prep.{application}` with the same "
            f"--data, --scale, --seed, --net and --fraction, or `make {application}-<scheme>`, which does."
        )
    return read_json(path)


def describe_run(settings: dict[str, Any], manifest: dict[str, Any], database: Path) -> None:
    """Printed first, so that nobody mistakes a phantom's numbers for a clinical result."""
    weights = settings["weights"]
    kind = "PHANTOM, synthetic images: no clinical meaning" if manifest["is_phantom"] else "images at a user's path"
    print(f"data     {manifest['dataset']} ({kind}), {short_path(database)}")
    print(f"weights  {weights['name'] + ': ' + weights['description'] if weights else 'none: every layer is filled'}")
    print("run      {application} {scheme}, net {net}, engine {engine}".format(**settings))
    share = "" if settings["fraction"] == 1 else ", {fraction:g} of the training set".format(**settings)
    print("         seed {seed}, batch {batch}, at most {epochs:g} epochs".format(**settings) + share, flush=True)


def regular_validations(files: RunPrototxt) -> set[int]:
    """VALIDATIONS_PER_EPOCH iterations per epoch, evenly, and the last one."""
    per_epoch, last = files.iterations_per_epoch, files.max_iter
    n = int(np.ceil(last / per_epoch * VALIDATIONS_PER_EPOCH))
    every = {max(1, round(k * per_epoch / VALIDATIONS_PER_EPOCH)) for k in range(1, n + 1)}
    return {k for k in every if k < last} | {last}


def validation_iterations(files: RunPrototxt) -> list[int]:
    """The regular ones, and a few before the first of them."""
    regular = regular_validations(files)
    return sorted(regular | {k for k in EARLY_VALIDATIONS if k < min(regular)})


def step_rate(files: RunPrototxt) -> Callable[[int], float]:
    """Caffe's policy `step` (sgd_solver.cpp, GetLearningRate) for the solver that was just written."""
    return lambda iteration: BASE_LR * GAMMA ** (iteration // files.iterations_per_epoch)


def check_validation_labels(labels: np.ndarray, database: Path) -> None:
    n_positive = int((labels > 0).sum())
    if n_positive in (0, len(labels)):
        raise DataError(
            f"{database / 'val_lmdb'}: all {len(labels)} validation patches have one class ({n_positive} positive), so "
            "there is no AUC to stop by. Use another --seed for the split, more groups, or --patch-level-validation."
        )


def write_run_record(
    folder: RunFolder,
    settings: dict[str, Any],
    session: TrainSession,
    plan: Any,
    manifest: dict[str, Any],
    dataset: Path,
    database: Path,
    device: str | int,
    began: datetime,
) -> None:
    """run.json: everything that is needed to say what this run was. Its being there means the training is finished."""
    folder.write_run(
        {
            **settings,
            "engine": {"name": settings["engine"], "version": session.engine_version, "device": str(device)},
            "data": {
                "dataset": manifest["dataset"],
                "is_phantom": manifest["is_phantom"],
                "class_names": get_application(settings["application"], manifest).class_names,
                "dataset_dir": short_path(dataset),
                "manifest": short_path(database / "manifest.json"),
                "manifest_sha256": file_digest(database / "manifest.json"),
                "content_sha256": settings["data_sha256"],
                "counts": manifest["counts"],
            },
            "plan": asdict(plan),
            "best_iteration": session.best_iteration,
            "best_val_auc": session.stopping.best_auc,
            "iterations": session.iteration,
            "stop_reason": session.stop_reason,
            "commit": describe_commit(),
            "host": describe_host(),
            "times": {
                "began": began.isoformat(timespec="seconds"),
                "ended": datetime.now(UTC).isoformat(timespec="seconds"),
                "training_seconds": round(session.training_seconds, 2),
                "validation_seconds": round(session.validation_seconds, 2),
            },
        }
    )
    folder.resume_json.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
