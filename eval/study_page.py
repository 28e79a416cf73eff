"""What the page of one application shows: everything counted elsewhere, gathered here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from eval.boundary_report import boundary_report
from eval.convergence import Convergence, convergences
from eval.figures import inline
from eval.filters import filter_pictures
from eval.findings import DEEPEST, METHOD, SHALLOWEST, findings
from eval.froc_report import froc_report
from eval.judged import BOUNDARIES
from eval.paired import Difference, difference
from eval.paper_figures import BOXES, CONVERGENCE, CURVES, all_schemes
from eval.paper_numbers import INTIMA
from eval.paper_tables import NUMBERS
from eval.report_page import render
from eval.results_table import main_rows, missing_runs, provenance, reduced_rows
from eval.roc_report import roc_report
from eval.run_inputs import Cost, is_rival, read_cost
from eval.run_results import SCHEME_ORDER, RunResult
from eval.significance import EXCHANGES, Significance, significance, smallest_p
from eval.significance_tables import against, p_text, triangles
from eval.study import ApplicationStudy
from eval.study_curves import Drawn, draw_curves
from eval.study_figures import box_figures, convergence_figure, depth_figure
from layerwise.run_folder import RunFolder

# Application.curve -> what evaluates and shows a run of it.
KINDS = {"froc": froc_report, "roc": roc_report, "boundary": boundary_report}


@dataclass(frozen=True)
class StudyPage:
    """html: the page. figures: to be written beside it. significance: its pairs as a table."""

    html: str
    figures: list[Drawn]
    significance: Significance


@dataclass(frozen=True)
class Recommended:
    """best: the depth with the best headline. enough: the shallowest that is not significantly behind it."""

    best: str
    enough: str
    behind: Difference | None


def study_page(study: ApplicationStudy, left_out: list[str]) -> StudyPage:
    """DataError where a run's files do not fit its data set."""
    note = note_of(study)
    learned = convergences(study)
    figures = draw_figures(study, learned, note)
    found = significance(study)
    best_depth = recommended(study)
    worst = study.best(study.samples("")) if study.samples("") else ""
    html = render(
        "study.html.jinja",
        study=study,
        application=study.application,
        is_phantom=any(run.is_phantom for run in study.runs),
        dataset=study.runs[0].record["data"]["dataset"],
        provenance=provenance(study),
        n_groups=next(iter(study.cells.values())).sample.n_groups,
        recommended=best_depth,
        findings=findings(study),
        method=METHOD,
        main_rows=main_rows(study),
        reduced_rows=reduced_rows(study),
        figures={drawn.name: inline(drawn.svg, drawn.name) for drawn in figures},
        drawn={drawn.name: drawn for drawn in figures},
        curve_figures=CURVES[study.application.name],
        box_names=[drawn.name for drawn in figures if drawn.name.startswith("fig9")],
        convergence_name=CONVERGENCE[0],
        table_number=NUMBERS[study.application.name],
        triangles=triangles(study, found),
        against=against(study, found, best_depth.best if best_depth else worst),
        against_name=best_depth.best if best_depth else worst,
        without_bars=found.without_bars,
        n_exchanges=EXCHANGES,
        smallest_p=smallest_p,
        p_text=p_text,
        learned=learned,
        filters=filter_pictures(study),
        costs=costs(study),
        worst=worst,
        worst_folder=study.cells[worst, 1.0].runs[0].folder if worst else None,
        worst_errors=worst_errors(study, worst, note) if worst else "",
        paper_boundaries=paper_boundaries(study),
        scheme_order=SCHEME_ORDER,
        missing=missing_runs(study),
        left_out=left_out,
        ends=(SHALLOWEST, DEEPEST),
    )
    return StudyPage(html, figures, found)


def note_of(study: ApplicationStudy) -> str:
    """Stands above every figure, as figures get copied out."""
    if any(run.is_phantom for run in study.runs):
        return f"PHANTOM DATA, {study.application.name}"
    return f"{study.application.name}, {study.runs[0].record['data']['dataset']}"


def recommended(study: ApplicationStudy) -> Recommended | None:
    """None without two depths to choose from."""
    tuned = study.samples("finetune")
    if len(tuned) < 2:
        return None
    best = study.best(tuned)
    for scheme, sample in tuned.items():
        behind = difference(tuned[best], sample, study.yardstick)
        if scheme == best or behind.verdict != "ahead":
            return Recommended(best, scheme, None if scheme == best else behind)
    raise AssertionError("the best depth is one of the depths")


def draw_figures(study: ApplicationStudy, learned: list[Convergence], note: str) -> list[Drawn]:
    """The depths, every curve, the paper's own figures, convergence last."""
    everything = all_schemes(study.application.name)
    curves = [*([everything] if everything else []), *CURVES[study.application.name]]
    boxes = []
    if study.application.curve == "boundary":
        shares = [1.0, *(share for share in study.fractions if study.samples("", share))]
        boxes = [drawn for share in shares if study.samples("", share) for drawn in box_figures(study, note, share)]
    return [
        depth_figure(study, note),
        *(draw_curves(study, wanted, note) for wanted in curves),
        *boxes,
        convergence_figure({study.application.name: learned}, note),
    ]


def costs(study: ApplicationStudy) -> list[tuple[RunResult, Cost | None]]:
    """Every run, whole training sets first; a rival has no epochs."""
    runs = sorted(study.runs, key=lambda run: (-run.fraction, SCHEME_ORDER.index(run.scheme), run.seed))
    return [
        (run, None if is_rival(run.record) else read_cost(RunFolder(run.folder).train_csv, run.record)) for run in runs
    ]


def worst_errors(study: ApplicationStudy, scheme: str, note: str) -> Markup:
    """What the best run's own page shows of its data and its worst errors."""
    run = study.cells[scheme, 1.0].runs[0]
    kind = KINDS[study.application.curve](
        RunFolder(run.folder), run.record, study.application, Path(run.dataset_dir), note
    )
    html = render(
        kind.template,
        layout="errors_only.html.jinja",
        figures={},
        run=run.record,
        application=study.application,
        is_rival=is_rival(run.record),
        **kind.context,
    )
    return Markup(html)  # made by our own templates, which escape


def paper_boundaries(study: ApplicationStudy) -> list[dict[str, Any]]:
    """Of intima: mean error of LI and MA of every scheme, ours and the paper's."""
    if study.application.curve != "boundary":
        return []
    rows = []
    for scheme in SCHEME_ORDER:
        cell = study.cells.get((scheme, 1.0))
        ours = {name: None if cell is None else float(cell.sample.values[BOUNDARIES.index(name)]) for name in BOXES}
        rows.append({"scheme": scheme, "ours": ours, "paper": INTIMA[scheme]})
    return rows
