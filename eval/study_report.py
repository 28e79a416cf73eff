"""The study as pages: `python -m eval.study_report [APPLICATION ...] [--runs runs] [--out reports]`.

For every application a folder with report.html, figures/*.svg with the numbers of each as CSV beside it, and
significance.csv. Without an APPLICATION all that have runs, and report.html over all of them. Reads what `eval.report`
wrote, trains nothing. Exit codes: 0 done, 1 runs that do not compare or fit, 2 usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eval.findings import findings
from eval.overall import overall
from eval.overall_page import overall_page
from eval.report_page import PHANTOM_WARNING
from eval.significance import PAIR_COLUMNS
from eval.study import ApplicationStudy, read_study
from eval.study_curves import Drawn
from eval.study_page import StudyPage, study_page
from layerwise.applications import APPLICATIONS
from layerwise.errors import UsageError, exit_code_main
from layerwise.files import write_csv, write_text
from layerwise.nearest import lookup
from layerwise.run_folder import short_path


def write_page(folder: Path, page: StudyPage) -> Path:
    """Figures and tables first, the page last. Returns the page's path."""
    write_figures(folder, page.figures)
    write_csv(folder / "significance.csv", PAIR_COLUMNS, (pair.row() for pair in page.significance.pairs))
    write_text(folder / "report.html", page.html)
    return folder / "report.html"


def write_figures(folder: Path, figures: list[Drawn]) -> None:
    for drawn in figures:
        write_text(folder / "figures" / f"{drawn.name}.svg", drawn.svg)
        write_csv(folder / "figures" / f"{drawn.name}.csv", drawn.columns, drawn.rows)


@exit_code_main
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.study_report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("application", nargs="*", help=f"of {', '.join(APPLICATIONS)}; without one, all")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("reports"), help="where pages go (default: reports)")
    given = parser.parse_args()
    names = [lookup("application", name, APPLICATIONS).name for name in given.application] or list(APPLICATIONS)
    studies: list[ApplicationStudy] = []
    refused: list[str] = []
    for name in names:
        found, left_out = read_study([given.runs / name])
        refused += left_out
        for study in found:
            studies.append(study)
            path = write_page(given.out / name, study_page(study, left_out))
            print(f"report: {short_path(path)}")
    if not studies:
        where = ", ".join(str(given.runs / name) for name in names)
        raise UsageError(f"no evaluated run of the study below {where}" + "".join(f"\n{line}" for line in refused))
    if not given.application:
        page, figure = overall_page(studies, refused)
        write_figures(given.out, [figure])
        write_text(given.out / "report.html", page)
        print(f"report: {short_path(given.out / 'report.html')}")
    for line in overall({study.application.name: findings(study) for study in studies}):
        print(line)
    if any(run.is_phantom for study in studies for run in study.runs):
        print(PHANTOM_WARNING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
