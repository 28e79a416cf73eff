"""Two measurements of one thing: Bland and Altman's bias and limits of agreement (1986)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LIMITS_SD = 1.96


@dataclass(frozen=True)
class Agreement:
    """Thickness of each region by the expert and as found, (N,) um each, and Bland and Altman's summary of both.

    bias_um: found minus expert. low_um, high_um: limits of agreement, None with one region.
    """

    expert_um: np.ndarray
    found_um: np.ndarray
    bias_um: float
    low_um: float | None
    high_um: float | None


def agreement(expert_um: np.ndarray, signed_um: np.ndarray) -> Agreement:
    """expert_um: (N,). signed_um: (N,) found minus expert."""
    bias = float(signed_um.mean())
    reach = LIMITS_SD * float(signed_um.std(ddof=1)) if len(signed_um) > 1 else None
    return Agreement(
        expert_um=expert_um,
        found_um=expert_um + signed_um,
        bias_um=bias,
        low_um=None if reach is None else bias - reach,
        high_um=None if reach is None else bias + reach,
    )
