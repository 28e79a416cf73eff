"""When a candidate hits a lesion: one rule, named with every number that depends on it."""

from __future__ import annotations

import numpy as np

from layerwise.records import BoxXYXY, Frame, Lesion

# chosen: the paper (section VI-A) counts a candidate as positive if it lies "inside the polyp ground truth"; whether
# the whole box or its centre is not said. The centre is the reading that does not depend on the size of the box.
# Where a data set has boxes instead of outlines, the ground truth is the box.
HIT_CRITERION = "centre-in-ground-truth"


def hit_lesion(frame: Frame, box_xyxy_px: BoxXYXY) -> Lesion | None:
    """The lesion whose ground truth contains the centre of the box; None, also for a centre outside the frame."""
    x0, y0, x1, y1 = box_xyxy_px
    column, row = int(np.floor((x0 + x1) / 2)), int(np.floor((y0 + y1) / 2))
    height, width = frame.mask.shape
    if not (0 <= row < height and 0 <= column < width):
        return None
    number = int(frame.mask[row, column])
    return frame.lesions[number - 1] if number else None
