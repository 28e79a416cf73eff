"""Holm's correction: several comparisons, one chance of a false alarm for all of them together."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p value adjusted, in the order given: below alpha exactly where Holm's procedure rejects at alpha.

    The smallest of n is multiplied by n, the next by n - 1 and so on; none becomes smaller than one before it, or
    larger than 1. Raises ValueError for what is not in 0 .. 1. Source: Holm 1979.
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"p value {p} found, expected 0 .. 1")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
