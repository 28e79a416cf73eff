"""Curves of several schemes in one figure, with bars at the compared points, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eval.candidates import image_unit
from eval.figures import GREY, SIZE_INCHES, STYLE, plain_log_ticks, svg_text
from eval.froc import FrocCurve, sensitivity_at
from eval.judged import judged_scores
from eval.measured import compared_rates
from eval.paired import interval
from eval.paper_figures import DEEPEST, SCRATCH, Axis, CurveFigure
from eval.scheme_styles import SHARE_LINES, STYLES
from eval.study import ApplicationStudy

CURVE_COLUMNS = ("scheme", "fraction", "what", "rate", "sensitivity", "ci95_low", "ci95_high")


@dataclass(frozen=True)
class Drawn:
    """A figure. caption: says what is missing. columns, rows: the numbers in it."""

    name: str
    svg: str
    caption: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Bar:
    """The sensitivity at a compared rate, with its 95 % interval over groups; None with one group."""

    rate: float
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """One scheme on one share of the training set: the first seed's curve, and bars of the mean over its seeds."""

    scheme: str
    fraction: float
    curve: FrocCurve
    bars: tuple[Bar, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        own = {"scheme": self.scheme, "fraction": self.fraction}
        for rate, value in zip(*corners(self.curve), strict=True):
            yield {**own, "what": "curve", "rate": rate, "sensitivity": value}
        for bar in self.bars:
            ends = {"ci95_low": bar.low, "ci95_high": bar.high}
            yield {**own, "what": "bar", "rate": bar.rate, "sensitivity": bar.value, **ends}


def draw_curves(study: ApplicationStudy, wanted: CurveFigure, note: str) -> Drawn:
    """Reduced figures show every share of the training set that the paper, or somebody, tried."""
    shares = [1.0, *(study.fractions or study.application.reduced_to)] if wanted.reduced else [1.0]
    lines: list[Line] = []
    missing: list[str] = []
    for share in shares:
        for scheme in _schemes(study, wanted, share):
            if (scheme, share) in study.cells:
                lines.append(_line(study, scheme, share, wanted.bars or scheme == study.best(study.samples(""))))
            else:
                missing.append(scheme if not wanted.reduced else f"{scheme} with {100 * share:g} %")
    panels = shares if wanted.panels else [None]
    return Drawn(
        wanted.name,
        _draw(study, wanted, lines, panels, note),
        f"Not drawn, as there is no run: {', '.join(missing)}." if missing else "",
        CURVE_COLUMNS,
        [row for line in lines for row in line.rows()],
    )


def corners(curve: FrocCurve) -> tuple[list[float], list[float]]:
    """The points at which the sensitivity rises, and the last one: the steps lose nothing by it."""
    before = np.concatenate([[0.0], curve.sensitivity[:-1]])
    kept = curve.sensitivity > before
    kept[-1:] = True
    return curve.fps_per_image[kept].tolist(), curve.sensitivity[kept].tolist()


def _schemes(study: ApplicationStudy, wanted: CurveFigure, share: float) -> list[str]:
    """`wanted`'s, with the filling that stands for scratch: the best, on reduced sets the best of those reduced."""
    scratch = study.samples("scratch", min(study.fractions) if wanted.reduced and study.fractions else share)
    filling = study.best(scratch) if scratch else "scratch-xavier"
    return [filling if scheme == SCRATCH else scheme for scheme in wanted.schemes]


def _line(study: ApplicationStudy, scheme: str, share: float, with_bars: bool) -> Line:
    cell = study.cells[scheme, share]
    bars = [
        Bar(rate, float(cell.sample.values[at]), *interval(cell.sample.replicates[:, at]))
        for at, rate in enumerate(compared_rates(study.application))
        if with_bars
    ]
    return Line(scheme, share, judged_scores(cell.runs[0], study.application).curve, tuple(bars))


@matplotlib.rc_context(STYLE)
def _draw(
    study: ApplicationStudy, wanted: CurveFigure, lines: list[Line], panels: list[float] | list[None], note: str
) -> str:
    across = 1 if len(panels) < 4 else 2
    down = -(-len(panels) // across)
    height = SIZE_INCHES[1] if down == 1 else 2.1 * down
    legend_below = len(wanted.schemes) > 6
    figure = Figure(figsize=(SIZE_INCHES[0], height + 1.3 * legend_below + 0.6), layout="constrained")
    figure.suptitle(note, fontsize=9, color=GREY)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    x_label = "1 - specificity (false positive rate)"
    if study.application.curve == "froc":
        x_label = f"false positives per {image_unit(study.application).name}"
    for place, share in enumerate(panels):
        axes: Axes = grid[divmod(place, across)]
        own = [line for line in lines if share in (None, line.fraction)]
        mixed = wanted.reduced and share is None
        for order, line in enumerate(own):
            _add(axes, line, wanted.x_axis, order - (len(own) - 1) / 2, mixed)
        if share is not None:
            axes.set_title(f"{100 * share:g} % of the training set", fontsize=9)
        axes.set(xscale=wanted.x_axis.scale, xlim=(wanted.x_axis.low, wanted.x_axis.high))
        axes.set(ylim=_y_limits(wanted, lines))
        if place // across == down - 1:
            axes.set_xlabel(x_label)
        if place % across == 0:
            axes.set_ylabel("sensitivity")
        if wanted.x_axis.scale == "log":
            plain_log_ticks(axes)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_visible(False)
    entries: dict[str, Any] = {}
    for axes in grid.ravel():
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if entries:
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=2 if len(entries) < 7 else 3,
                      handlelength=3.6, fontsize=8.5)  # fmt: skip
    return svg_text(figure, f"Curves, {wanted.name}")


def _add(axes: Axes, line: Line, axis: Axis, offset: float, mixed: bool) -> None:
    """offset: by how many places the bars stand aside, so that those of two schemes do not cover each other."""
    style = STYLES[line.scheme]
    dashes = style.line
    label = style.short
    if mixed:
        shares = sorted({line.fraction, *(share for share in (1.0, 0.5, 0.25, 0.1, 0.05, 0.01))}, reverse=True)
        dashes = SHARE_LINES[min(shares.index(line.fraction), len(SHARE_LINES) - 1)]
        label = f"{style.short}, {100 * line.fraction:g} %"
    rate, value = corners(line.curve)
    left = axis.low / 10 if axis.scale == "log" else min(axis.low, 0.0)
    axes.step(
        [left, *np.maximum(rate, left), axis.high * 10], [0.0, *value, value[-1] if value else 0.0], where="post",
        color=style.color, linestyle=dashes, linewidth=2.2 if line.scheme == DEEPEST else 1.6,
        marker=style.marker, markevery=[], label=label,
    )  # fmt: skip
    for bar in line.bars:
        if not axis.low <= bar.rate <= axis.high:
            continue
        x = bar.rate * 1.045**offset if axis.scale == "log" else bar.rate + 0.012 * (axis.high - axis.low) * offset
        axes.plot(x, bar.value, marker=style.marker, markersize=5, color=style.color, clip_on=False)
        if bar.low is not None and bar.high is not None:
            ends = [[max(bar.value - bar.low, 0)], [max(bar.high - bar.value, 0)]]
            axes.errorbar(x, bar.value, yerr=ends, color=style.color, capsize=2.5, linewidth=1.0)


def _y_limits(wanted: CurveFigure, lines: list[Line]) -> tuple[float, float]:
    """The paper's, or as far as what is drawn within the x axis reaches."""
    inside = [
        value
        for line in lines
        for bar in line.bars
        if wanted.x_axis.low <= bar.rate <= wanted.x_axis.high
        for value in (bar.value, bar.low, bar.high)
        if value is not None
    ]
    ends = [sensitivity_at(line.curve, wanted.x_axis.high) for line in lines]
    return min([wanted.y_axis.low, *inside]) - 0.01, max([wanted.y_axis.high, *inside, *ends]) + 0.02
