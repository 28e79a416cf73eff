"""One picture of one subject, with its region of interest, the truth and the experts' lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.intima_phantom.anatomy import draw_echoes, draw_wall
from data_prep.intima_phantom.display import draw_screen, picture, write_over
from data_prep.intima_phantom.experts import EXPERTS, trace
from data_prep.intima_phantom.speckle import detect
from data_prep.intima_phantom.subject import Array, Subject

ROI_WIDTH_PX, ROI_HEIGHT_PX = 92, 60  # paper, section VI-D


@dataclass(frozen=True)
class Profile:
    """A traced line: x_px (N,) columns rising, not whole numbers; y_px (N,) rows. Pixel centres are whole numbers."""

    x_px: Array
    y_px: Array


@dataclass(frozen=True)
class Picture:
    """image: (H, W) uint8. rect_xywh_px: the region of interest. truth: the true LI and MA; experts: name -> both."""

    image: Array
    rect_xywh_px: tuple[int, int, int, int]
    truth: tuple[Profile, Profile]
    experts: dict[str, tuple[Profile, Profile]]


def make_picture(seed: np.random.SeedSequence, subject: Subject, title: str, difficulty: float) -> Picture:
    """Everything of one image; each part draws from its own child of the seed."""
    body, beam, screen_rng, place, hands = (np.random.default_rng(child) for child in seed.spawn(5))
    scanner, pixel = subject.scanner, subject.scanner.pixel_mm
    wall = draw_wall(body, subject, difficulty)
    screen = draw_screen(screen_rng)
    envelope = detect(beam, scanner, draw_echoes(body, subject, wall, difficulty))
    image = picture(scanner, envelope, screen)
    width = int(scanner.width_mm / pixel)
    # An examiner picks a straight piece, away from the edges of the picture.
    first = screen.left + int(place.integers(width // 8, width - width // 8 - ROI_WIDTH_PX))
    x_px = np.arange(first, first + ROI_WIDTH_PX)
    li, ma = (
        np.interp(x_px, screen.column(wall.x_mm, pixel), screen.row(curve, pixel)) for curve in (wall.li_mm, wall.ma_mm)
    )
    middle = (li.min() + ma.max()) / 2 + place.integers(-5, 6)
    rect = (first, round(float(middle) - ROI_HEIGHT_PX / 2), ROI_WIDTH_PX, ROI_HEIGHT_PX)
    write_over(screen_rng, image, scanner, screen, title, wall, slice(first, first + ROI_WIDTH_PX))
    experts = {}
    for expert in EXPERTS:
        # Each begins and ends elsewhere and clicks between pixels.
        x = np.arange(first - int(hands.integers(1, 9)), first + ROI_WIDTH_PX + int(hands.integers(1, 9)))
        x = x + hands.uniform(-0.4, 0.4)
        mm = [np.interp(x, screen.column(wall.x_mm, pixel), curve) for curve in (wall.li_mm, wall.ma_mm)]
        lines = trace(hands, expert, mm[0], mm[1], pixel)
        experts[expert.name] = tuple(Profile(x, screen.row(line, pixel)) for line in lines)
    return Picture(image, rect, (Profile(x_px, li), Profile(x_px, ma)), experts)
