"""How a scheme looks in every figure of the study: colours for colour-blind eyes, line and marker for grey ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerwise.schemes import HANDCRAFTED


@dataclass(frozen=True)
class SchemeStyle:
    """color: Okabe and Ito's, or one of Tol's that stays apart from them. line: Matplotlib's dashes."""

    short: str
    color: str
    line: Any
    marker: str


STYLES = {
    "finetune-fc8": SchemeStyle("only fc8", "#e69f00", (0, (1, 1.2)), "v"),
    "finetune-fc7": SchemeStyle("fc7-fc8", "#56b4e9", (0, (6, 2)), "^"),
    "finetune-fc6": SchemeStyle("fc6-fc8", "#009e73", (0, (4, 1.5, 1, 1.5)), "s"),
    "finetune-conv5": SchemeStyle("conv5-fc8", "#cc79a7", (0, (8, 1.5, 1, 1.5, 1, 1.5)), "D"),
    "finetune-conv4": SchemeStyle("conv4-fc8", "#882255", (0, (3, 1.5)), "p"),
    "finetune-conv3": SchemeStyle("conv3-fc8", "#999933", (0, (5, 1, 1, 1, 1, 1)), "h"),
    "finetune-conv2": SchemeStyle("conv2-fc8", "#332288", (0, (10, 2)), "<"),
    "finetune-conv1": SchemeStyle("conv1-fc8", "#0072b2", "-", "o"),
    "scratch-gaussian": SchemeStyle("scratch, Gaussian", "#a04000", (0, (2, 2)), "x"),
    "scratch-xavier": SchemeStyle("scratch, Xavier", "#d55e00", (0, (6, 1.5, 2, 1.5)), "+"),
    "scratch-msra": SchemeStyle("scratch, MSRA", "#f08a5d", (0, (1, 2.5)), "1"),
    HANDCRAFTED: SchemeStyle("handcrafted", "#000000", (0, (1, 1)), "P"),
}
# Of one scheme on several shares of the training set, in one axes: the whole set first.
SHARE_LINES = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (4, 1.5, 1, 1.5)))


def line_style(scheme: str) -> dict[str, Any]:
    """For Axes.plot."""
    style = STYLES[scheme]
    return {"color": style.color, "linestyle": style.line}
