"""The figures of one run as SVG text: the same numbers give the same bytes.

Colours are Okabe and Ito's, which stay apart for colour-blind eyes; line style and marker tell the curves apart in
grey. Text stays text, so that it can be searched and read aloud.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from eval.froc import FrocCurve
from eval.operating_points import OperatingPoint
from eval.roc import RocCurve

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#6e6e6e"
SIZE_INCHES = (5.6, 3.7)  # chosen: 400 px of a phone then still show letters of 9 px

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "layerwise",
}


@dataclass(frozen=True)
class RateAxis:
    """The x axis of a FROC curve. scale: Matplotlib's name."""

    scale: str
    low: float
    high: float


# Per image unit. Frames: 0.001 to 10, with room for the marks at the ends; the paper's Figure 2a goes one decade
# further down. Volumes: its Figure 4a.
RATE_AXES = {"frame": RateAxis("log", 7e-4, 1.3e1), "volume": RateAxis("linear", 0.0, 10.0)}


@dataclass(frozen=True)
class TrainCurve:
    """train.csv as arrays: iteration and loss (N,), and the V iterations that were validated with their AUC (V,)."""

    iteration: np.ndarray
    loss: np.ndarray
    validated: np.ndarray
    val_auc: np.ndarray
    best_iteration: int | None


@matplotlib.rc_context(STYLE)
def froc_figure(
    curve: FrocCurve,
    points: Sequence[OperatingPoint],
    detector: FrocCurve | None,
    n_images: int,
    image: str,
    note: str,
    label: str = "net",
) -> str:
    """Sensitivity against false positives per image, as the paper's Figures 2a and 4a.

    points: where the 95 % bars stand; the one at rate inf gives the ceiling. detector: the curve of the same
    candidates ranked by the detector's own score; None if that is what `curve` is. image: what the application calls
    one (frame, volume). label: of `curve`. Left of 1 / n_images a rate means no false positive at all; on a log axis
    that part is shaded.
    """
    figure, axes = new_axes(note)
    axis = RATE_AXES[image]
    label_at = axis.low * 1.1 if axis.scale == "log" else axis.low + 0.01 * (axis.high - axis.low)
    if axis.scale == "log" and 1 / n_images > axis.low:
        axes.axvspan(axis.low, 1 / n_images, color="#f2f2f2", zorder=0)
        axes.text(label_at, 1.1, f"none in {n_images} {image}s", va="top", fontsize=8, color=GREY)
    ceiling = next(point.sensitivity for point in points if np.isinf(point.fps_per_image))
    axes.axhline(ceiling, color=GREY, linewidth=1.2, linestyle=(0, (1, 1.5)))
    above = ceiling < 0.9
    axes.annotate(
        "detector's ceiling: all its candidates", (label_at, ceiling), xytext=(0, 3 if above else -3),
        textcoords="offset points", va="bottom" if above else "top", fontsize=8, color=GREY,
    )  # fmt: skip
    _froc_steps(axes, curve, axis, color=BLUE, label=label)
    if detector is not None:
        _froc_steps(axes, detector, axis, color=GREY, linewidth=1.2, linestyle="--", label="detector's own score")
    _bars(axes, [point for point in points if np.isfinite(point.fps_per_image)])
    axes.set(xscale=axis.scale, xlim=(axis.low, axis.high), xlabel=f"false positives per {image}")
    axes.set(ylim=(0, 1.12), ylabel="sensitivity per lesion")
    if axis.scale == "log":
        plain_log_ticks(axes)
    # Curves rise to the right and end at the ceiling: under a low one there is no room, but above it.
    axes.legend(loc="upper right" if ceiling < 0.7 else "lower right")
    return svg_text(figure, "FROC curve")


@matplotlib.rc_context(STYLE)
def roc_figure(curves: Sequence[tuple[str, RocCurve]], note: str, points: Sequence[OperatingPoint] = ()) -> str:
    """True against false positive rate, one curve per (legend text, curve), at most two.

    points: where the 95 % bars of the first curve stand.
    """
    figure, axes = new_axes(note)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for (label, curve), color, style in zip(curves, (BLUE, ORANGE), ("-", "--"), strict=False):
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=color, linestyle=style, label=label)
    _bars(axes, points)
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(loc="lower right")
    return svg_text(figure, "ROC curves")


@matplotlib.rc_context(STYLE)
def convergence_figure(train: TrainCurve, note: str) -> str:
    """Validation AUC and training loss against mini-batches on a log axis, as the paper's Figure 10."""
    figure = Figure(figsize=(SIZE_INCHES[0], 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.suptitle(note, fontsize=9, color=GREY)
    above.plot(train.validated, train.val_auc, color=BLUE, marker="o", markersize=4)
    above.set(ylabel="validation AUC", ylim=(min(0.5, float(train.val_auc.min(initial=1.0))) - 0.02, 1.02))
    below.plot(train.iteration, train.loss, color=ORANGE, linewidth=0.7, alpha=0.45, label="each mini-batch")
    below.plot(
        *_mean_between(train),
        color=ORANGE,
        marker="s",
        markersize=3.5,
        linestyle="--",
        label="mean since last validation",
    )
    below.set(ylabel="training loss", xlabel="mini-batches", xscale="log", ylim=(0, None))
    below.legend(loc="lower left")
    if train.best_iteration is not None:
        for axes in (above, below):
            axes.axvline(train.best_iteration, color=GREEN, linewidth=1.2, linestyle=(0, (5, 2)))
        above.annotate(
            f"kept: {train.best_iteration}", (train.best_iteration, 0.03), xycoords=("data", "axes fraction"),
            xytext=(-5, 0), textcoords="offset points", ha="right", fontsize=9, color=GREEN,
        )  # fmt: skip
    plain_log_ticks(below)
    return svg_text(figure, "Convergence")


def inline(svg: str, prefix: str) -> str:
    """The <svg> element of a figure for a page that holds several: every id gets the prefix, the header goes."""
    element = svg[svg.index("<svg") :]
    return re.sub(r'((?:\bid=")|(?:href="#)|(?:url\(#))', rf"\g<1>{prefix}-", element)


def new_axes(note: str) -> tuple[Figure, Axes]:
    """A figure of one plot; note: stands above it."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_title(note, fontsize=9, color=GREY)
    return figure, axes


def _froc_steps(axes: Axes, curve: FrocCurve, axis: RateAxis, **style: Any) -> None:
    """The curve as it is read: between two points the lower one holds. Rate 0, on a log axis, enters from the left."""
    left = axis.low / 10
    axes.step(
        np.concatenate([[left], np.maximum(curve.fps_per_image, left)]),
        np.concatenate([[0.0], curve.sensitivity]),
        where="post",
        **style,
    )
    if len(curve.thresholds):
        axes.plot(curve.fps_per_image[-1], curve.sensitivity[-1], marker="|", markersize=9, color=style["color"])


def _bars(axes: Axes, points: Sequence[OperatingPoint]) -> None:
    for point in points:
        axes.plot(point.fps_per_image, point.sensitivity, marker="o", markersize=5, color=BLUE, clip_on=False)
        if point.ci95_low is not None and point.ci95_high is not None:
            below, above = point.sensitivity - point.ci95_low, point.ci95_high - point.sensitivity
            axes.errorbar(
                point.fps_per_image, point.sensitivity, yerr=[[max(below, 0)], [max(above, 0)]], color=BLUE,
                capsize=4, linewidth=1.2, clip_on=False,
            )  # fmt: skip


def _mean_between(train: TrainCurve) -> tuple[np.ndarray, np.ndarray]:
    """The mean loss of the mini-batches since the validation before, at each validation that has any."""
    edges = np.searchsorted(train.iteration, train.validated, side="right")
    starts = np.concatenate([[0], edges[:-1]])
    means = [(at, train.loss[a:b].mean()) for at, a, b in zip(train.validated, starts, edges, strict=True) if b > a]
    return np.array([at for at, _ in means]), np.array([mean for _, mean in means])


def plain_log_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def svg_text(figure: Figure, title: str) -> str:
    """The figure as SVG, without a date."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    return out.getvalue()
