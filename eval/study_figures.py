"""The study's other figures: how good each depth is, boxes of the boundaries' errors, and convergence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eval.boundary import tukey_box
from eval.boundary_figures import AXES_UM
from eval.convergence import CONVERGENCE_COLUMNS, SHOWN, Convergence
from eval.figures import GREY, SIZE_INCHES, STYLE, plain_log_ticks, svg_text
from eval.judged import BOUNDARIES, judged_lines
from eval.paired import interval
from eval.paper_figures import BOXES, CONVERGENCE
from eval.paper_findings import PAPER
from eval.run_results import SCHEME_ORDER
from eval.scheme_styles import STYLES
from eval.study import ApplicationStudy
from eval.study_curves import Drawn

DEPTH_COLUMNS = ("scheme", "headline", "ci95_low", "ci95_high")
BOX_COLUMNS = (
    "scheme",
    "fraction",
    "boundary",
    "mean_um",
    "sd_um",
    "q1",
    "median",
    "q3",
    "whisker_low",
    "whisker_high",
)


@matplotlib.rc_context(STYLE)
def depth_figure(study: ApplicationStudy, note: str) -> Drawn:
    """The headline of every scheme by depth, with 95 % intervals; the depths that the paper names are shaded."""
    figure = Figure(figsize=(SIZE_INCHES[0], 3.9), layout="constrained")
    axes: Axes = figure.subplots()
    axes.set_title(note, fontsize=9, color=GREY)
    rows: list[dict[str, Any]] = []
    named = PAPER[study.application.name].best_depths
    for place, scheme in enumerate(SCHEME_ORDER):
        if scheme in named:
            axes.axvspan(place - 0.5, place + 0.5, color="#eef3f7", zorder=0)
        if (scheme, 1.0) not in study.cells:
            axes.annotate("no run", (place, 0.03), xycoords=("data", "axes fraction"), rotation=90, ha="center",
                          va="bottom", fontsize=8, color=GREY)  # fmt: skip
            continue
        sample = study.cells[scheme, 1.0].sample
        low, high = interval(sample.replicates[:, -1])
        rows.append(dict(zip(DEPTH_COLUMNS, (scheme, sample.headline, low, high), strict=True)))
        style = STYLES[scheme]
        axes.plot(place, sample.headline, marker=style.marker, color=style.color, markersize=7, markeredgewidth=1.8)
        if low is not None and high is not None:
            ends = [[max(sample.headline - low, 0)], [max(high - sample.headline, 0)]]
            axes.errorbar(place, sample.headline, yerr=ends, color=style.color, capsize=3.5, linewidth=1.4)
    names = [STYLES[scheme].short for scheme in SCHEME_ORDER]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8.5)
    axes.set(
        xlim=(-0.6, len(SCHEME_ORDER) - 0.4), ylabel=f"{study.yardstick.headline}{study.yardstick.unit and ', µm'}"
    )
    axes.grid(visible=False, axis="x")
    lacking = [scheme for scheme in SCHEME_ORDER if (scheme, 1.0) not in study.cells]
    caption = f"No run: {', '.join(lacking)}." if lacking else ""
    return Drawn("depth", svg_text(figure, "Headline by depth"), caption, DEPTH_COLUMNS, rows)


def box_figures(study: ApplicationStudy, note: str, fraction: float = 1.0) -> list[Drawn]:
    """The paper's Figure 9: Tukey's boxes of LI and of MA for every scheme, mean and SD printed above.

    Its axis ends at 500 um; how many outliers lie beyond is written there.
    """
    schemes = [scheme for scheme in SCHEME_ORDER if (scheme, fraction) in study.cells]
    errors = {scheme: judged_lines(study.cells[scheme, fraction].runs[0]).errors_um for scheme in schemes}
    lacking = [scheme for scheme in SCHEME_ORDER if scheme not in schemes]
    caption = f"No run: {', '.join(lacking)}." if lacking else ""
    drawn = []
    for boundary, (name, _) in BOXES.items():
        rows = []
        for scheme in schemes:
            values = errors[scheme][:, BOUNDARIES.index(boundary)]
            sd = float(values.std(ddof=1)) if len(values) > 1 else None
            facts = {"fraction": fraction, "boundary": boundary, "mean_um": float(values.mean()), "sd_um": sd}
            rows.append({"scheme": scheme, **facts, **tukey_box(values)})
        tag = "" if fraction == 1 else f"-fraction{fraction:g}"
        kept = [{column: row[column] for column in BOX_COLUMNS} for row in rows]
        drawn.append(Drawn(name + tag, _boxes(rows, boundary, note), caption, BOX_COLUMNS, kept))
    return drawn


@matplotlib.rc_context(STYLE)
def _boxes(rows: Sequence[dict[str, Any]], boundary: str, note: str) -> str:
    figure = Figure(figsize=(SIZE_INCHES[0], 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    axes.set_title(note, fontsize=9, color=GREY, pad=30)
    boxes = [
        {
            "label": STYLES[row["scheme"]].short, "med": row["median"], "q1": row["q1"], "q3": row["q3"],
            "whislo": row["whisker_low"], "whishi": row["whisker_high"], "fliers": row["outliers"],
            "mean": row["mean_um"],
        }
        for row in rows
    ]  # fmt: skip
    axes.bxp(boxes, widths=0.5, showmeans=True, medianprops={"color": "#d55e00", "linewidth": 1.8},
             meanprops={"marker": "D", "markersize": 4, "markerfacecolor": GREY, "markeredgecolor": GREY},
             flierprops={"marker": "+", "markersize": 5})  # fmt: skip
    highest = max((max([row["whisker_high"], *row["outliers"]]) for row in rows), default=1.0)
    top = next((axis for axis in AXES_UM if highest <= axis), AXES_UM[-1])
    for place, row in enumerate(rows, start=1):
        sd = "–" if row["sd_um"] is None else f"{row['sd_um']:.1f}"
        axes.text(place, 1.02 * top, f"{row['mean_um']:.1f}\n±{sd}", ha="center", va="bottom", fontsize=7.5)
        above = sum(value > top for value in row["outliers"])
        if above:
            axes.text(place, 0.99 * top, f"↑{above}", ha="center", va="top", fontsize=8, color=GREY)
    axes.set(ylim=(0, top), ylabel=f"error of {boundary} per region, µm")
    axes.set_xticks(range(1, len(rows) + 1), [box["label"] for box in boxes], rotation=45, ha="right", fontsize=8)
    axes.grid(visible=False, axis="x")
    return svg_text(figure, f"Errors of {boundary}")


def convergence_figure(found: dict[str, Sequence[Convergence]], note: str) -> Drawn:
    """The paper's Figure 10, a panel for each application: tuning all layers and the three fillings of scratch."""
    shown = {name: [run for run in runs if run.scheme in SHOWN] for name, runs in found.items()}
    absent = [
        f"{name} {scheme}" if len(found) > 1 else scheme
        for name, runs in shown.items()
        for scheme in SHOWN
        if scheme not in {run.scheme for run in runs}
    ]
    caption = f"No run: {', '.join(absent)}." if absent else ""
    rows = [{"application": name, **row} for name, runs in found.items() for run in runs for row in run.rows()]
    columns = ("application", *CONVERGENCE_COLUMNS)
    return Drawn(CONVERGENCE[0], _convergence(shown, note), caption, columns, rows)


@matplotlib.rc_context(STYLE)
def _convergence(shown: dict[str, list[Convergence]], note: str) -> str:
    across = 1 if len(shown) == 1 else 2
    down = -(-len(shown) // across)
    figure = Figure(figsize=(SIZE_INCHES[0] * (1 if across == 1 else 1.5), 3.3 * down + 0.8), layout="constrained")
    figure.suptitle(note, fontsize=9, color=GREY)
    grid = figure.subplots(down, across, squeeze=False)
    entries: dict[str, Any] = {}
    for place, (name, runs) in enumerate(shown.items()):
        axes: Axes = grid[divmod(place, across)]
        for run in runs:
            style = STYLES[run.scheme]
            axes.plot(run.curve.validated, run.curve.val_auc, color=style.color, linestyle=style.line,
                      marker=style.marker, markersize=4, label=style.short)  # fmt: skip
            axes.plot(run.iterations_nearly, 0.03, marker=style.marker, color=style.color, markersize=7,
                      transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="#mini-batches", ylabel="validation AUC")
        if len(shown) > 1:
            axes.set_title(name, fontsize=9)
        plain_log_ticks(axes)
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    for axes in grid.ravel()[len(shown) :]:
        axes.set_visible(False)
    if entries:
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2, handlelength=3.6)
    return svg_text(figure, "Convergence")
