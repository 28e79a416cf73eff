"""When to stop training: the validation AUC decides, and the best snapshot is the one to keep.

The paper monitors the validation AUC and stops at its highest value, which is only known afterwards: so
training goes on for `patience` validations beyond the best one, and the snapshot of the best one is the result.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """improved: this is the best so far, keep a snapshot of it. stop: patience is used up."""

    improved: bool
    stop: bool


@dataclass
class EarlyStopping:
    """Counts validations since the best AUC. It touches no file and no clock, so it can be stored and replayed.

    patience: how many validations in a row may pass without a better AUC, at least 1. Counted in validations, not in
    epochs: the loop decides how often it validates, and every validation is one chance to improve.
    """

    patience: int
    best_auc: float | None = None
    best_iteration: int | None = None
    last_iteration: int = -1
    validations_since_best: int = 0

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ValueError(f"patience is {self.patience}, at least 1 validation is needed")

    def update(self, iteration: int, auc: float) -> Decision:
        """Take the AUC measured after `iteration` updates, which must rise from call to call.

        Only a strictly better AUC is an improvement: of two equal ones the earlier snapshot stays, as it is the less
        trained one. Raises ValueError for an AUC outside [0, 1] or an iteration that does not rise.
        """
        if not (math.isfinite(auc) and 0.0 <= auc <= 1.0):
            raise ValueError(f"iteration {iteration}: AUC is {auc}, expected a number in [0, 1]")
        if iteration <= self.last_iteration:
            raise ValueError(f"iteration {iteration} validated after iteration {self.last_iteration}")
        self.last_iteration = iteration
        improved = self.best_auc is None or auc > self.best_auc
        if improved:
            self.best_auc, self.best_iteration, self.validations_since_best = float(auc), iteration, 0
        else:
            self.validations_since_best += 1
        return Decision(improved=improved, stop=self.validations_since_best >= self.patience)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON types; `EarlyStopping(**state)` is the same object again."""
        return asdict(self)
