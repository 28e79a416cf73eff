"""The page over all applications: what was found again where, the depths side by side, convergence in one figure."""

from __future__ import annotations

from collections.abc import Sequence

from eval.convergence import convergences
from eval.figures import inline
from eval.findings import METHOD, findings
from eval.overall import overall
from eval.report_page import render
from eval.results_table import caution, main_rows, missing_runs, provenance
from eval.study import ApplicationStudy
from eval.study_curves import Drawn
from eval.study_figures import convergence_figure, depth_figure
from eval.study_page import note_of, recommended
from layerwise.applications import APPLICATIONS


def overall_page(studies: Sequence[ApplicationStudy], left_out: Sequence[str]) -> tuple[str, Drawn]:
    """The page, and the paper's Figure 10 with a panel for each application."""
    phantom = any(run.is_phantom for study in studies for run in study.runs)
    datasets = sorted({run.record["data"]["dataset"] for study in studies for run in study.runs})
    note = "PHANTOM DATA" if phantom else ", ".join(datasets)
    figure = convergence_figure({study.application.name: convergences(study) for study in studies}, note)
    answers = {study.application.name: findings(study) for study in studies}
    depths = {study.application.name: depth_figure(study, note_of(study)) for study in studies}
    html = render(
        "overall.html.jinja",
        figures={figure.name: inline(figure.svg, figure.name)}
        | {name: inline(drawn.svg, name) for name, drawn in depths.items()},
        drawn={figure.name: figure, **depths},
        convergence_name=figure.name,
        studies=[
            {
                "study": study,
                "name": study.application.name,
                "title": study.application.title,
                "provenance": provenance(study) + "." + caution(study),
                "recommended": recommended(study),
                "findings": answers[study.application.name],
                "rows": main_rows(study),
                "missing": missing_runs(study),
            }
            for study in studies
        ],
        lines=overall(answers),
        method=METHOD,
        is_phantom=phantom,
        absent=[name for name in APPLICATIONS if name not in answers],
        left_out=left_out,
    )
    return html, figure
