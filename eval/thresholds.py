"""Scores to falling thresholds, ties together: the one count from which every curve here is derived."""

from __future__ import annotations

import numpy as np


def falling_levels(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct scores, falling, and each score's place among them.

    scores: (M,) float64, finite.
    Returns thresholds (K,) float64, strictly falling, K <= M, and level (M,) int64 with `thresholds[level] == scores`.
    A score is positive at threshold k (score >= threshold) exactly if its level is at most k.
    """
    negated, level = np.unique(-np.asarray(scores, dtype=np.float64), return_inverse=True)
    return -negated, level.reshape(-1)


def counts_at_levels(level: np.ndarray, selected: np.ndarray, n_levels: int) -> np.ndarray:
    """How many of the `selected` (M,) bool score at or above each threshold: (n_levels,) int64, never falling."""
    return np.cumsum(np.bincount(level[selected], minlength=n_levels))
