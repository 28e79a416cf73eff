"""One picture of the phantom for the documentation: informative frames above, one of every fault below."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from data_prep.frames_phantom.severity import KINDS
from data_prep.frames_phantom.video import render_video
from data_prep.frames_phantom.write import plan_videos
from data_prep.polyp_phantom.fields import Array
from layerwise.files import write_bytes

COLUMNS = 4
CELL = (250, 175)  # width, height


def write_montage(path: Path, seed: int, difficulty: float) -> None:
    """Frames of the demonstration's videos in turn: four informative ones, then the worst kinds, then nothing twice."""
    wanted = [*[""] * COLUMNS, *KINDS]
    found: dict[int, Array] = {}
    for number, plan in enumerate(plan_videos(seed, "demo", difficulty)):
        for image_rgb, spoilt in render_video(plan):
            severity = max(spoilt.severity.values())
            free = [place for place in range(len(wanted)) if place not in found]
            place = next((p for p in free if _fits(wanted[p], spoilt.informative, spoilt.main, severity)), None)
            if place is not None and (place >= COLUMNS or place == number):
                found[place] = image_rgb
        if len(found) == len(wanted):
            break
    cells = [_cell(found[place], wanted[place] or "informative") for place in sorted(found)]
    rows = [np.hstack(cells[k : k + COLUMNS]) for k in range(0, len(cells), COLUMNS)]
    good, data = cv2.imencode(path.suffix, np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert good, "OpenCV's encoder refused an 8-bit RGB image"
    write_bytes(path, data.tobytes())


def _fits(wanted: str, informative: bool, main: str, severity: float) -> bool:
    return (informative and severity < 0.4) if not wanted else (not informative and main == wanted and severity > 0.6)


def _cell(image_rgb: Array, text: str) -> Array:
    cell = cv2.resize(image_rgb, CELL, interpolation=cv2.INTER_AREA)
    cv2.putText(cell, text, (6, CELL[1] - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(cell, text, (6, CELL[1] - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return cell
