"""The area under the ROC curve of one system, or of two on the same cases, with every interval and test we know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.auc_replicates import auc_replicates
from eval.bootstrap import REPLICATES, redrawn_intervals, redrawn_p
from eval.delong import delong_covariance, normal_interval, normal_p, obuchowski_covariance, placements
from eval.roc import auc


@dataclass(frozen=True)
class Areas:
    """Of S systems. delong, obuchowski: (S, S) covariances of the areas. redrawn: (R, S) areas, None with one group."""

    auc: tuple[float, ...]
    delong: np.ndarray
    obuchowski: np.ndarray
    redrawn: np.ndarray | None

    def intervals(self, system: int) -> dict[str, list[float] | None]:
        """95 % by `delong`, `obuchowski` and `group` (redraws); None for what the cases do not tell.

        An area of 1 (or 0) has none: no redraw could differ from it, and 1 to 1 would look like certainty.
        """
        area = self.auc[system]
        varies = self.redrawn is not None and area not in (0.0, 1.0)
        return {
            "delong": normal_interval(area, float(self.delong[system, system])),
            "obuchowski": normal_interval(area, float(self.obuchowski[system, system])),
            "group": redrawn_intervals(self.redrawn[:, [system]])[0] if varies and self.redrawn is not None else None,
        }

    def comparison(self) -> dict[str, Any]:
        """The second system against the first: difference, its 95 % interval from redraws, and p of the three tests."""
        difference = self.auc[1] - self.auc[0]
        p = {
            f"p_{name}_paired": normal_p(difference, float(of[0, 0] + of[1, 1] - 2 * of[0, 1]))
            for name, of in (("delong", self.delong), ("obuchowski", self.obuchowski))
        }
        redrawn = None if self.redrawn is None else self.redrawn[:, [1]] - self.redrawn[:, [0]]
        return {
            "auc_difference": difference,
            "auc_difference_ci95_group": None if redrawn is None else redrawn_intervals(redrawn)[0],
            **p,
            "p_group_bootstrap": None if redrawn is None else redrawn_p(redrawn)[0],
        }


def areas(
    label: np.ndarray,
    scores: Sequence[np.ndarray],
    group: np.ndarray,
    drawn: np.ndarray | None = None,
    n_replicates: int = REPLICATES,
    seed: int = 0,
) -> Areas:
    """label: (M,) 0 or 1, both there. scores: of each system (M,). group: (M,) 0 .. G - 1, none empty.

    drawn: what a redraw draws, if not the groups themselves (`RocStudy.drawn`). DataError as `roc.auc`.
    """
    of = placements(label, scores)
    drawn = group if drawn is None else drawn
    return Areas(
        auc=tuple(auc(label, score) for score in scores),
        delong=delong_covariance(of),
        obuchowski=obuchowski_covariance(of, label, group),
        redrawn=auc_replicates(label, scores, drawn, n_replicates, seed) if drawn.max() > 0 else None,
    )
