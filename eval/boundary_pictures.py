"""The regions with the largest errors, as pictures with both pairs of lines drawn over them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.boundary_errors import Lines
from eval.boundary_evaluation import BoundaryEvaluation
from eval.frame_pictures import png_uri, read_image
from eval.tables import Row
from eval.worst_errors import TILES, TILES_PER_GROUP


@dataclass(frozen=True)
class DrawnRegion:
    """A region of an image. image_uri: "" if its file is not at hand. expert, found: points of an SVG polyline each."""

    roi_id: str
    group_id: str
    li_um: float
    ma_um: float
    image_uri: str
    width_px: int
    height_px: int
    expert: tuple[str, str]
    found: tuple[str, str]


def worst_regions(evaluation: BoundaryEvaluation, dataset_dir: Path) -> list[DrawnRegion]:
    """Those with the largest mean error of both lines, the worst first; of a subject at most TILES_PER_GROUP."""
    taken: Counter[str] = Counter()
    drawn: list[DrawnRegion] = []
    for roi_id in sorted(evaluation.rois, key=lambda roi_id: (-evaluation.line_error_um(roi_id), roi_id)):
        row = evaluation.rois[roi_id]
        if taken[row["group_id"]] < TILES_PER_GROUP and len(drawn) < TILES:
            taken[row["group_id"]] += 1
            drawn.append(_draw(evaluation, roi_id, row, dataset_dir))
    return drawn


def _draw(evaluation: BoundaryEvaluation, roi_id: str, row: Row, dataset_dir: Path) -> DrawnRegion:
    top, bottom, left = int(row["top_px"]), int(row["bottom_px"]), int(row["first_column_px"])
    right = left + int(row["columns"])
    image = read_image(dataset_dir / row["path"])
    of = {error.boundary: error.error_um for error in evaluation.errors if error.roi_id == roi_id}
    return DrawnRegion(
        roi_id=roi_id,
        group_id=row["group_id"],
        li_um=of["LI"],
        ma_um=of["MA"],
        image_uri="" if image is None else png_uri(image[top:bottom, left:right, 0]),
        width_px=right - left,
        height_px=bottom - top,
        expert=_polylines(evaluation.expert[roi_id], left, top),
        found=_polylines(evaluation.found[roi_id], left, top),
    )


def _polylines(lines: Lines, left: int, top: int) -> tuple[str, str]:
    """LI and MA in the region's view, where a pixel's centre lies half a pixel from its edge."""
    columns = lines.columns_px - left + 0.5
    li, ma = (_points(columns, rows - top + 0.5) for rows in (lines.li_px, lines.ma_px))
    return li, ma


def _points(x_px: np.ndarray, y_px: np.ndarray) -> str:
    return " ".join(f"{x:.1f},{y:.2f}" for x, y in zip(x_px.tolist(), y_px.tolist(), strict=True))
