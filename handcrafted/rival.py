"""What a handcrafted rival is given and what it gives back; each `handcrafted/<application>.py` has one `rate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCORES, BOUNDARIES = "scores.csv", "boundaries.csv"


@dataclass(frozen=True)
class RivalInputs:
    """The same data that a net would see.

    dataset_dir: data/<application>/<dataset>, with its first stage (candidates, frames, rois). source: the raw images.
    database: the folder of the patches; whatever has a row of split train or val in its patches.csv may be fitted on,
    so a rival sees a reduced training set as the nets do. seed: of whatever is random in fitting.
    """

    dataset_dir: Path
    source: Path
    database: Path
    seed: int
    workers: int


@dataclass(frozen=True)
class Rated:
    """A rival's answer for the test split.

    file: SCORES, one row per candidate or frame with the columns that `tools.predict` writes for a patch, or
    BOUNDARIES. facts: what the rival is and what it was fitted on, at least "description" and "fitted_on".
    """

    file: str
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
