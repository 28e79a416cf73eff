"""When a candidate hits a lesion."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.hit_criterion import hit_lesion
from layerwise.records import BoxXYXY, Frame, Lesion


def frame_with_two_lesions() -> Frame:
    mask = np.zeros((20, 30), np.int32)
    mask[2:8, 3:9] = 1
    mask[10:20, 20:30] = 2
    lesions = (Lesion("a", "f", "g", (3, 2, 9, 8), 36), Lesion("b", "f", "g", (20, 10, 30, 20), 100))
    return Frame("f", "g", np.zeros((20, 30, 3), np.uint8), mask, lesions)


@pytest.mark.parametrize(
    ("box", "lesion_id"),
    [
        ((4.0, 3.0, 8.0, 7.0), "a"),
        ((0.0, 0.0, 12.0, 10.0), "a"),  # much larger, same centre: still a hit
        ((8.0, 7.0, 10.0, 9.0), None),  # overlaps a, centre (9, 8) outside
        ((7.9, 6.9, 9.9, 8.9), "a"),  # centre (8.9, 7.9) in a's last pixel
        ((28.0, 18.0, 31.0, 21.0), "b"),  # reaches beyond the frame, centre inside
        ((29.0, 19.0, 33.0, 23.0), None),  # centre outside the frame
        ((-8.0, -6.0, 0.0, 0.0), None),
    ],
)
def test_a_hit_is_a_centre_inside_the_ground_truth(box: BoxXYXY, lesion_id: str | None) -> None:
    lesion = hit_lesion(frame_with_two_lesions(), box)
    assert (lesion.lesion_id if lesion else None) == lesion_id
