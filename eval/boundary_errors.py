"""Distance of found boundaries from the expert's, per region, in um: what the paper's figure 9 is drawn from.

    python -m eval.boundary_errors ROIS FOUND --out errors.csv

ROIS is the folder data/intima/<dataset>/rois with rois.csv and the experts' boundaries.csv; FOUND is a CSV of the
latter's columns (handcrafted.csv, say).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.tables import index_by, number, read_table
from layerwise.errors import DataError, exit_code_main
from layerwise.files import write_csv

LINE_COLUMNS = ("roi_id", "column_px", "li_px", "ma_px")
ERROR_COLUMNS = ("roi_id", "group_id", "boundary", "error_um", "signed_um", "expert_um")
BOUNDARIES = ("LI", "MA", "IMT")


@dataclass(frozen=True)
class Lines:
    """Both boundaries of one region. columns_px: (N,) int64, rising; li_px, ma_px: (N,) float64 rows of the image."""

    columns_px: np.ndarray
    li_px: np.ndarray
    ma_px: np.ndarray


@dataclass(frozen=True)
class BoundaryError:
    """One row of errors.csv.

    boundary: LI, MA or IMT (intima-media thickness). signed_um: found minus expert, downwards positive.
    error_um: of a line the mean distance of its rows from the expert's, column by column; of the thickness the
    difference of the means. expert_um: the expert's mean thickness, None for a line.
    """

    roi_id: str
    group_id: str
    boundary: str
    error_um: float
    signed_um: float
    expert_um: float | None = None


def boundary_errors(roi_id: str, group_id: str, pixel_um: float, expert: Lines, found: Lines) -> list[BoundaryError]:
    """LI, MA and IMT of one region.

    Paper, section VI-D: mean distance between the two lines; thickness is the mean vertical distance. chosen: the
    distance is vertical too, as CUBS' far walls hardly lean (1 % at 8 degrees).
    Raises DataError if `found` lacks a column of the expert's, or a row is not finite.
    """
    where = np.searchsorted(found.columns_px, expert.columns_px)
    inside = where < len(found.columns_px)
    there = inside & (found.columns_px[np.where(inside, where, 0)] == expert.columns_px)
    if not there.all():
        raise DataError(
            f"{roi_id}: {int((~there).sum())} of {len(there)} columns were not found (first column "
            f"{int(expert.columns_px[~there][0])}); every column of the expert's lines needs both boundaries."
        )
    errors = []
    for name, truth, rows in (("LI", expert.li_px, found.li_px[where]), ("MA", expert.ma_px, found.ma_px[where])):
        off = (rows - truth) * pixel_um
        if not np.isfinite(off).all():
            raise DataError(f"{roi_id}: {int((~np.isfinite(off)).sum())} rows of {name} are not finite numbers.")
        errors.append(BoundaryError(roi_id, group_id, name, float(np.abs(off).mean()), float(off.mean())))
    thicker = errors[1].signed_um - errors[0].signed_um
    thickness = float((expert.ma_px - expert.li_px).mean() * pixel_um)
    return [*errors, BoundaryError(roi_id, group_id, "IMT", abs(thicker), thicker, thickness)]


def read_lines(path: Path, made_by: str = "python -m data_prep.intima") -> dict[str, Lines]:
    """roi_id -> both boundaries, of a CSV with LINE_COLUMNS. DataError for a column given twice or no number.

    made_by: the command that writes this file, for the message where it is missing.
    """
    of_roi: dict[str, dict[int, tuple[float, float]]] = defaultdict(dict)
    for count, row in enumerate(read_table(path, LINE_COLUMNS, made_by), start=2):
        where = f"{path}, line {count}"
        column = int(number(where, row, "column_px"))
        if column in of_roi[row["roi_id"]]:
            raise DataError(f"{where}: column {column} of {row['roi_id']} comes twice. Keep one of them.")
        of_roi[row["roi_id"]][column] = number(where, row, "li_px"), number(where, row, "ma_px")
    lines = {}
    for roi_id, rows in of_roi.items():
        columns = sorted(rows)
        values = np.array([rows[column] for column in columns])
        lines[roi_id] = Lines(np.array(columns, np.int64), values[:, 0], values[:, 1])
    return lines


def errors_of_split(rois: Path, found: Path, split: str = "test") -> list[BoundaryError]:
    """Errors of every region of one split. DataError if a region has no lines in `found`."""
    rois_csv = rois / "rois.csv"
    rows = read_table(rois_csv, ("roi_id", "group_id", "split", "pixel_um"), "python -m data_prep.intima")
    experts, system = read_lines(rois / "boundaries.csv"), read_lines(found)
    errors = []
    for roi_id, row in index_by(rois_csv, [row for row in rows if row["split"] == split], "roi_id").items():
        for path, lines in ((rois / "boundaries.csv", experts), (found, system)):
            if roi_id not in lines:
                raise DataError(f"{path} has no boundaries of {roi_id}, which {rois_csv} lists as {split}.")
        pixel_um = number(f"{rois_csv}, {roi_id}", row, "pixel_um", low=0)
        errors += boundary_errors(roi_id, row["group_id"], pixel_um, experts[roi_id], system[roi_id])
    return errors


def error_rows(errors: Sequence[BoundaryError]) -> Iterator[dict[str, Any]]:
    """As rows of errors.csv; what is None stays empty."""
    for error in errors:
        yield {column: getattr(error, column) for column in ERROR_COLUMNS}


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m eval.boundary_errors", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("rois", type=Path, help="folder with rois.csv and boundaries.csv")
    parser.add_argument("found", type=Path, help="CSV with roi_id, column_px, li_px, ma_px")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("--out", type=Path, required=True, help="CSV to write; python -m eval.boundary reads it")
    given = parser.parse_args()
    errors = errors_of_split(given.rois, given.found, given.split)
    write_csv(given.out, ERROR_COLUMNS, error_rows(errors))
    print(f"{given.out}: {len(errors) // len(BOUNDARIES)} regions of the {given.split} split")


if __name__ == "__main__":
    raise SystemExit(main())
