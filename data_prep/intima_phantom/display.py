"""The scanner's picture: log compression, grey map, pixels, and what it writes around and over the echoes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.intima_phantom.anatomy import DEPTH_STEP_MM, WIDTH_STEP_MM, Wall
from data_prep.intima_phantom.subject import Array, Scanner

PULSE_DELAY = 1.0  # in axial sigmas; chosen: the steepest rise of the grey level is then at the interface
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Screen:
    """Where the scanned region lies in the saved picture: pixels left of it, above it, right of it and below it."""

    left: int
    top: int
    right: int
    bottom: int

    def column(self, x_mm: Array, pixel_mm: float) -> Array:
        return self.left + x_mm / pixel_mm - 0.5

    def row(self, z_mm: Array, pixel_mm: float) -> Array:
        return self.top + z_mm / pixel_mm - 0.5


def draw_screen(rng: np.random.Generator) -> Screen:
    left, top, right, bottom = (int(value) for value in rng.integers((6, 18, 40, 4), (40, 50, 90, 30)))
    return Screen(left, top, right, bottom)


def picture(scanner: Scanner, envelope_db: Array, screen: Screen) -> Array:
    """The grey picture (H, W) uint8 without any writing; pixel centres lie at (k + 0.5) * pixel_mm of the region."""
    pixel = scanner.pixel_mm
    height, width = int(scanner.depth_mm / pixel), int(scanner.width_mm / pixel)
    grey = np.clip((envelope_db + scanner.gain_db) / scanner.dynamic_range_db + 0.92, 0, 1) ** scanner.curve
    # A pulse begins at the interface that returns it, so its middle comes later: readers trace the leading edge.
    delay_mm = PULSE_DELAY * scanner.axial_sigma_mm
    # Sample (i, j) lies at (i + 0.5, j + 0.5) steps, pixels likewise. Of two rows per pixel the mean is shown, lest
    # speckle should alias.
    fine = np.array(
        [
            [pixel / WIDTH_STEP_MM, 0, 0.5 * pixel / WIDTH_STEP_MM - 0.5],
            [0, 0.5 * pixel / DEPTH_STEP_MM, (0.25 * pixel - delay_mm) / DEPTH_STEP_MM - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    rows = cv2.warpAffine(
        grey.astype(np.float32), fine, (width, 2 * height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    region = 0.5 * (rows[0::2] + rows[1::2])
    if scanner.sharpen > 0:
        region += scanner.sharpen * (region - cv2.GaussianBlur(region, (0, 0), 2.0))
    whole = np.zeros((screen.top + height + screen.bottom, screen.left + width + screen.right), np.uint8)
    whole[screen.top : screen.top + height, screen.left : screen.left + width] = np.rint(np.clip(region, 0, 1) * 255)
    return whole


def write_over(
    rng: np.random.Generator, image: Array, scanner: Scanner, screen: Screen, title: str, wall: Wall, keep_free: slice
) -> None:
    """Text, depth scale and, in some pictures, calipers across the far wall. In place.

    keep_free: columns of the picture where no caliper may stand, since nobody picks a region under a caliper.
    """
    height, width = image.shape
    right = width - screen.right
    for text, place in (
        (title, (screen.left, 13)),
        (f"{rng.integers(7, 13)} MHz  G{rng.integers(45, 80)}  MI 0.{rng.integers(5, 9)}", (width // 2, 13)),
        (f"{scanner.depth_mm / 10:.1f} cm", (right + 5, height - 8)),
    ):
        cv2.putText(image, text, place, _FONT, 0.36, 190, 1, cv2.LINE_AA)
    for mm in range(0, int(scanner.depth_mm), 5):
        row = int(screen.row(np.array(float(mm)), scanner.pixel_mm)) + 1
        cv2.line(image, (right + 3, row), (right + (9 if mm % 10 == 0 else 5), row), 170, 1)
    focus = int(screen.row(np.array(scanner.focus_mm), scanner.pixel_mm))
    cv2.fillPoly(image, [np.array([[right + 20, focus], [right + 13, focus - 4], [right + 13, focus + 4]])], 150)
    if rng.random() < 0.3:
        _calipers(rng, image, scanner, screen, wall, keep_free)


def _calipers(
    rng: np.random.Generator, image: Array, scanner: Scanner, screen: Screen, wall: Wall, keep_free: slice
) -> None:
    columns = screen.column(wall.x_mm, scanner.pixel_mm)
    free = np.flatnonzero((columns < keep_free.start - 45) | (columns > keep_free.stop + 45))
    if not free.size:
        return
    index = int(rng.choice(free))
    column = round(float(columns[index]))
    for depth in (wall.li_mm[index], wall.ma_mm[index]):
        row = round(float(screen.row(depth, scanner.pixel_mm)))
        cv2.line(image, (column - 4, row), (column + 4, row), 255, 1)
        cv2.line(image, (column, row - 4), (column, row + 4), 255, 1)
    text = f"+ Dist {wall.ma_mm[index] - wall.li_mm[index]:.2f} mm"
    cv2.putText(image, text, (screen.left + 6, image.shape[0] - screen.bottom - 8), _FONT, 0.38, 230, 1, cv2.LINE_AA)
