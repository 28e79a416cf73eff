"""How two people would trace the far wall: near the truth, each with a leaning of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.intima_phantom.subject import Array, smooth


@dataclass(frozen=True)
class Expert:
    """li_bias_mm, ma_bias_mm: where this person sees an edge, below it if positive. wobble_mm: sd of the hand."""

    name: str
    li_bias_mm: float
    ma_bias_mm: float
    wobble_mm: float


# chosen: two careful readers. They differ by some 25 um on average, about as the observers of CUBS do, and their
# consensus is nearer to the truth than either.
EXPERTS = (Expert("Manual-A1", 0.004, 0.006, 0.016), Expert("Manual-A2", -0.006, -0.004, 0.020))


def trace(rng: np.random.Generator, expert: Expert, li_mm: Array, ma_mm: Array, step_mm: float) -> tuple[Array, Array]:
    """The expert's two lines in mm over the same places as the true ones, `step_mm` apart; MA stays below LI."""
    n, length = li_mm.size, 0.9 / step_mm
    lines = []
    for true, bias in ((li_mm, expert.li_bias_mm), (ma_mm, expert.ma_bias_mm)):
        of_image = rng.normal(0, 0.5 * expert.wobble_mm)
        lines.append(true + bias + of_image + expert.wobble_mm * smooth(rng, n, length))
    return lines[0], np.maximum(lines[1], lines[0] + 0.1)
