"""All numbers of one run that traces boundaries: errors per region in um, and thickness against the expert's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.agreement import Agreement, agreement
from eval.bootstrap import REPLICATES
from eval.boundary import Errors, summary
from eval.boundary_errors import BOUNDARIES, BoundaryError, Lines, boundary_errors, read_lines
from eval.evaluation import BOOTSTRAP_SEED
from eval.tables import Row, index_by, number, read_table
from layerwise.errors import DataError

ROI_COLUMNS = ("roi_id", "group_id", "split", "path", "pixel_um", "first_column_px", "columns", "top_px", "bottom_px")
DATA_WRITER = "the data preparation (python -m data_prep.intima)"
FOUND_BY = "the tracing of the test regions (python -m tools.predict or tools.handcrafted)"


@dataclass(frozen=True)
class BoundaryEvaluation:
    """What the test split says about a run. rois: rows of rois.csv by id; expert, found: their lines."""

    rois: dict[str, Row]
    expert: dict[str, Lines]
    found: dict[str, Lines]
    errors: list[BoundaryError]
    summaries: dict[str, dict[str, Any]]
    agreement: Agreement

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["group_id"] for row in self.rois.values()))

    def line_error_um(self, roi_id: str) -> float:
        """Mean of both lines' errors of a region."""
        return float(np.mean([e.error_um for e in self.errors if e.roi_id == roi_id and e.boundary in ("LI", "MA")]))

    def summary(self) -> dict[str, Any]:
        """evaluation.json: the numbers that are not a table."""
        of_thickness = self.agreement
        return {
            "split": "test",
            "n_groups": len(self.groups),
            "n_regions": len(self.rois),
            "boundaries": self.summaries,
            "thickness": {
                "bias_um": of_thickness.bias_um,
                "limits_low_um": of_thickness.low_um,
                "limits_high_um": of_thickness.high_um,
            },
            "bootstrap": {"replicates": REPLICATES, "seed": BOOTSTRAP_SEED, "unit": "group"},
        }


def evaluate_boundaries(boundaries_csv: Path, rois_dir: Path) -> BoundaryEvaluation:
    """Evaluate the lines of a run against the experts' of the test regions. DataError where they do not fit."""
    rois_csv, experts_csv = rois_dir / "rois.csv", rois_dir / "boundaries.csv"
    rows = [row for row in read_table(rois_csv, ROI_COLUMNS, DATA_WRITER) if row["split"] == "test"]
    rois = index_by(rois_csv, rows, "roi_id")
    if not rois:
        raise DataError(f"{rois_csv}: no region is in the test split. Take more groups into it.")
    expert, found = read_lines(experts_csv, DATA_WRITER), read_lines(boundaries_csv, FOUND_BY)
    for path, lines in ((experts_csv, expert), (boundaries_csv, found)):
        missing = [roi_id for roi_id in rois if roi_id not in lines]
        if missing:
            raise DataError(
                f"{path} has no boundaries of {len(missing)} of {len(rois)} test regions of {rois_csv}, the first is "
                f"{missing[0]!r}. Trace the test regions of this data set again."
            )
    errors = [
        error
        for roi_id, row in rois.items()
        for error in boundary_errors(
            roi_id,
            row["group_id"],
            number(f"{rois_csv}, {roi_id}", row, "pixel_um", low=0),
            expert[roi_id],
            found[roi_id],
        )
    ]
    summaries = {name: summary(errors_of(errors, name), BOOTSTRAP_SEED) for name in BOUNDARIES}
    return BoundaryEvaluation(rois, expert, found, errors, summaries, agreement_of(errors))


def errors_of(errors: Sequence[BoundaryError], boundary: str) -> Errors:
    """Of one boundary, in the order given."""
    own = [error for error in errors if error.boundary == boundary]
    return Errors(np.array([error.group_id for error in own]), np.array([error.error_um for error in own]))


def agreement_of(errors: Sequence[BoundaryError]) -> Agreement:
    """Of the thickness."""
    own = [error for error in errors if error.boundary == "IMT"]
    expert = np.array([error.expert_um for error in own], dtype=np.float64)
    return agreement(expert, np.array([error.signed_um for error in own]))
