"""Figures of a run that traces boundaries: boxes of its errors, and thickness against the expert's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np

from eval.boundary_evaluation import Agreement
from eval.figures import BLUE, GREY, ORANGE, STYLE, new_axes, svg_text

AXES_UM = (100.0, 200.0, 500.0)  # the shortest that holds everything; the last is that of the paper's Figure 9


@matplotlib.rc_context(STYLE)
def box_figure(summaries: Mapping[str, Mapping[str, Any]], note: str) -> str:
    """Tukey's boxes of every boundary, mean and SD printed above, as the paper's Figure 9."""
    figure, axes = new_axes(note)
    highest = max(max([of["box"]["whisker_high"], *of["box"]["outliers"]]) for of in summaries.values())
    top = next((axis for axis in AXES_UM if highest <= axis), 1.05 * highest)
    boxes = [
        {
            "label": name,
            "med": of["box"]["median"],
            "q1": of["box"]["q1"],
            "q3": of["box"]["q3"],
            "whislo": of["box"]["whisker_low"],
            "whishi": of["box"]["whisker_high"],
            "fliers": of["box"]["outliers"],
            "mean": of["mean_um"],
        }
        for name, of in summaries.items()
    ]
    axes.bxp(
        boxes,
        widths=0.45,
        showmeans=True,
        boxprops={"color": BLUE, "linewidth": 1.5},
        whiskerprops={"color": BLUE, "linewidth": 1.2},
        capprops={"color": BLUE, "linewidth": 1.2},
        medianprops={"color": ORANGE, "linewidth": 1.8},
        meanprops={"marker": "D", "markersize": 5, "markerfacecolor": GREY, "markeredgecolor": GREY},
        flierprops={"marker": "+", "markersize": 6, "markeredgecolor": BLUE},
    )
    for place, of in enumerate(summaries.values(), start=1):
        sd = "" if of["sd_um"] is None else f" ± {of['sd_um']:.1f}"
        axes.text(place, 1.01 * top, f"{of['mean_um']:.1f}{sd}", ha="center", va="bottom", fontsize=9)
    axes.set(ylim=(0, 1.12 * top), ylabel="error per region, µm (mean ± SD above)")
    axes.grid(visible=False, axis="x")
    return svg_text(figure, "Boundary errors")


@matplotlib.rc_context(STYLE)
def agreement_figure(agreement: Agreement, note: str) -> str:
    """Bland and Altman's plot of intima-media thickness: difference against mean, bias and limits as lines."""
    figure, axes = new_axes(note)
    off = agreement.found_um - agreement.expert_um
    axes.plot((agreement.found_um + agreement.expert_um) / 2, off, "o", color=BLUE, markersize=4.5, alpha=0.75)
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    lines = [("bias", agreement.bias_um, "-"), ("bias + 1.96 SD", agreement.high_um, "--")]
    for name, at, style in [*lines, ("bias - 1.96 SD", agreement.low_um, "--")]:
        if at is not None:
            axes.axhline(at, color=ORANGE, linewidth=1.4, linestyle=style)
            axes.annotate(
                f"{name}: {at:+.1f}", (1, at), xycoords=("axes fraction", "data"), xytext=(-2, 2),
                textcoords="offset points", ha="right", va="bottom", fontsize=8,
            )  # fmt: skip
    low, high = (agreement.low_um or 0.0), (agreement.high_um or 0.0)
    reach = 1.35 * max(float(np.abs(off).max()), abs(low), abs(high), 1.0)
    axes.set(ylim=(-reach, reach), xlabel="mean of expert and found thickness, µm", ylabel="found - expert, µm")
    return svg_text(figure, "Agreement of intima-media thickness")
