"""The pictures of `python -m eval.roc` as SVG text: the same numbers give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eval.figures import BLUE, GREY, ORANGE, SIZE_INCHES, STYLE, svg_text

BESIDE = 0.006  # chosen: bars of two systems at one rate then stand side by side
LOOKS = ({"color": BLUE, "marker": "o", "linestyle": "-"}, {"color": ORANGE, "marker": "s", "linestyle": "--"})


@matplotlib.rc_context(STYLE)
def roc_picture(result: Mapping[str, Any]) -> str:
    """The ROC curve with 95 % bars from redrawn groups; where scores are probabilities, the reliability curve beside.

    result: as `roc_summary.summary`, one system or two.
    """
    systems = [result, result["b"]] if "b" in result else [result]
    names = ("a", "b") if len(systems) > 1 else ("",)
    calibrated = [(system["calibration"], name) for system, name in zip(systems, names, strict=True)]
    has_calibration = all(found is not None for found, _ in calibrated)
    n_panels = 2 if has_calibration else 1
    figure = Figure(figsize=(SIZE_INCHES[0] * n_panels, SIZE_INCHES[1] + 0.6), layout="constrained")
    panels = figure.subplots(1, n_panels, squeeze=False)[0]
    panels[0].set_title(f"{result['n_positive']} positive, {result['n_negative']} negative", fontsize=9, color=GREY)
    panels[0].plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for index, (system, name) in enumerate(zip(systems, names, strict=True)):
        _curve(panels[0], system, f"{name} area {system['auc']:.3f}".strip(), index, len(systems))
    panels[0].set(xlim=(-0.01, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="sensitivity")
    panels[0].legend(loc="lower right")
    if has_calibration:
        draw_reliability(panels[1], [(found["bins"], found["brier"], name) for found, name in calibrated])
    return svg_text(figure, "ROC curve")


@matplotlib.rc_context(STYLE)
def reliability_figure(bins: Sequence[Mapping[str, Any]], brier: float, note: str) -> str:
    """The reliability curve alone. bins: as `calibration.Bin`, as dicts."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    draw_reliability(axes, [(bins, brier, "")])
    axes.set_title(note, fontsize=9, color=GREY)
    return svg_text(figure, "Reliability of the scores")


def draw_reliability(axes: Axes, systems: Sequence[tuple[Sequence[Mapping[str, Any]], float, str]]) -> None:
    """Share of positives against mean score per bin, (bins, Brier score, name) of each system, with their 95 % bars."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for index, (bins, brier, name) in enumerate(systems):
        look = LOOKS[index]
        color, marker, linestyle = look["color"], look["marker"], look["linestyle"]
        filled = [part for part in bins if part["n"]]
        x = [part["mean_score"] for part in filled]
        share = [part["share_positive"] for part in filled]
        axes.plot(x, share, color=color, marker=marker, markersize=5, linestyle=linestyle, clip_on=False,
                  label=f"{name} Brier {brier:.3f}".strip())  # fmt: skip
        for place, part in zip(x, filled, strict=True):
            if part["ci95_group"] is not None:
                axes.vlines(place, *part["ci95_group"], color=color, linewidth=1.2)
            if len(systems) == 1:
                axes.annotate(
                    str(part["n"]), (place, 0.01), ha="center", fontsize=7, color=GREY,
                )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="mean score of the bin", ylabel="share of positives in the bin")
    axes.legend(loc="upper left")


def _curve(axes: Axes, system: Mapping[str, Any], label: str, index: int, n_systems: int) -> None:
    look = LOOKS[index]
    color, linestyle = look["color"], look["linestyle"]
    axes.plot(
        [point["false_positive_rate"] for point in system["points"]],
        [point["sensitivity"] for point in system["points"]],
        color=color, linestyle=linestyle, label=label,
    )  # fmt: skip
    beside = BESIDE * (2 * index - 1) if n_systems > 1 else 0.0
    for name, point in system["sensitivity_at_fpr"].items():
        place = float(name) + beside
        axes.plot(place, point["sensitivity"], marker=look["marker"], markersize=5, color=color, clip_on=False)
        if point["ci95_group"] is not None:
            axes.vlines(place, *point["ci95_group"], color=color, linewidth=1.2)
