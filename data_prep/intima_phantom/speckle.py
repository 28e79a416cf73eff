"""Echoes as a beam returns them: scatterers with random phase, blurred by the point-spread function, then detected.

Fully developed speckle: every sample is a complex Gaussian number, so the envelope of their blurred sum is Rayleigh
distributed where nothing is ordered (Goodman 1975; Wagner et al. 1983).
"""

from __future__ import annotations

import cv2
import numpy as np

from data_prep.intima_phantom.anatomy import DEPTH_STEP_MM, WIDTH_STEP_MM, Echoes
from data_prep.intima_phantom.subject import Array, Scanner, smooth


def detect(rng: np.random.Generator, scanner: Scanner, echoes: Echoes) -> Array:
    """The envelope in dB, (Z, X) float32: scattering, beam, attenuation, gain and noise of the receiver."""
    shape = echoes.level_db.shape
    amplitude = 10 ** (echoes.level_db / 20)
    phase = 0.8 * smooth(rng, shape[1], 18).astype(np.float32)[None]
    at_random = amplitude * np.sqrt((1 - echoes.ordered) / 2)
    # Ordered echoes add up over the beam's area where those at random partly cancel; their size is chosen so that an
    # interface stands a few dB above what it would be without order.
    in_step = amplitude * np.sqrt(echoes.ordered) * 0.35
    narrow, wide = scanner.lateral_sigma_mm, 2.2 * scanner.lateral_sigma_mm
    parts = []
    z = ((np.arange(shape[0]) + 0.5) * DEPTH_STEP_MM).astype(np.float32)[:, None]
    out_of_focus = np.clip(np.abs(z - scanner.focus_mm) / 20, 0, 1)
    for turned in (np.cos(phase), np.sin(phase)):
        field = at_random * rng.standard_normal(shape, np.float32) + in_step * turned
        parts.append(
            (1 - out_of_focus) * _beam(field, scanner.axial_sigma_mm, narrow)
            + out_of_focus * _beam(field, scanner.axial_sigma_mm, wide)
        )
    sliders = 1.5 * np.interp(z, np.linspace(0, scanner.depth_mm, 8), rng.standard_normal(8)).astype(np.float32)
    gain = 10 ** ((sliders + scanner.tgc_slope_db_per_cm * (z - scanner.focus_mm) / 10) / 20)
    noise = 10 ** (scanner.noise_db / 20 + (z - scanner.focus_mm) / 10 * 3 / 20)  # what compensation does to noise
    real, imaginary = (part * gain + noise * rng.standard_normal(shape, np.float32) for part in parts)
    return (10 * np.log10(real**2 + imaginary**2 + 1e-12)).astype(np.float32)


def _beam(field: Array, axial_mm: float, lateral_mm: float) -> Array:
    """Blurred by the Gaussian point-spread function of unit energy, so that random echoes keep their strength."""
    sigma_z, sigma_x = axial_mm / DEPTH_STEP_MM, lateral_mm / WIDTH_STEP_MM
    blurred = cv2.GaussianBlur(field, (0, 0), sigma_x, sigmaY=sigma_z, borderType=cv2.BORDER_REFLECT_101)
    return blurred * np.float32(np.sqrt(4 * np.pi * sigma_x * sigma_z))
