"""The records that travel from raw frames to scores. Units and frames of reference are in the names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BoxXYXY = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; x1 and y1 are exclusive


@dataclass(frozen=True)
class Lesion:
    """A ground-truth object in one frame. The paper counts every polyp frame, so a polyp seen in two frames is two."""

    lesion_id: str
    frame_id: str
    group_id: str
    box_xyxy_px: BoxXYXY
    area_px: int


@dataclass(frozen=True)
class Frame:
    """One image with its truth.

    image_rgb: (H, W, 3) uint8. mask: (H, W) int32, 0 background, k the k-th lesion of `lesions` (1-based).
    group_id: the unit of splitting (for polyps the video).
    """

    frame_id: str
    group_id: str
    image_rgb: np.ndarray
    mask: np.ndarray
    lesions: tuple[Lesion, ...] = field(default=())


@dataclass(frozen=True)
class Candidate:
    """A place proposed before the CNN. label is 1 if it hits a Lesion by the hit criterion, lesion_id then names it."""

    candidate_id: str
    frame_id: str
    group_id: str
    box_xyxy_px: BoxXYXY
    detector_score: float
    label: int
    lesion_id: str = ""


@dataclass(frozen=True)
class PatchTransform:
    """How a patch is cut from a candidate's box (paper, section VI-A; `paper.md` 2A).

    scale: factor on the box side (1.0, 1.2, 1.5). shift_x, shift_y: fractions of the resized box (-0.1, 0, 0.1).
    dihedral: 0-7, the eight mirrorings and quarter turns; 0 is the identity.
    """

    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    dihedral: int = 0
