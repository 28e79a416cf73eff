"""The study as Markdown: a table of every scheme and one of the reduced training sets, with what they were made by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from eval.paired import interval
from eval.report_page import FEW_GROUPS, count, duration
from eval.run_results import SCHEME_ORDER, RunResult
from eval.study import ApplicationStudy, Cell

MISSING = "missing"


def provenance(study: ApplicationStudy) -> str:
    """One line: data set, test split, seeds, nets, engine, machine, commits, days."""
    runs, records = study.runs, [run.record for run in study.runs]
    nets = [run for run in runs if run.net is not None]
    sample = next(iter(study.cells.values())).sample
    data = records[0]["data"]
    of_nets = [f"{run.record['engine']['name']} {run.record['engine']['version']}" for run in nets]
    days = [record["times"]["ended"][:10] for record in records]
    parts = [
        f"{'**phantom**' if runs[0].is_phantom else 'data set'} `{data['dataset']}`",
        f"{sample.n_groups} test {study.application.group_unit}s",
        f"seed {_listed(run.seed for run in runs)}",
        *([f"net {_listed(run.net for run in nets)}"] if nets else []),
        *([f"engine {_listed(of_nets)} ({_listed(run.record['engine']['device'] for run in nets)})"] if nets else []),
        _listed(f"{record['host']['processor']}, {record['host']['cores']} cores" for record in records),
        f"commit {_listed(_short_commit(record['commit']) for record in records)}",
        min(days) if min(days) == max(days) else f"{min(days)} to {max(days)}",
    ]
    return "; ".join(parts)


def caution(study: ApplicationStudy) -> str:
    """Said of test splits of few groups; "" of others."""
    n_groups = next(iter(study.cells.values())).sample.n_groups
    if n_groups >= FEW_GROUPS:
        return ""
    return f" Only {n_groups} test {study.application.group_unit}s: such intervals tend to be too narrow."


def main_table(study: ApplicationStudy) -> str:
    """A row for every scheme, run or not, the best by the headline in bold."""
    return _markdown(main_rows(study))


def main_rows(study: ApplicationStudy) -> list[tuple[str, ...]]:
    """`main_table`, its heads first."""
    best = study.best(samples) if (samples := study.samples("")) else ""
    rows = [_row(study, (scheme,), scheme, 1.0, scheme == best) for scheme in SCHEME_ORDER]
    return [_heads(study, "scheme"), *rows]


def reduced_table(study: ApplicationStudy) -> str:
    """A row for every scheme that was run on some reduced set, with each of these sets; "" if there is none."""
    rows = reduced_rows(study)
    return _markdown(rows) if rows else ""


def reduced_rows(study: ApplicationStudy) -> list[tuple[str, ...]]:
    """`reduced_table`, its heads first; empty if there is none."""
    schemes = [scheme for scheme in SCHEME_ORDER if any((scheme, part) in study.cells for part in study.fractions)]
    rows = []
    for part in study.fractions:
        best = study.best(samples) if (samples := study.samples("", part)) else ""
        rows += [_row(study, (f"{100 * part:g} %", scheme), scheme, part, scheme == best) for scheme in schemes]
    return [_heads(study, "training set", "scheme"), *rows] if rows else []


def missing_runs(study: ApplicationStudy) -> list[str]:
    """The schemes without a run on the whole training set."""
    return [scheme for scheme in SCHEME_ORDER if (scheme, 1.0) not in study.cells]


def _heads(study: ApplicationStudy, *first: str) -> tuple[str, ...]:
    unit = study.yardstick.unit
    columns = [f"{name}{',' if unit else ''}{unit}" for name in study.yardstick.columns]
    return (
        *first,
        "validation AUC",
        *(f"{kind} AUC" for kind in _area(study)),
        *columns,
        study.yardstick.headline + (f",{unit}" if unit else ""),
        "training time, epochs (mini-batches)",
    )


def _area(study: ApplicationStudy) -> list[str]:
    return [name.removesuffix(" AUC") for name in study.runs[0].measures if name.endswith(" AUC")]


def _row(study: ApplicationStudy, first: Sequence[str], scheme: str, fraction: float, is_best: bool) -> tuple[str, ...]:
    cell = study.cells.get((scheme, fraction))
    n_others = len(_heads(study))
    if cell is None:
        return *first, MISSING, *[""] * (n_others - 1)
    runs, digits = cell.runs, study.yardstick.digits
    areas = [_mean(runs, lambda run, kind=kind: run.measures[f"{kind} AUC"]) for kind in _area(study)]
    cells = [
        *first,
        _mean(runs, lambda run: run.val_auc),
        *areas,
        *(_with_interval(cell, column, digits) for column in range(len(cell.sample.values))),
        _training(runs),
    ]
    return tuple(f"**{text}**" if is_best else text for text in cells)


def _with_interval(cell: Cell, column: int, digits: int) -> str:
    low, high = interval(cell.sample.replicates[:, column])
    value = f"{cell.sample.values[column]:.{digits}f}"
    return value if low is None or high is None else f"{value} ({low:.{digits}f}-{high:.{digits}f})"


def _mean(runs: Sequence[RunResult], of: Callable[[RunResult], float | None]) -> str:
    values = [value for run in runs if (value := of(run)) is not None]
    return f"{np.mean(values):.3f}" if values else "–"


def _training(runs: Sequence[RunResult]) -> str:
    """Mean time of a run, and of nets the epochs and mini-batches."""
    seconds = duration(float(np.mean([run.record["times"]["training_seconds"] for run in runs])))
    counted = [run.record for run in runs if run.net is not None]
    if not counted:
        return seconds
    iterations = round(float(np.mean([record["iterations"] for record in counted])))
    epochs = np.mean([record["iterations"] / record["plan"]["iterations_per_epoch"] for record in counted])
    return f"{seconds}, {epochs:.3g} epoch{'' if epochs == 1 else 's'} ({count(iterations)})"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))


def _short_commit(commit: str) -> str:
    return commit[:7] + ("+changes" if commit.endswith("+changes") else "")


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    heads, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([heads, "|" + "---|" * len(rows[0]), *body])
