"""Write the prototxt files: the study's own, which are committed, and a run's copies with its databases and net.

python -m prototxt.generate             write prototxt/<application>/<scheme>/{train_val,solver,deploy}.prototxt
python -m prototxt.generate --check     fail if one of them is not what this would write
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from recaffe.proto import text

from layerwise.applications import APPLICATIONS, Application
from layerwise.errors import ModelError, exit_code_main
from layerwise.files import write_text
from layerwise.nets import NETS, NetRecord
from layerwise.schemes import SCHEMES, Scheme
from prototxt.alexnet import deploy, train_val
from prototxt.header import deploy_header, solver_header, train_val_header
from prototxt.solver import add_validation, schedule, solver

FOLDER = Path(__file__).parent
PAPER_NET = NETS["alexnet"]
SOURCE_WEIGHTS = "models/bvlc_alexnet/bvlc_alexnet.caffemodel"

# chosen: the paper stops at the best validation AUC, and its Figure 10 has ticks up to 1000 mini-batches. 20 epochs are
# 5,000 (frames) to 25,000 (intima), so that the best is behind.
PAPER_EPOCHS = 20
PAPER_SEED = 1  # chosen: any, as long as it is written down
VALIDATIONS_PER_EPOCH = 4  # chosen: enough to see the maximum of the AUC, which the paper stops at


@dataclass(frozen=True)
class RunPrototxt:
    """A run's own three files, and its schedule in iterations."""

    train_val: Path
    deploy: Path
    solver: Path
    iterations_per_epoch: int
    max_iter: int


def study_texts(application: Application, scheme: Scheme, net: NetRecord = PAPER_NET) -> dict[str, str]:
    """File name -> text of prototxt/<application>/<scheme>/: the paper's counts, paths from the root.

    The databases are expected at data/<application>/paper/patches-<size>/, in the layout that data_prep writes.
    """
    place = f"{application.name}/{scheme.name}"
    databases = f"data/{application.name}/paper/patches-{net.patch_size(application)}"
    plan = schedule(application.n_train_patches, net.train_batch, PAPER_EPOCHS)
    param = solver(
        scheme, f"prototxt/{place}/train_val.prototxt", f"runs/{place}/alexnet", plan, PAPER_SEED, mode="GPU"
    )
    add_validation(param, application.n_validation_patches, net.val_batch, VALIDATIONS_PER_EPOCH)
    choices = [
        f"{PAPER_EPOCHS} epochs; the paper stops at the best validation AUC and states no number.",
        f"{VALIDATIONS_PER_EPOCH} validations and one snapshot an epoch, seed {PAPER_SEED}; none of these is stated.",
    ]
    notes = [
        f"stepsize: one epoch of |X| = {application.n_train_patches} patches, N = {net.train_batch}; the paper's "
        f"{application.n_training_patches} less the 20 % for validation.",
        f"Plain Caffe, from the repository's root: mkdir -p runs/{place}, then",
        f"  caffe train --solver=prototxt/{place}/solver.prototxt"
        + (f" --weights={SOURCE_WEIGHTS}" if scheme.copies_source else ""),
    ]
    message = train_val(
        application, scheme, net, f"{databases}/train_lmdb", f"{databases}/val_lmdb", net.train_batch, net.val_batch
    )
    return {
        "train_val.prototxt": train_val_header(application, scheme, net, net.train_batch, net.val_batch)
        + text.format(message),
        "deploy.prototxt": deploy_header(application, net) + text.format(deploy(application, net, net.val_batch)),
        "solver.prototxt": solver_header(application, scheme, notes, choices) + text.format(param),
    }


def write_run_prototxt(
    run_dir: Path,
    application: Application,
    scheme: Scheme,
    net: NetRecord,
    train_lmdb: str | Path,
    val_lmdb: str | Path,
    n_train: int,
    n_val: int,
    batch: int,
    epochs: float,
    seed: int,
    snapshot_prefix: str | Path,
    mode: str = "CPU",
) -> RunPrototxt:
    """Write train_val, deploy and solver.prototxt of one run into `run_dir`, with its databases, net and counts.

    The solver neither validates nor snapshots by itself: the trainer scores the validation patches and keeps the best.
    deploy takes net.val_batch patches at a time. mode: `CPU` or `GPU`, for those who give the solver to `caffe train`.
    Raises DataError if n_train, batch or epochs is not positive.
    """
    plan = schedule(n_train, batch, epochs)
    paths = RunPrototxt(
        train_val=run_dir / "train_val.prototxt",
        deploy=run_dir / "deploy.prototxt",
        solver=run_dir / "solver.prototxt",
        iterations_per_epoch=plan.iterations_per_epoch,
        max_iter=plan.max_iter,
    )
    message = train_val(application, scheme, net, train_lmdb, val_lmdb, batch, net.val_batch)
    write_text(paths.train_val, train_val_header(application, scheme, net, batch, net.val_batch) + text.format(message))
    write_text(paths.deploy, deploy_header(application, net) + text.format(deploy(application, net, net.val_batch)))
    notes = [f"stepsize: one epoch of |X| = {n_train} patches, N = {batch}."]
    choices = [
        f"{epochs:g} epochs, seed {seed}.",
        f"no test_iter and no snapshot: the trainer scores the {n_val} validation patches and keeps the best net.",
    ]
    param = solver(scheme, paths.train_val, snapshot_prefix, plan, seed, mode)
    write_text(paths.solver, solver_header(application, scheme, notes, choices) + text.format(param))
    return paths


def study_files() -> dict[Path, str]:
    """Path -> text of every committed file, for all applications and schemes."""
    return {
        FOLDER / application.name / scheme.name / name: content
        for application in APPLICATIONS.values()
        for scheme in SCHEMES.values()
        for name, content in study_texts(application, scheme).items()
    }


def check_study_files() -> None:
    """ModelError if a committed file is missing, differs from what would be written, or would not be written at all."""
    expected = study_files()
    found = {path: path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.prototxt")}
    wrong = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    if wrong:
        names = ", ".join(str(path.relative_to(FOLDER)) for path in wrong[:3])
        raise ModelError(
            f"{len(wrong)} prototxt files are not what the generator writes, such as {names}: "
            "run `make prototxt`, remove what it does not write, and look at `git diff prototxt`"
        )


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m prototxt.generate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not up to date")
    if parser.parse_args().check:
        check_study_files()
        print("prototxt: all files are what the generator writes")
        return
    files = study_files()
    for path, content in files.items():
        write_text(path, content)
    print(f"prototxt: {len(files)} files of {len(APPLICATIONS) * len(SCHEMES)} folders written")


if __name__ == "__main__":
    sys.exit(main())
