"""What lies where in the neck: the wall's boundaries as curves, and the strength of the echo everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.intima_phantom.subject import Array, Subject, smooth

DEPTH_STEP_MM, WIDTH_STEP_MM = 0.03, 0.08  # chosen: about three samples per axial and lateral sigma of the beam


@dataclass(frozen=True)
class Wall:
    """Depths in mm over x_mm (X,): boundaries of the near and far wall, from above down."""

    x_mm: Array
    near_ma_mm: Array
    near_li_mm: Array
    li_mm: Array
    ma_mm: Array


@dataclass(frozen=True)
class Echoes:
    """level_db: (Z, X) float32, of scattering. ordered: (Z, X) float32 in [0, 1], the part that returns in step, as
    from a mirror, instead of at random."""

    level_db: Array
    ordered: Array


def draw_wall(rng: np.random.Generator, subject: Subject, difficulty: float) -> Wall:
    """The artery as this image cuts it: its own tilt, bend and phase of the pulse, the subject's thickness."""
    scanner = subject.scanner
    n = round(scanner.width_mm / WIDTH_STEP_MM)
    x = (np.arange(n) + 0.5) * WIDTH_STEP_MM
    off = x - scanner.width_mm / 2
    tilt = rng.normal(0, 0.03 + 0.05 * difficulty)
    bend = rng.normal(0, 0.0012)
    depth = subject.wall_depth_mm + rng.normal(0, 0.7)
    li = depth + tilt * off + bend * off**2 + 0.06 * smooth(rng, n, 30)
    thickness = subject.imt_mm * (1 + subject.imt_change * smooth(rng, n, 40) + rng.normal(0, 0.025))
    thickness = np.maximum(thickness, 0.36)
    lumen = subject.lumen_mm * (1 + rng.normal(0, 0.03)) + 0.06 * smooth(rng, n, 60) + rng.normal(0, 0.012) * off
    near_li = li - lumen
    return Wall(x, near_li - 0.9 * thickness, near_li, li, li + thickness)


def draw_echoes(rng: np.random.Generator, subject: Subject, wall: Wall, difficulty: float) -> Echoes:
    """Echo strengths of one image of the subject."""
    scanner = subject.scanner
    n_depth, n = round(scanner.depth_mm / DEPTH_STEP_MM), wall.x_mm.size
    z = ((np.arange(n_depth) + 0.5) * DEPTH_STEP_MM).astype(np.float32)[:, None]
    level = _soft_tissue(rng, subject, z, n)
    ordered = np.zeros_like(level)
    if subject.has_vein:
        _hollow_vein(rng, level, z, wall)
    near_ma, near_li, li, ma = (
        np.asarray(curve, np.float32)[None] for curve in (wall.near_ma_mm, wall.near_li_mm, wall.li_mm, wall.ma_mm)
    )
    # Near wall: adventitia above, a dark media, a blurred inner line.
    sheath = subject.adventitia_db - 3 - 9 * (near_ma - z) / subject.adventitia_mm
    level = np.where(z < near_ma, np.maximum(level, sheath), level)
    level = _between(level, z, near_ma, near_li, subject.media_db + 5)
    strength = subject.intima_db - 5 + 3 * smooth(rng, n, 12).astype(np.float32)
    level = _between(level, z, near_li - 0.16, near_li, strength)
    # Lumen: nearly black, with haze below the near wall and faint copies of it (reverberation).
    below = np.maximum(z - near_li, 0)
    haze = np.maximum(-66 + 2 * smooth(rng, n, 30).astype(np.float32), subject.haze_db - 9 * below)
    level = _between(level, z, near_li, li, haze)
    for _ in range(int(rng.integers(1, 4))):
        copy = near_li + rng.uniform(0.7, subject.lumen_mm * 0.95) + rng.normal(0, 0.02) * (wall.x_mm - 18)
        copy = np.minimum(copy, li - 0.25).astype(np.float32)
        strength = subject.haze_db + rng.uniform(-6, 3) + 8 * smooth(rng, n, 30).astype(np.float32)
        level = _between(level, z, copy, copy + rng.uniform(0.1, 0.5), np.maximum(strength, haze))
    # Clutter just above the far wall: what side lobes bring in from its brightest parts.
    clutter = -34 + 14 * difficulty + 5 * smooth(rng, n, 15).astype(np.float32) - 26 * np.maximum(li - z, 0)
    level = np.where((z < li) & (z > near_li), np.maximum(level, clutter), level)
    # Far wall: intima, media, adventitia with its own fading and a second layer in some places.
    intima = subject.intima_db + 4 * smooth(rng, n, 9) - _dropouts(rng, n, subject.dropouts)
    media = subject.media_db + 3 * smooth(rng, n, 14)
    level = _between(level, z, li, ma, media.astype(np.float32))
    level = _between(level, z, li, np.minimum(li + subject.intima_mm, ma), np.maximum(intima, media).astype(np.float32))
    outer = subject.adventitia_db + 2 * smooth(rng, n, 18) - 0.4 * _dropouts(rng, n, subject.dropouts)
    gap = ma + 0.45 + 0.12 * smooth(rng, n, 25).astype(np.float32)
    fading = outer - 11 * (z - ma) / subject.adventitia_mm
    fading -= rng.uniform(1, 7) * np.exp(-(((z - gap) / 0.16) ** 2))
    level = np.where(z >= ma, np.maximum(level, fading.astype(np.float32)), level)
    # An interface returns the beam like a mirror where it lies across it.
    slope = np.gradient(wall.li_mm, WIDTH_STEP_MM)
    across = np.exp(-((slope / 0.16) ** 2)).astype(np.float32)[None]
    for top, thickness, part in (
        (li, 0.12, 0.75),
        (ma, 0.16, 0.6),
        (near_ma - 0.16, 0.16, 0.6),
        (near_li - 0.12, 0.12, 0.4),
    ):
        ordered = _between(ordered, z, top, top + thickness, part * across)
    return Echoes(level + _shadows(rng, z, wall, difficulty), ordered)


def _between(level: Array, z: Array, top: Array, bottom: Array, value: Array | float) -> Array:
    """`level` with `value` between two depths; at their edges mixed by the part of a sample that lies inside."""
    inside = np.clip((z - top) / DEPTH_STEP_MM + 0.5, 0, 1) * np.clip((bottom - z) / DEPTH_STEP_MM + 0.5, 0, 1)
    return (level + inside * (value - level)).astype(np.float32)


def _soft_tissue(rng: np.random.Generator, subject: Subject, z: Array, n: int) -> Array:
    """Skin, fat with septa, striped muscle, loose tissue: (Z, X) dB."""
    shape = (z.size, n)
    level = np.full(shape, subject.tissue_db, np.float32) + 4.5 * _field(rng, shape, (0.5, 1.6))
    level += 5 * np.maximum(_field(rng, shape, (0.18, 2.4)), 0.6)  # septa and fasciae of the loose tissue
    fat = 2.0 + rng.uniform(0, 1.5) + 0.3 * smooth(rng, n, 60).astype(np.float32)[None]
    muscle = fat + rng.uniform(3, 5.5) + 0.4 * smooth(rng, n, 80).astype(np.float32)[None]
    lean = (subject.muscle_tilt * (np.arange(n) * WIDTH_STEP_MM - 18)).astype(np.float32)[None]
    stripes = _field(rng, shape, (0.14, 3.5))
    stripes = np.take_along_axis(stripes, _rows(z + lean, z.size), axis=0)
    fibres = subject.tissue_db - 5 + 6.5 * np.maximum(stripes, -1.2)
    level = _between(level, z, fat, muscle + lean, fibres)
    level = _between(level, z, np.zeros_like(fat), fat, subject.tissue_db - 2 + 3 * _field(rng, shape, (0.2, 2.5)))
    for edge in (fat, muscle + lean):
        level = _between(level, z, edge, edge + rng.uniform(0.2, 0.4), -5 + 4 * smooth(rng, n, 25).astype(np.float32))
    return _between(level, z, np.zeros_like(fat), np.full_like(fat, rng.uniform(0.7, 1.2)), -3.0)


def _rows(depth_mm: Array, n: int) -> Array:
    return np.clip(depth_mm / DEPTH_STEP_MM, 0, n - 1).astype(np.intp)


def _field(rng: np.random.Generator, shape: tuple[int, int], length_mm: tuple[float, float]) -> Array:
    """Smooth noise of mean 0 and variance 1 that changes over length_mm (depth, width)."""
    noise = rng.standard_normal(shape, np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), length_mm[1] / WIDTH_STEP_MM, sigmaY=length_mm[0] / DEPTH_STEP_MM)
    return field / field.std()


def _hollow_vein(rng: np.random.Generator, level: Array, z: Array, wall: Wall) -> None:
    """A compressed jugular vein above the artery: dark, with a wall that looks like the artery's. In place."""
    centre = np.asarray(wall.near_ma_mm, np.float32)[None] - rng.uniform(2.4, 3.2)
    start = rng.uniform(-8, 14)
    half = 1.2 * np.clip(1 - ((wall.x_mm - start) / rng.uniform(9, 16)) ** 2, 0, None).astype(np.float32)[None]
    inside = np.clip((half - np.abs(z - centre)) / 0.06, 0, 1)
    rim = np.exp(-((np.abs(z - centre) - half - 0.1) ** 2) / 0.02) * (half > 0.1)
    level += inside * (-58 - level) + (1 - inside) * rim * np.maximum(-7 - level, 0)


def _dropouts(rng: np.random.Generator, n: int, amount: float) -> Array:
    """Loss in dB (n,): a few stretches of 1 to 3 mm where an interface returns next to nothing."""
    loss = np.zeros(n)
    x = np.arange(n) * WIDTH_STEP_MM
    for _ in range(int(rng.poisson(6 * amount))):
        loss += rng.uniform(6, 20) * np.exp(-(((x - rng.uniform(0, x[-1])) / rng.uniform(0.4, 1.2)) ** 2))
    return np.minimum(loss, 24).astype(np.float32)


def _shadows(rng: np.random.Generator, z: Array, wall: Wall, difficulty: float) -> Array:
    """Change in dB, at most 0, (Z, X): behind something dense above the artery, columns lose strength."""
    loss = np.zeros((1, wall.x_mm.size), np.float32)
    for _ in range(int(rng.poisson(0.6 + 0.8 * difficulty))):
        width = rng.uniform(0.8, 2.2)
        place = rng.uniform(0, wall.x_mm[-1])
        loss -= (rng.uniform(4, 12) * np.exp(-(((wall.x_mm - place) / width) ** 4))).astype(np.float32)[None]
    begins = np.asarray(wall.near_ma_mm, np.float32)[None] - rng.uniform(0, 5)
    return loss / (1 + np.exp(-(z - begins) / 0.3))
