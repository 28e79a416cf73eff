"""The FROC curves of `python -m eval.froc` as SVG text: the same numbers give the same bytes."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from eval.figures import BLUE, ORANGE, STYLE, new_axes, svg_text

APART = 1.04  # chosen: bars of two systems at one rate then stand side by side


@matplotlib.rc_context(STYLE)
def froc_picture(result: dict[str, Any]) -> str:
    """Sensitivity against false positives per image, on a log axis around the rates asked for.

    result: as `froc_summary.summary`, one system or two. Bars: 95 %, from redrawn groups. Between two points the lower
    one holds, and a curve ends where all its candidates are accepted.
    """
    figure, axes = new_axes(f"{result['n_lesions']} lesions, {result['n_images']} images")
    rates = [float(rate) for rate in result["sensitivity_at"] if float(rate) > 0]
    low, high = (min(rates) / 2, max(rates) * 2) if rates else (0.01, 10.0)
    if "b" in result:
        _curve(axes, result, low, 1 / APART, color=BLUE, marker="o", linestyle="-", label="a")
        _curve(axes, result["b"], low, APART, color=ORANGE, marker="s", linestyle="--", label="b")
        axes.legend(loc="lower right")
    else:
        _curve(axes, result, low, 1.0, color=BLUE, marker="o", linestyle="-", label=None)
    axes.set(xscale="log", xlim=(low, high), ylim=(0, 1.02))
    axes.set(xlabel="false positives per image", ylabel="sensitivity per lesion")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return svg_text(figure, "FROC curve")


def _curve(
    axes: Axes,
    system: dict[str, Any],
    low: float,
    beside: float,
    color: str,
    marker: str,
    linestyle: str,
    label: str | None,
) -> None:
    """beside: bars and marks stand at this times their rate."""
    left = low / 10  # outside the axis: rate 0 enters from there
    rate = np.array([point["fps_per_image"] for point in system["points"]])
    sensitivity = [point["sensitivity"] for point in system["points"]]
    axes.step(
        [left, *np.maximum(rate, left)],
        [0.0, *sensitivity],
        where="post",
        color=color,
        linestyle=linestyle,
        label=label,
    )
    if len(rate):
        axes.plot(rate[-1], sensitivity[-1], marker="|", markersize=9, color=color)
    bars = system["ci95_group"]["sensitivity_at"] if system["ci95_group"] else {}
    for name, value in system["sensitivity_at"].items():
        if float(name) <= 0:
            continue
        place = beside * float(name)
        axes.plot(place, value, marker=marker, markersize=5, color=color, clip_on=False)
        if None not in bars.get(name, [None]):
            start, end = bars[name]
            axes.vlines(place, start, end, color=color, linewidth=1.2, linestyle=linestyle)
