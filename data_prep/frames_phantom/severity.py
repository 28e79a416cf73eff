"""What spoils which frame, and by how much: the label comes first, then a mixture that an expert would label so.

Severity runs from 0 (not there) to 1 (nothing can be seen); at BORDER an expert could say either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Paper, section VI-C and Figure 5: fast motion and wall contact. The others are what endoscopists name besides.
KINDS: tuple[str, ...] = ("defocus", "motion", "contact", "bubbles", "water", "stool", "bright", "dark")
_FREQUENCY = (1.6, 2.2, 2.2, 1.0, 1.0, 1.0, 0.6, 0.7)
BORDER = 0.5
CLEAN = 0.25  # chosen: share of the informative frames without any fault worth the name


@dataclass(frozen=True)
class Spoilt:
    """One frame's label and what is wrong with it. main: the kind with the largest severity, "" if none matters."""

    informative: bool
    severity: Mapping[str, float]

    @property
    def main(self) -> str:
        worst = max(self.severity, key=lambda kind: self.severity[kind], default="")
        return worst if worst and self.severity[worst] > 0.1 else ""


def draw_spoilt(rng: np.random.Generator, n: int, difficulty: float) -> list[Spoilt]:
    """n frames of one video in their order; every video has its own mixture of faults, and about half is informative.

    The harder, the more frames lie near the border and beyond it, and the more the border differs from video to video
    and from fault to fault: no two experts draw it alike, and one who minds stool may not mind foam.
    """
    mixture = rng.dirichlet(3 * np.array(_FREQUENCY) / np.mean(_FREQUENCY))
    tolerance = dict(zip(KINDS, rng.normal(0, 0.16 * difficulty, len(KINDS)).tolist(), strict=True))
    share = rng.uniform(0.44, 0.56)
    labels = rng.permutation(np.arange(n) < round(share * n))
    return [_draw_one(rng, bool(label), mixture, tolerance, difficulty) for label in labels]


def _draw_one(
    rng: np.random.Generator, informative: bool, mixture: np.ndarray, tolerance: Mapping[str, float], difficulty: float
) -> Spoilt:
    first, second = (KINDS[k] for k in rng.choice(len(KINDS), 2, replace=False, p=mixture))
    if informative and rng.random() < CLEAN:
        total = rng.uniform(0.0, 0.12)
    else:
        # From the border (0) to the end of its side (1).
        away = rng.beta(0.7 + 1.3 * (1 - difficulty), 1.2 + 1.6 * difficulty)
        total = BORDER * (1 - 0.9 * away) if informative else BORDER + (1 - BORDER) * away
        total += tolerance[first] + rng.normal(0, 0.22 * difficulty)
    total = float(np.clip(total, 0.0, 1.0))
    severity = {first: total}
    if rng.random() < 0.45 and {first, second} != {"bright", "dark"}:
        severity = {first: 0.92 * total, second: float(rng.uniform(0.2, 0.6)) * total}
    return Spoilt(informative, severity)
