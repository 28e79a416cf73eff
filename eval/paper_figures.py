"""Which of the paper's figures show results, of which schemes and on which axes, and what we draw beside them.

Source: Tajbakhsh et al. 2016, captions, axes and legends of Figures 2, 4, 6, 9 and 10. Where it says "training from
scratch" stands the best of the three fillings, or the one that was run on the reduced sets.
"""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.schemes import HANDCRAFTED, SCHEMES

SCRATCH = "scratch"  # stands for whichever filling is shown
DEEPEST = "finetune-conv1"


@dataclass(frozen=True)
class Axis:
    """scale: Matplotlib's name; low, high: its ends."""

    low: float
    high: float
    scale: str = "linear"


@dataclass(frozen=True)
class CurveFigure:
    """One figure of curves. number: the paper's, "" of ours. schemes: on the whole training set, or, where `reduced`,

    on every share of it: in one axes, or in panels of their own. y_axis: at least this; it grows with what is drawn.
    bars: of every scheme, not of the best alone.
    """

    name: str
    number: str
    schemes: tuple[str, ...]
    x_axis: Axis
    y_axis: Axis
    reduced: bool = False
    panels: bool = False
    bars: bool = True


_PAIR = (DEEPEST, SCRATCH)
CURVES: dict[str, tuple[CurveFigure, ...]] = {
    "polyp": (
        CurveFigure(
            "fig2a",
            "2a",
            ("finetune-fc8", "finetune-fc7", "finetune-conv4", DEEPEST, SCRATCH, HANDCRAFTED),
            Axis(1e-4, 1e1, "log"),
            Axis(0, 0.8),
        ),
        CurveFigure("fig2b", "2b", _PAIR, Axis(0.01, 0.1), Axis(0, 0.8), reduced=True),
    ),
    "embolism": (
        CurveFigure(
            "fig4a",
            "4a",
            ("finetune-fc8", "finetune-fc7", "finetune-fc6", DEEPEST, SCRATCH, HANDCRAFTED),
            Axis(0, 10),
            Axis(0, 0.9),
        ),
        CurveFigure("fig4b", "4b", _PAIR, Axis(0, 10), Axis(0, 1), reduced=True, panels=True),
    ),
    "frames": (
        CurveFigure(
            "fig6a",
            "6a",
            ("finetune-fc8", "finetune-conv5", DEEPEST, SCRATCH, HANDCRAFTED),
            Axis(0.05, 0.5),
            Axis(0.5, 1),
        ),
        CurveFigure("fig6b", "6b", _PAIR, Axis(0, 1), Axis(0.5, 1), reduced=True, panels=True),
    ),
    "intima": (),
}
# Ours: every scheme that was run.
ALL_AXES = {"polyp": Axis(1e-3, 1e1, "log"), "embolism": Axis(0, 10), "frames": Axis(0, 1)}
BOXES = {"LI": ("fig9a", "9a"), "MA": ("fig9b", "9b")}
CONVERGENCE = ("fig10", "10")


def all_schemes(application: str) -> CurveFigure | None:
    """Every scheme in one figure; None where there are no curves."""
    axis = ALL_AXES.get(application)
    return None if axis is None else CurveFigure("curves", "", (*SCHEMES, HANDCRAFTED), axis, Axis(0, 1), bars=False)
