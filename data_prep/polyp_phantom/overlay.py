"""The processor's screen: the black border round the view, and its text."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.polyp_phantom.fields import Array


@dataclass(frozen=True)
class Screen:
    """view: (H, W) bool, where the picture shows. edge: (H, W) float32, the same, soft. centre: x, y of the axis."""

    view: Array
    edge: Array
    centre: tuple[float, float]
    lines: tuple[tuple[int, int, str], ...]  # x, y of the baseline, text; "{clock}" and "{frame}" are filled in
    colour: tuple[int, int, int]
    scale: float
    start_s: int


def draw_screen(rng: np.random.Generator, shape: tuple[int, int]) -> Screen:
    """An octagon, a rounded rectangle or a cut circle, with text beside or upon it; one per video."""
    height, width = shape
    left = int(rng.choice([0, 0, 8, 40, 78]))
    right = width - int(rng.choice([0, 0, 6]))
    top, bottom = int(rng.integers(0, 8)), height - int(rng.integers(0, 8))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    cx, cy = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = (right - left) / 2, (bottom - top) / 2
    dx, dy = np.abs(x - cx), np.abs(y - cy)
    box = np.maximum(dx - half_x, dy - half_y)
    style = rng.choice(["octagon", "rounded", "circle"], p=[0.5, 0.3, 0.2])
    if style == "octagon":
        cut = rng.uniform(0.28, 0.5) * half_y
        outside = np.maximum(box, (dx + dy - (half_x + half_y - cut)) * 0.7071)
    elif style == "rounded":
        r = rng.uniform(0.15, 0.5) * half_y
        qx, qy = np.maximum(dx - half_x + r, 0), np.maximum(dy - half_y + r, 0)
        outside = np.maximum(box, np.hypot(qx, qy) - r)
    else:
        outside = np.maximum(box, np.hypot(dx, dy) - rng.uniform(1.02, 1.18) * half_y)
    edge = np.clip(0.5 - outside / 1.5, 0, 1).astype(np.float32)

    scale = float(rng.uniform(0.26, 0.34))
    step = round(40 * scale)
    words = [
        f"ID:{rng.integers(10**5, 10**6)}",
        f"{rng.choice(['M', 'F'])}  Age:{rng.integers(31, 88)}",
        f"{rng.integers(1, 29):02d}/{rng.integers(1, 13):02d}/20{rng.integers(8, 16):02d}",
        "{clock}",
        f"CVP:{rng.integers(1, 100)}",
        f"D.F:{rng.integers(1, 90)}",
        "{frame}",
        f"Eh:A{rng.integers(1, 9)} Cm:{rng.integers(1, 4)}",
    ]
    shown = int(rng.integers(2, len(words) + 1)) if left >= 40 else int(rng.integers(0, 4))
    first = int(rng.integers(16, 40)) if left >= 40 else height - 6 - step * shown
    lines = tuple((3, first + step * k, text) for k, text in enumerate(words[:shown]))
    colour = [(235, 235, 235), (240, 240, 120), (150, 230, 150)][int(rng.integers(0, 3))]
    centre = (float(cx + rng.normal(0, 4)), float(cy + rng.normal(0, 4)))
    return Screen(edge > 0, edge, centre, lines, colour, scale, int(rng.integers(8 * 3600, 17 * 3600)))


def compose(image_rgb: Array, screen: Screen, frame: int, frames_per_s: float) -> Array:
    """(H, W, 3) of 0 to 255 inside its border, with the text of frame number `frame` (from 0); the same as uint8."""
    out = np.round(image_rgb * screen.edge[..., None]).astype(np.uint8)
    second = screen.start_s + int(frame / frames_per_s)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    for x, y, text in screen.lines:
        filled = text.format(clock=clock, frame=f"{frame + 1:05d}")
        cv2.putText(out, filled, (x, y), cv2.FONT_HERSHEY_SIMPLEX, screen.scale, screen.colour, 1, cv2.LINE_AA)
    return out
