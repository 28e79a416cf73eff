"""A picture of the phantom for people: whole images above, regions with the true boundaries below.

python -m data_prep.intima_phantom.montage --out docs/images/phantom_intima.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from data_prep.intima_phantom.image import Picture, make_picture
from data_prep.intima_phantom.subject import Array, draw_subject
from data_prep.intima_phantom.write import DIFFICULTY
from layerwise.errors import exit_code_main
from layerwise.files import write_bytes

WHOLE_PX, TIMES, N_WHOLE, N_REGIONS = (330, 420), 3, 3, 4
LI_BGR, MA_BGR = (60, 220, 60), (60, 60, 255)  # the colours of the paper's figure 8


def montage(seed: int, difficulty: float) -> Array:
    """(H, W, 3) uint8 BGR, of the first image of N_REGIONS + N_WHOLE subjects."""
    pictures = []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(N_WHOLE + N_REGIONS), start=1):
        body, shot = child.spawn(2)
        subject = draw_subject(np.random.default_rng(body), f"clin_{number:04d}", difficulty)
        pictures.append(make_picture(shot, subject, f"PHANTOM {number:04d}", difficulty))
    above = np.hstack([_whole(picture) for picture in pictures[:N_WHOLE]])
    below = np.hstack([_region(picture) for picture in pictures[N_WHOLE:]])
    width = max(above.shape[1], below.shape[1])
    return np.vstack([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in (above, below)])


def _whole(picture: Picture) -> Array:
    """The image with its region outlined, at most WHOLE_PX (height, width), on black."""
    colour = cv2.cvtColor(picture.image, cv2.COLOR_GRAY2BGR)
    x, y, w, h = picture.rect_xywh_px
    cv2.rectangle(colour, (x - 1, y - 1), (x + w, y + h), (0, 220, 255), 1)
    by = min(WHOLE_PX[0] / colour.shape[0], WHOLE_PX[1] / colour.shape[1])
    small = cv2.resize(colour, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
    return np.pad(small, ((0, WHOLE_PX[0] - small.shape[0]), (0, WHOLE_PX[1] - small.shape[1]), (0, 0)))


def _region(picture: Picture) -> Array:
    """The region enlarged, as it is and with its lines, one above the other."""
    x, y, w, h = picture.rect_xywh_px
    plain = cv2.resize(picture.image[y : y + h, x : x + w], None, fx=TIMES, fy=TIMES, interpolation=cv2.INTER_CUBIC)
    plain = cv2.cvtColor(plain, cv2.COLOR_GRAY2BGR)
    traced = plain.copy()
    for profile, bgr in zip(picture.truth, (LI_BGR, MA_BGR), strict=True):
        points = np.column_stack([profile.x_px - x + 0.5, profile.y_px - y + 0.5]) * TIMES
        cv2.polylines(traced, [np.rint(points).astype(np.int32)], False, bgr, 1, cv2.LINE_AA)
    return np.pad(np.vstack([plain, traced]), ((0, 0), (0, 4), (0, 0)))


@exit_code_main
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data_prep.intima_phantom.montage", description="Picture of it.")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--difficulty", type=float, default=DIFFICULTY)
    given = parser.parse_args()
    good, data = cv2.imencode(".jpg", montage(given.seed, given.difficulty), [cv2.IMWRITE_JPEG_QUALITY, 78])
    assert good, "OpenCV's JPEG encoder refused an 8-bit image"
    write_bytes(given.out, data.tobytes())


if __name__ == "__main__":
    raise SystemExit(main())
