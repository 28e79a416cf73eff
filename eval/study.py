"""The runs of the study by application, scheme and share of the training set, each measured on its test split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.measured import Sample, Yardstick, measure, yardstick_of
from eval.paired import check_paired, mean_sample
from eval.run_results import SCHEME_ORDER, RunResult, read_result, run_folders
from layerwise.applications import APPLICATIONS, Application
from layerwise.errors import DataError
from layerwise.schemes import HANDCRAFTED


@dataclass(frozen=True)
class Cell:
    """The runs of one scheme on one share of the training set, which differ in their seed, and their mean."""

    runs: tuple[RunResult, ...]
    sample: Sample


@dataclass(frozen=True)
class ApplicationStudy:
    """All runs of one application on one data set. cells: by (scheme, share of the training set)."""

    application: Application
    yardstick: Yardstick
    cells: dict[tuple[str, float], Cell]

    @property
    def runs(self) -> list[RunResult]:
        return [run for cell in self.cells.values() for run in cell.runs]

    def samples(self, prefix: str, fraction: float = 1.0) -> dict[str, Sample]:
        """The schemes whose name begins with `prefix`, by depth."""
        return {
            scheme: self.cells[scheme, fraction].sample
            for scheme in SCHEME_ORDER
            if scheme.startswith(prefix) and (scheme, fraction) in self.cells
        }

    def best(self, samples: dict[str, Sample]) -> str:
        """The scheme with the best headline; of equals the first."""
        sign = 1 if self.yardstick.larger_is_better else -1
        return max(samples, key=lambda scheme: sign * samples[scheme].headline)

    @property
    def fractions(self) -> list[float]:
        """The reduced training sets, largest first: those of the paper if there is any, and whatever else was run."""
        found = {fraction for _, fraction in self.cells} - {1.0}
        return sorted(found | set(self.application.reduced_to), reverse=True) if found else []


def read_study(paths: Sequence[Path]) -> tuple[list[ApplicationStudy], list[str]]:
    """The study of every application of which there are runs, and what was left out, each with its reason.

    paths: run folders, or folders that hold some. DataError if runs of one application do not compare.
    """
    of: dict[str, list[RunResult]] = defaultdict(list)
    left_out = []
    for folder in _folders(paths):
        if not (folder / "evaluation.json").is_file():
            left_out.append(f"{folder}: not evaluated (python -m eval.report {folder})")
            continue
        try:
            result = read_result(folder)
        except DataError as error:
            left_out.append(str(error))
            continue
        if result.application in APPLICATIONS:
            of[result.application].append(result)
        else:
            left_out.append(f"{folder}: {result.application} is no application of the study")
    return [application_study(APPLICATIONS[name], of[name]) for name in APPLICATIONS if name in of], left_out


def _folders(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path] if (path / "run.json").is_file() else sorted(file.parent for file in path.rglob("run.json"))
        found.update(dict.fromkeys(run_folders(inside)))
    return list(found)


def application_study(application: Application, results: Sequence[RunResult]) -> ApplicationStudy:
    """DataError if the runs are of several data sets, engines or nets, or their test splits differ."""
    nets = [result for result in results if result.scheme != HANDCRAFTED]
    for what, values in (
        ("data set", {result.dataset_dir for result in results}),
        ("engine", {result.engine for result in nets}),
        ("net", {result.net for result in nets}),
    ):
        if len(values) > 1:
            raise DataError(
                f"the runs of {application.name} have more than one {what} ({', '.join(sorted(map(str, values)))}), so "
                "they do not stand in one table: name the runs of one"
            )
    of: dict[tuple[str, float], list[RunResult]] = defaultdict(list)
    for result in results:
        of[result.scheme, result.fraction].append(result)
    cells = {
        key: Cell(tuple(runs), mean_sample([measure(run, application) for run in runs])) for key, runs in of.items()
    }
    check_paired([cell.sample for cell in cells.values()])
    return ApplicationStudy(application, yardstick_of(application), cells)
