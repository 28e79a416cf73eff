"""All results of the study in one place: `python -m eval.results runs [--markdown FILE] [--json FILE] [--readme FILE]`.

Per application a table of every scheme, one of the reduced training sets, and whether the paper's findings are found
again. RUNS are run folders or folders that hold some; what has no run is listed as missing. Reads what `eval.report`
wrote, trains nothing. Exit codes: 0 done, 1 runs that do not compare, 2 usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.bootstrap import REPLICATES
from eval.findings import METHOD, Finding, findings
from eval.overall import overall
from eval.paired import interval
from eval.report_page import PHANTOM_WARNING, count
from eval.results_table import caution, main_table, missing_runs, provenance, reduced_table
from eval.study import ApplicationStudy, Cell, read_study
from layerwise.applications import APPLICATIONS
from layerwise.errors import DataError, UsageError, exit_code_main
from layerwise.files import write_json, write_text

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def as_markdown(
    studies: Sequence[ApplicationStudy], answers: Sequence[Sequence[Finding]], left_out: Sequence[str]
) -> str:
    """answers: the findings of each study."""
    parts = [PHANTOM_WARNING] if any(run.is_phantom for study in studies for run in study.runs) else []
    by_name = {study.application.name: found for study, found in zip(studies, answers, strict=True)}
    parts.append("\n".join(f"* {line}" for line in overall(by_name)))
    parts.append(f"{METHOD} Intervals: 95 %, {count(REPLICATES)} redraws.")
    for study, found in zip(studies, answers, strict=True):
        title = study.application.title
        parts += [
            f"### {study.application.name}: {title}",
            _sentence(provenance(study)) + caution(study),
            main_table(study),
        ]
        if missing := missing_runs(study):
            parts.append(f"Missing: {', '.join(missing)}.")
        if reduced := reduced_table(study):
            parts += ["Reduced training sets:", reduced]
        parts.append("\n".join(f"* {finding.text}" for finding in found))
    absent = [name for name in APPLICATIONS if name not in {study.application.name for study in studies}]
    if absent:
        parts.append(f"Missing applications, of which there is no run: {', '.join(absent)}.")
    if left_out:
        parts.append("Left out:\n\n" + "\n".join(f"* {line}" for line in left_out))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    start = 2 if text.startswith("**") else 0
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :] + "."


def as_json(
    studies: Sequence[ApplicationStudy], answers: Sequence[Sequence[Finding]], left_out: Sequence[str]
) -> dict[str, Any]:
    return {
        "replicates": REPLICATES,
        "applications": {
            study.application.name: {
                "provenance": provenance(study),
                "headline": study.yardstick.headline,
                "larger_is_better": study.yardstick.larger_is_better,
                "rows": [_cell_record(study, *key, cell) for key, cell in study.cells.items()],
                "missing": missing_runs(study),
                "findings": [vars(finding) for finding in found],
            }
            for study, found in zip(studies, answers, strict=True)
        },
        "left_out": list(left_out),
    }


def _cell_record(study: ApplicationStudy, scheme: str, fraction: float, cell: Cell) -> dict[str, Any]:
    names = (*study.yardstick.columns, study.yardstick.headline)
    measured = {
        name: {
            "value": float(cell.sample.values[column]),
            "ci95_group": list(interval(cell.sample.replicates[:, column])),
        }
        for column, name in enumerate(names)
    }
    seeds = [run.seed for run in cell.runs]
    runs = [{"folder": str(run.folder), "val_auc": run.val_auc, **run.measures} for run in cell.runs]
    return {"scheme": scheme, "fraction": fraction, "seeds": seeds, "measured": measured, "runs": runs}


def put_between(text: str, path: Path) -> str:
    """The content of `path` with what stands between the two marks replaced. DataError if it has not both, in order."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise DataError(f"{path}: expected the line {BEGIN} once and after it {END} once; the results go between them")
    return f"{old[: old.index(BEGIN)]}{BEGIN}\n\n{text}\n{old[old.index(END) :]}"


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.results", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run folders, or folders that hold some")
    parser.add_argument("--markdown", type=Path, help="file to write; without any output option it is printed")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--readme", type=Path, help=f"file in which to replace what stands between {BEGIN} and {END}")
    given = parser.parse_args()
    studies, left_out = read_study(given.runs)
    if not studies:
        raise UsageError(
            "none of these folders holds an evaluated run of the study" + "".join(f"\n{x}" for x in left_out)
        )
    answers = [findings(study) for study in studies]
    text = as_markdown(studies, answers, left_out)
    readme = put_between(text, given.readme) if given.readme else None
    if given.json:
        write_json(given.json, as_json(studies, answers, left_out))
    if given.markdown:
        write_text(given.markdown, text)
    if given.readme and readme is not None:
        write_text(given.readme, readme)
    written = [str(path) for path in (given.json, given.markdown, given.readme) if path]
    print("written: " + ", ".join(written) if written else text.rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
