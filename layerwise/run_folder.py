"""The files of one run, `runs/<application>/<scheme>/<engine>-seed<k>/`, by name (design: "Files of a run")."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.errors import UsageError
from layerwise.files import read_json, write_csv, write_json
from layerwise.schemes import HANDCRAFTED

TRAIN_COLUMNS = ("iteration", "epoch", "lr", "loss", "val_auc", "images_per_s")
# Of scores.csv the first; those of patches.csv that end in _id follow.
SCORE_COLUMNS = ("key", "group_id", "label", "score")


@dataclass(frozen=True)
class RunFolder:
    """Names the files of a run; it neither makes nor reads them unless a method says so."""

    path: Path

    @classmethod
    def of(cls, runs: Path, application: str, scheme: str, engine: str, seed: int, fraction: float = 1.0) -> RunFolder:
        """fraction: of the training set that was used."""
        name = f"{engine}-seed{seed}" if fraction == 1 else f"{engine}-seed{seed}-fraction{fraction:g}"
        return cls(runs / application / scheme / name)

    @classmethod
    def of_rival(cls, runs: Path, application: str, seed: int, fraction: float = 1.0) -> RunFolder:
        """Of the handcrafted rival, which no engine executes."""
        return cls.of(runs, application, HANDCRAFTED, "rival", seed, fraction)

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def resume_json(self) -> Path:
        """What `--resume` needs besides the snapshot; there while a run is unfinished."""
        return self.path / "resume.json"

    @property
    def train_csv(self) -> Path:
        return self.path / "train.csv"

    @property
    def train_log(self) -> Path:
        return self.path / "train.log"

    @property
    def scores_csv(self) -> Path:
        return self.path / "scores.csv"

    @property
    def val_scores_csv(self) -> Path:
        """What the best snapshot said of the validation patches: where thresholds may be chosen."""
        return self.path / "val_scores.csv"

    @property
    def deploy_prototxt(self) -> Path:
        return self.path / "deploy.prototxt"

    @property
    def snapshot_prefix(self) -> Path:
        return self.path / "snapshots" / "snapshot"

    @property
    def best_caffemodel(self) -> Path:
        return self.path / "best.caffemodel"

    def read_run(self) -> dict[str, Any]:
        """run.json of a trained run; UsageError if there is none."""
        if not self.run_json.is_file():
            raise UsageError(
                f"{self.path} is not a finished run: it has no run.json. Train it first with `python -m tools.train`."
            )
        return read_json(self.run_json)

    def write_train_rows(self, rows: list[dict[str, Any]]) -> None:
        write_csv(self.train_csv, TRAIN_COLUMNS, rows)

    def write_run(self, run: dict[str, Any]) -> None:
        write_json(self.run_json, run)

    def open(self, settings: dict[str, Any], resume: bool, restart: bool) -> bool:
        """Decide what an earlier run in this folder means for a run with `settings`; afterwards they are written there.

        False: the earlier run is this very one and finished, so nothing is to do. Raises UsageError if `resume` has
        nothing to continue or would continue with other settings, or if an unfinished run would be lost silently.
        """
        settings_json = self.path / "settings.json"
        earlier = read_json(settings_json) if settings_json.is_file() else None
        finished = self.run_json.is_file()
        if resume:
            self._check_resume(settings, earlier, finished)
            return True
        if finished and earlier == settings and not restart:
            print(f"{self.path} is trained already with these settings (--restart trains it again)")
            return False
        if self.resume_json.is_file() and not restart:
            raise UsageError(
                f"{self.path} holds a run that stopped at iteration {read_json(self.resume_json)['iteration']}: "
                "continue it with --resume (RESUME=1), or begin again with --restart (RESTART=1), which keeps the "
                "old one under another name"
            )
        kept = self.set_aside()
        if kept:
            print(f"the earlier run in this folder is kept as {kept}")
        write_json(settings_json, settings)
        return True

    def _check_resume(self, settings: dict[str, Any], earlier: dict[str, Any] | None, finished: bool) -> None:
        if finished or earlier is None:
            raise UsageError(f"nothing to resume: {self.path} {'is finished' if finished else 'has no earlier run'}")
        changed = [
            f"{key} was {earlier.get(key)!r}, now {settings[key]!r}"
            for key in settings
            if earlier.get(key) != settings[key]
        ]
        if changed:
            raise UsageError(f"cannot resume {self.path} with other settings: {'; '.join(changed)}")

    def set_aside(self) -> Path | None:
        """Rename an earlier run's folder to the first free `<name>.old<k>`; None if there was none."""
        if not self.path.exists():
            return None
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        self.path.rename(kept)
        return kept

    def keep_best(self, caffemodel: Path) -> None:
        """Make `best.caffemodel` the file `caffemodel` (a hard link where the disk allows it), whole or not at all."""
        partial = self.best_caffemodel.with_name(".best.caffemodel.partial")
        partial.unlink(missing_ok=True)
        try:
            os.link(caffemodel, partial)
        except OSError:
            shutil.copyfile(caffemodel, partial)
        partial.replace(self.best_caffemodel)


def short_path(path: Path | str) -> str:
    """Relative to the working directory where the path lies below it: readable, and not bound to one machine."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def describe_host() -> dict[str, Any]:
    """The machine, without its name: a run folder is meant to be given away."""
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.is_file()
        else []
    )
    return names[0] if names else platform.processor()


def describe_commit() -> str:
    """The repository's commit, `+changes` if the tree differs from it; "unknown" outside git."""
    root = Path(__file__).parents[1]
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changed else commit
