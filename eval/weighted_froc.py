"""One FROC curve read under many weightings of its groups, without building a curve for each.

A redraw of groups, and an exchange of groups between two systems, are weights: a group drawn twice weighs 2. Candidates
are sorted once. Sums over whole blocks of them come from one matrix product, and only the block in which the answer
lies is looked at candidate by candidate.
"""

from __future__ import annotations

import numpy as np

from eval.froc import Matches
from eval.thresholds import falling_levels

BLOCK_EVENTS = 256  # chosen: product and single block then cost about the same with 100,000 candidates
LARGEST_TABLE = 1 << 22  # chosen: numbers in the table of a block's sums (32 MB); with many groups blocks grow instead


class WeightedFroc:
    """The candidates of a study, sorted.

    matches: M candidates. group: (M,) int, the group 0 .. n_groups - 1 of each. All candidates of one lesion must be in
    one group: then which of them finds it first does not depend on the weights.
    """

    def __init__(self, matches: Matches, group: np.ndarray, n_groups: int) -> None:
        thresholds, level = falling_levels(matches.score)
        order = np.argsort(level, kind="stable")
        sizes = np.bincount(level, minlength=len(thresholds))
        self._level_ends = np.concatenate([[0], np.cumsum(sizes)])  # how many candidates each threshold accepts
        self._false = _Events(np.flatnonzero(matches.false[order]), group[order], n_groups)
        self._found = _Events(np.flatnonzero(matches.first_hits[order]), group[order], n_groups)

    def sensitivity_at(
        self, weights: np.ndarray, lesions: np.ndarray, images: np.ndarray, fps_per_image: np.ndarray
    ) -> np.ndarray:
        """(R, T): the largest sensitivity with at most each of T rates, under each of R weightings.

        weights: (R, G), not negative. lesions, images: (R,), weighted counts. NaN where either is 0.
        """
        false, found = self._false.weighted(weights), self._found.weighted(weights)
        result = np.full((len(weights), len(fps_per_image)), np.nan)
        for column, rate in enumerate(fps_per_image):
            accepted = self._whole_levels(false.before_exceeding(images, rate))
            hits = found.count(accepted)
            np.divide(hits, lesions, out=result[:, column], where=(lesions > 0) & (images > 0))
        return result

    def fps_per_image_at(
        self, weights: np.ndarray, lesions: np.ndarray, images: np.ndarray, sensitivity: np.ndarray
    ) -> np.ndarray:
        """(R, S): the smallest rate with at least each of S sensitivities in (0, 1]; inf where none reaches it.

        Arguments and NaN as in `sensitivity_at`.
        """
        false, found = self._false.weighted(weights), self._found.weighted(weights)
        result = np.full((len(weights), len(sensitivity)), np.nan)
        for column, wanted in enumerate(sensitivity):
            short = found.before_exceeding(lesions, np.nextafter(wanted, 0))
            reached = short < self._level_ends[-1]
            accepted = self._level_ends[np.searchsorted(self._level_ends, short + reached)]
            rate = np.divide(
                false.count(accepted), images, out=result[:, column].copy(), where=(lesions > 0) & (images > 0)
            )
            result[:, column] = np.where(reached | np.isnan(rate), rate, np.inf)
        return result

    def _whole_levels(self, accepted: np.ndarray) -> np.ndarray:
        """The largest number of candidates, at most `accepted`, that some threshold accepts."""
        return self._level_ends[np.searchsorted(self._level_ends, accepted, side="right") - 1]


class _Events:
    """The candidates of one kind (false positives, first hits): position (E,) in the sorted list, and group."""

    def __init__(self, position: np.ndarray, group: np.ndarray, n_groups: int) -> None:
        self.position = position
        self.n_candidates = len(group)
        n_events = len(position)
        self.block = max(BLOCK_EVENTS, -(-n_events * n_groups // LARGEST_TABLE))
        n_blocks = -(-n_events // self.block)
        # Padded to whole blocks with a group that nobody has: it weighs 0.
        self.group = np.full(max(n_blocks, 1) * self.block, n_groups, dtype=np.int64)
        self.group[:n_events] = group[position]
        flat = np.bincount(
            np.arange(n_events) // self.block * n_groups + group[position], minlength=n_blocks * n_groups
        )
        self.table = np.zeros((n_blocks + 1, n_groups))  # row k: each group's events in the first k blocks
        np.cumsum(flat.reshape(n_blocks, n_groups), axis=0, out=self.table[1:])

    def weighted(self, weights: np.ndarray) -> _WeightedEvents:
        return _WeightedEvents(self, weights)


class _WeightedEvents:
    """Sums of weights over the events, for R weightings at once."""

    def __init__(self, events: _Events, weights: np.ndarray) -> None:
        self._events = events
        self._before_block = weights @ events.table.T  # (R, blocks + 1)
        self._weights = np.concatenate([weights, np.zeros((len(weights), 1))], axis=1)
        self._row = np.arange(len(weights))

    def count(self, accepted: np.ndarray) -> np.ndarray:
        """(R,) weighted number of events among the first `accepted` (R,) candidates."""
        n_events = np.searchsorted(self._events.position, accepted)
        block, rest = np.divmod(n_events, self._events.block)
        full = self._before_block[self._row, block]
        inside = self._running_sums(np.minimum(block, len(self._events.group) // self._events.block - 1))
        return full + np.where(rest > 0, inside[self._row, rest - 1], 0.0)

    def before_exceeding(self, units: np.ndarray, limit: float) -> np.ndarray:
        """(R,) how many candidates can be accepted before events / units exceeds `limit`; units: (R,)."""
        divisor = np.maximum(units, 1)
        n_whole = np.count_nonzero(self._before_block / divisor[:, None] <= limit, axis=1) - 1
        block = np.clip(n_whole, 0, len(self._events.group) // self._events.block - 1)
        inside = self._before_block[self._row, block, None] + self._running_sums(block)
        n_events = block * self._events.block + np.count_nonzero(inside / divisor[:, None] <= limit, axis=1)
        ends = np.append(self._events.position, self._events.n_candidates)
        return ends[np.minimum(n_events, len(self._events.position))]

    def _running_sums(self, block: np.ndarray) -> np.ndarray:
        """(R, block size) sums of weights within one block per weighting."""
        groups = self._events.group.reshape(-1, self._events.block)[block]
        return np.cumsum(np.take_along_axis(self._weights, groups, axis=1), axis=1)
