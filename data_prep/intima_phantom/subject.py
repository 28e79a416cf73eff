"""Who is scanned and with what: drawn once per subject, so that subjects differ more than images of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

Array = np.ndarray


@dataclass(frozen=True)
class Scanner:
    """Machine and its settings. Lengths in mm, strengths in dB; a sigma is of the Gaussian point-spread function.

    pixel_mm: side of a pixel of the saved picture. depth_mm, width_mm: of the scanned region.
    tgc_slope_db_per_cm: what the time gain compensation leaves uncorrected. dynamic_range_db: from black to white.
    curve: exponent of the grey map. sharpen: strength of the edge enhancement.
    """

    pixel_mm: float
    depth_mm: float
    width_mm: float
    axial_sigma_mm: float
    lateral_sigma_mm: float
    focus_mm: float
    tgc_slope_db_per_cm: float
    dynamic_range_db: float
    gain_db: float
    noise_db: float
    curve: float
    sharpen: float


@dataclass(frozen=True)
class Subject:
    """A neck. Lengths in mm, levels of echoes in dB of the strongest.

    imt_mm: mean intima-media thickness; imt_change: its relative change along the wall. dropouts: per mm and boundary,
    times 0.15. muscle_tilt: slope of its fibres.
    """

    subject_id: str
    scanner: Scanner
    imt_mm: float
    imt_change: float
    lumen_mm: float
    wall_depth_mm: float
    intima_db: float
    intima_mm: float
    media_db: float
    adventitia_db: float
    adventitia_mm: float
    tissue_db: float
    haze_db: float
    dropouts: float
    muscle_tilt: float
    has_vein: bool


def draw_subject(rng: np.random.Generator, subject_id: str, difficulty: float) -> Subject:
    """One subject. difficulty: 0 to 1; more of it lowers the contrast of the wall's layers and adds haze and noise."""
    hard = difficulty
    # chosen: the spread of CUBS' images about their mean of 0.06 mm per pixel.
    scanner = Scanner(
        pixel_mm=round(float(rng.uniform(0.046, 0.074)), 4),
        depth_mm=float(rng.uniform(28, 36)),
        width_mm=float(rng.uniform(33, 39)),
        axial_sigma_mm=float(rng.uniform(0.055, 0.085)),
        lateral_sigma_mm=float(rng.uniform(0.16, 0.27)),
        focus_mm=float(rng.uniform(15, 24)),
        tgc_slope_db_per_cm=float(rng.uniform(-3.0, 1.5)),
        dynamic_range_db=float(rng.uniform(52, 68)),
        gain_db=float(rng.uniform(-5, 3)),
        noise_db=float(rng.uniform(-56, -48)) + 8 * (hard - 0.5),
        curve=float(rng.uniform(0.95, 1.35)),
        sharpen=float(rng.uniform(0.0, 0.6)),
    )
    # chosen: adults of middle age; the few above 1 mm are those a study looks for.
    imt = float(np.clip(rng.lognormal(np.log(0.68), 0.24), 0.42, 1.35))
    return Subject(
        subject_id=subject_id,
        scanner=scanner,
        imt_mm=imt,
        imt_change=float(rng.uniform(0.03, 0.08)),
        lumen_mm=float(rng.uniform(5.2, 7.6)),
        wall_depth_mm=float(rng.uniform(17.5, 22.5)),
        intima_db=float(rng.uniform(-16, -7)) - 8 * (hard - 0.5),
        intima_mm=float(rng.uniform(0.10, 0.17)),
        media_db=float(rng.uniform(-28, -21)) + 8 * (hard - 0.5),
        adventitia_db=float(rng.uniform(-8, -1)),
        adventitia_mm=float(rng.uniform(0.7, 1.6)),
        tissue_db=float(rng.uniform(-29, -22)),
        haze_db=float(rng.uniform(-42, -30)) + 10 * (hard - 0.5),
        dropouts=float(rng.uniform(0.3, 1.2)) * 2 * hard,
        muscle_tilt=float(rng.uniform(-0.12, 0.12)),
        has_vein=bool(rng.random() < 0.3),
    )


def smooth(rng: np.random.Generator, n: int, length: float) -> Array:
    """A random curve of n samples, mean 0 and variance 1 over many draws, that changes over `length` samples."""
    pad = int(4 * length) + 1
    noise = rng.standard_normal(n + 2 * pad)
    sigma = max(length, 1e-3)
    gain = np.sqrt(
        2 * np.sqrt(np.pi) * max(sigma, 0.3)
    )  # a Gaussian filter leaves 1 / (2 sigma sqrt(pi)) of the variance
    return gaussian_filter1d(noise, sigma, mode="wrap")[pad : pad + n] * gain
