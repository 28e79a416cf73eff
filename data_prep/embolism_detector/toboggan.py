"""Tobogganing: every voxel slides to its lowest neighbour until it comes to rest; those that meet are one basin."""

from __future__ import annotations

import itertools

import numpy as np

_STEPS = [step for step in itertools.product((-1, 0, 1), repeat=3) if step != (0, 0, 0)]


def toboggan(height: np.ndarray, inside: np.ndarray, depth: float) -> np.ndarray:
    """Basin of every voxel, int32 of the volume's shape: 0 outside, 1 to K inside.

    height: (z, y, x) float32. inside: bool. Two basins become one if from the lesser of them the way over to the other
    rises by less than `depth` above its lowest point, the shallowest first. Equal heights slide to the voxel that is
    first in memory, so that the outcome is fixed.
    """
    padded = np.pad(inside, 1)
    flat = np.flatnonzero(padded)
    number = np.full(padded.size, -1, np.int64)
    number[flat] = np.arange(len(flat))
    level = np.pad(height, 1).ravel()[flat]
    rank = np.empty(len(flat), np.int64)
    rank[np.lexsort((np.arange(len(flat)), level))] = np.arange(len(flat))
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    lowest, lowest_rank = np.arange(len(flat)), rank.copy()
    for step in _STEPS:
        other = number[flat + int(strides @ step)]
        lower = (other >= 0) & (rank[other] < lowest_rank)
        lowest[lower], lowest_rank[lower] = other[lower], rank[other[lower]]
    while True:
        further = lowest[lowest]
        if np.array_equal(further, lowest):
            break
        lowest = further
    rest, basin = np.unique(lowest, return_inverse=True)
    merged = _merge(basin, level, level[rest], _passes(flat, number, strides, basin, level), depth)
    out = np.zeros(padded.size, np.int32)
    out[flat] = merged[basin] + 1
    return out.reshape(padded.shape)[1:-1, 1:-1, 1:-1]


def _passes(
    flat: np.ndarray, number: np.ndarray, strides: np.ndarray, basin: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbouring basins (P, 2), and the height of the lowest way over between them (P,)."""
    pairs, heights = [], []
    for step in _STEPS[: len(_STEPS) // 2]:
        other = number[flat + int(strides @ step)]
        here = np.flatnonzero((other >= 0) & (basin[other] != basin))
        pairs.append(np.sort(np.stack([basin[here], basin[other[here]]], axis=1), axis=1))
        heights.append(np.maximum(level[here], level[other[here]]))
    every, top = np.concatenate(pairs), np.concatenate(heights)
    order = np.lexsort((top, every[:, 1], every[:, 0]))
    every, top = every[order], top[order]
    first = np.ones(len(every), bool)
    first[1:] = np.any(every[1:] != every[:-1], axis=1)
    return every[first], top[first]


def _merge(
    basin: np.ndarray, level: np.ndarray, bottom: np.ndarray, passes: tuple[np.ndarray, np.ndarray], depth: float
) -> np.ndarray:
    """For each basin the number, from 0, of what it became part of. Passes are crossed from the lowest up."""
    parent = np.arange(len(bottom))
    low = bottom.copy()

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = int(parent[k])
        return k

    pairs, heights = passes
    for index in np.argsort(heights, kind="stable"):
        a, b = root(int(pairs[index, 0])), root(int(pairs[index, 1]))
        if a != b:
            lesser, deeper = (a, b) if low[a] > low[b] else (b, a)
            if heights[index] - low[lesser] < depth:
                parent[lesser] = deeper
    roots = np.array([root(k) for k in range(len(parent))])
    return np.unique(roots, return_inverse=True)[1]
