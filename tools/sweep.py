"""Every run of the study, one after the other or side by side: `python -m tools.sweep`, or of some: `... polyp frames`.

All eleven schemes and the handcrafted rival of each application, and on reduced training sets what the paper compares
there: tuning all layers, learning from scratch, the rival. Runs that are finished are not run again, and an
interrupted one is resumed, so the command may be stopped and repeated. Exit codes: 0 all done, 1 some failed, 2 usage.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from data_prep.parallel import available_cores
from layerwise.applications import APPLICATIONS, get_application
from layerwise.engine import tail
from layerwise.errors import UsageError, exit_code_main
from layerwise.run_folder import RunFolder
from layerwise.schemes import HANDCRAFTED, SCHEMES, get_scheme
from tools.train import DEFAULT_EPOCHS

# The paper's "DT" against training from scratch; chosen: of its three fillers the one that learns fastest here.
REDUCED_SCHEMES = ("finetune-conv1", "scratch-xavier", HANDCRAFTED)
# chosen: a reduced set gets no fewer updates than the whole one (more where the whole one was thinned to its scale's
# limit), so that less data is not less training too, as long as the rate, which falls by 5 % an epoch, still moves
# anything: after 60 epochs a twentieth of it is left. No early stopping, which would end small epochs long before.
MOST_REDUCED_EPOCHS = 60.0

Command = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One run. fraction: of the training set."""

    application: str
    scheme: str
    fraction: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.application}-{self.scheme}" + ("" if self.fraction == 1 else f"-fraction{self.fraction:g}")


@dataclass(frozen=True)
class Choice:
    """What all runs of a sweep share; None is the stages' default."""

    engine: str
    seed: int
    data_seed: int
    scale: str
    epochs: float | None
    runs: Path

    def folder(self, job: Job) -> RunFolder:
        if job.scheme == HANDCRAFTED:
            return RunFolder.of_rival(self.runs, job.application, self.seed, job.fraction)
        return RunFolder.of(self.runs, job.application, job.scheme, self.engine, self.seed, job.fraction)

    def data_command(self, application: str, fraction: float) -> Command:
        options = ("--scale", self.scale, "--seed", str(self.data_seed), "--fraction", f"{fraction:g}")
        return (f"data_prep.{application}", *options)

    def commands(self, job: Job) -> list[Command]:
        """The stages after the data preparation."""
        run = ("--seed", str(self.seed), "--fraction", f"{job.fraction:g}", "--runs", str(self.runs))
        data = ("--scale", self.scale, "--data-seed", str(self.data_seed))
        which = (job.application, job.scheme)
        if job.scheme == HANDCRAFTED:
            rate = ("tools.handcrafted", job.application, *run, *data, "--workers", "1")
            return [rate, ("eval.report", *which, *run)]
        run = (*run, "--engine", self.engine)
        train = ("tools.train", *which, *run, *data, *self._epochs(job.fraction))
        resume = ("--resume",) if self.folder(job).resume_json.is_file() else ()
        return [(*train, *resume), ("tools.predict", *which, *run), ("eval.report", *which, *run)]

    def _epochs(self, fraction: float) -> Command:
        if self.epochs:
            return ("--epochs", f"{self.epochs:g}")
        if fraction == 1:
            return ()
        epochs = f"{min(DEFAULT_EPOCHS / fraction, MOST_REDUCED_EPOCHS):g}"
        return ("--epochs", epochs, "--patience", epochs)


def jobs_of(applications: Sequence[str], schemes: Sequence[str], reduced: bool) -> list[Job]:
    """The whole training sets first, in order of depth, then the reduced ones."""
    whole = [Job(application, scheme) for application in applications for scheme in schemes]
    if not reduced:
        return whole
    return whole + [
        Job(application, scheme, fraction)
        for application in applications
        for fraction in APPLICATIONS[application].reduced_to
        for scheme in REDUCED_SCHEMES
        if scheme in schemes
    ]


def run_all(jobs: Sequence[Job], choice: Choice, side_by_side: int) -> list[str]:
    """Prepare the data, then run the jobs; returns the names of those that did not end well, reported as they fail."""
    logs = choice.runs / "sweep"
    logs.mkdir(parents=True, exist_ok=True)
    prepared: dict[tuple[str, float], bool] = {}
    for application, fraction in dict.fromkeys((job.application, job.fraction) for job in jobs):
        name = Job(application, "data", fraction).name
        prepared[application, fraction] = _run([choice.data_command(application, fraction)], logs / f"{name}.log", name)
    ready = [job for job in jobs if prepared[job.application, job.fraction]]
    failed = [job.name for job in jobs if job not in ready]
    threads = str(max(1, available_cores() // side_by_side))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    with ThreadPoolExecutor(side_by_side) as pool:
        running = {
            pool.submit(_run, choice.commands(job), logs / f"{job.name}.log", job.name, environment): job
            for job in ready
        }
        failed += [running[done].name for done in as_completed(running) if not done.result()]
    return failed


def _run(commands: Sequence[Command], log: Path, name: str, environment: dict[str, str] | None = None) -> bool:
    """Run commands until one fails; what they print goes to `log`. False, and the log's end printed, if one failed."""
    began = time.monotonic()
    with log.open("w") as output:
        for command in commands:
            arguments = [sys.executable, "-m", *command]
            output.write(" ".join(["python", *arguments[1:]]) + "\n")
            output.flush()
            if subprocess.run(arguments, stdout=output, stderr=subprocess.STDOUT, env=environment).returncode:
                print(f"{name}: FAILED, see {log}", *(f"  {line}" for line in tail(log, 6)), sep="\n", flush=True)
                return False
    print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return True


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("applications", nargs="*", help=f"of {', '.join(APPLICATIONS)} (default: all)")
    parser.add_argument("--schemes", nargs="+", help=f"of the eleven and {HANDCRAFTED} (default: all)")
    parser.add_argument("--no-reduced", action="store_true", help="leave out the reduced training sets")
    parser.add_argument("--engine", default="recaffe", help="recaffe or caffe (default: recaffe)")
    parser.add_argument("--seed", type=int, default=0, help="of the runs (default: 0)")
    parser.add_argument("--data-seed", type=int, default=0, help="of the phantoms (default: 0)")
    parser.add_argument("--scale", default="demo", help="of the phantoms: smoke, demo or paper (default: demo)")
    parser.add_argument("--epochs", type=float, help="at most (default: the training's)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders go (default: runs)")
    # chosen: on a CPU two runs with one thread each need less time than one after the other with two.
    parser.add_argument(
        "--jobs", type=int, default=available_cores(), help="runs side by side (default: cores; GPU: 1)"
    )
    return parser.parse_args()


def _names(options: argparse.Namespace) -> Iterator[str]:
    for scheme in options.schemes or (*SCHEMES, HANDCRAFTED):
        yield scheme if scheme == HANDCRAFTED else get_scheme(scheme).name


@exit_code_main
def main() -> int:
    options = parse_arguments()
    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}: expected 1 or more")
    applications = [get_application(name).name for name in options.applications] or list(APPLICATIONS)
    jobs = jobs_of(applications, list(_names(options)), not options.no_reduced)
    choice = Choice(options.engine, options.seed, options.data_seed, options.scale, options.epochs, options.runs)
    print(f"{len(jobs)} runs, {options.jobs} side by side; logs in {choice.runs / 'sweep'}", flush=True)
    failed = run_all(jobs, choice, options.jobs)
    print(f"{len(jobs) - len(failed)} of {len(jobs)} runs done" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
