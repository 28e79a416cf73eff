"""Numbers that describe a candidate: the vessel and the HU about it, Haralick's texture, the energy of wavelets.

Sources: Liang and Bi 2007 (IPMI), whose classifier the paper compares with, for the three kinds; Haralick et al. 1973
for the texture; Frangi et al. 1998 for the vesselness. Which numbers of each kind the rival had is not published.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pywt
from skimage.feature import graycomatrix, graycoprops, hessian_matrix, hessian_matrix_eigvals

from handcrafted.embolism.neighbourhood import STEP_MM, aligned_cube, cross_section, distances_mm, longitudinal

CLOT_HU, AIR_HU = 50.0, -450.0
BLOOD_SHARE = 0.6  # chosen: of the way from clot to blood; above it a place counts as blood
SHELLS_MM = (0.0, 1.2, 2.4, 3.6, 5.0, 7.0, 9.0)
N_SECTORS = 12
SCALES_MM = (1.2, 2.4, 3.6)
GREY_LEVELS, DISTANCES_PX = 16, (1, 3)
HARALICK = ("contrast", "dissimilarity", "homogeneity", "ASM", "correlation", "entropy")
WAVELET, WAVELET_LEVELS = "db2", 3


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values >= low) & (values < high)


_AWAY, _ACROSS, _ALONG = distances_mm()
_SHELLS = [_between(_AWAY, low, high) for low, high in itertools.pairwise(SHELLS_MM)]
_RINGS = [_between(_ACROSS, low, high) & (np.abs(_ALONG) < 1.5) for low, high in itertools.pairwise(SHELLS_MM)]
_STRETCHES = [  # of the core, on either side along the vessel
    _between(sign * _ALONG, low, high) & (_ACROSS < 1.2)
    for low, high in ((2.0, 4.0), (4.0, 6.0), (6.0, 9.0))
    for sign in (-1, 1)
]


def _sector_numbers() -> np.ndarray:
    """Of each place of the cube which of N_SECTORS sectors round the axis it lies in."""
    half = (_AWAY.shape[0] - 1) / 2
    up, right = np.indices(_AWAY.shape)[1:] - half
    return np.floor((np.arctan2(up, right) / (2 * np.pi) + 0.5) * N_SECTORS).astype(int) % N_SECTORS


_SECTORS = _sector_numbers()


def describe(
    hu: np.ndarray, spacing_mm: tuple[float, float, float], points: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """(N, F) float64, one row for each candidate of one volume.

    hu: (z, y, x). points: (N, 3), voxels; axes: (N, 3), unit vectors in mm. HU are seen relative to the volume's blood,
    whose level is the median over the candidates of the brightest tenth about each.
    """
    cubes = [aligned_cube(hu, spacing_mm, point, axis) for point, axis in zip(points, axes, strict=True)]
    blood_hu = max(float(np.median([np.percentile(cube, 90) for cube in cubes])), CLOT_HU + 100.0)
    return np.array([describe_cube(cube, blood_hu) for cube in cubes])


def describe_cube(cube: np.ndarray, blood_hu: float) -> np.ndarray:
    """(F,) float64. cube: as `aligned_cube` gives it. blood_hu: the level of contrast in the volume."""
    share = np.clip((cube - CLOT_HU) / (blood_hu - CLOT_HU), -2.0, 2.0)
    views = [np.clip(view(share), -0.5, 1.5) for view in (cross_section, longitudinal)]
    texture = [value for view in views for value in (*_haralick(view), *_wavelet_energies(view))]
    return np.array([*_intensities(share, cube < AIR_HU), *_vessel(share), *texture])


def _intensities(share: np.ndarray, air: np.ndarray) -> list[float]:
    """HU inside and in shells and rings around, along the vessel, and how much of the way round blood surrounds."""
    core = share[_SHELLS[0]]
    found = [float(core.min()), float(core.max())]
    for shell in _SHELLS:
        inside = share[shell]
        found += [inside.mean(), inside.std(), (inside > BLOOD_SHARE).mean(), air[shell].mean()]
    found += [share[ring].mean() for ring in _RINGS]
    ends = [float(share[stretch].mean()) for stretch in _STRETCHES]
    for one, other in zip(ends[::2], ends[1::2], strict=True):
        found += [min(one, other), max(one, other)]
    for ring in _RINGS[1:5]:
        means = np.bincount(_SECTORS[ring], share[ring], N_SECTORS) / np.bincount(_SECTORS[ring], minlength=N_SECTORS)
        found += [(means > BLOOD_SHARE).mean(), means.min(), means.max()]
    return [float(value) for value in found]


def _vessel(share: np.ndarray) -> list[float]:
    """At each scale: the Hessian's eigenvalues in the middle, vesselness there and the largest nearby."""
    n = share.shape[0] // 2
    coarse = share.reshape(n, 2, n, 2, n, 2).mean(axis=(1, 3, 5))
    near = (slice(n // 2 - 3, n // 2 + 3),) * 3
    found = []
    for scale_mm in SCALES_MM:
        sigma: Any = scale_mm / (2 * STEP_MM)  # scikit-image takes floats, whatever its defaults look like
        hessian = hessian_matrix(coarse, sigma=sigma, mode="nearest", order="rc", use_gaussian_derivatives=False)
        eigenvalues = sigma**2 * hessian_matrix_eigvals([part[near] for part in hessian])
        tube = vesselness(eigenvalues)
        found += [*eigenvalues[:, 3, 3, 3].tolist(), float(tube[3, 3, 3]), float(tube.max())]
    return found


def vesselness(eigenvalues: np.ndarray) -> np.ndarray:
    """Frangi's measure of a bright tube, 0 to 1, (...) for eigenvalues (3, ...) of the scaled Hessian of shares.

    Frangi's alpha and beta are 0.5, and c, from which on structure counts as such, is 0.5 too: half of the step from
    clot to blood. Source: Frangi et al. 1998, MICCAI, equation 13.
    """
    low, middle, high = np.take_along_axis(eigenvalues, np.argsort(np.abs(eigenvalues), axis=0), axis=0)
    tiny = 1e-9
    plate = np.abs(middle) / (np.abs(high) + tiny)
    blob = np.abs(low) / (np.sqrt(np.abs(middle * high)) + tiny)
    strength = low**2 + middle**2 + high**2
    tube = (1 - np.exp(-2 * plate**2)) * np.exp(-2 * blob**2) * (1 - np.exp(-2 * strength))
    return np.where((middle < 0) & (high < 0), tube, 0.0)


def _haralick(view: np.ndarray) -> list[float]:
    """Means over four directions, for each distance. view: (H, W), -0.5 to 1.5."""
    grey = np.minimum((view + 0.5) / 2 * GREY_LEVELS, GREY_LEVELS - 1).astype(np.uint8)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    pairs = graycomatrix(grey, DISTANCES_PX, angles, GREY_LEVELS, symmetric=True, normed=True)
    return [float(value) for name in HARALICK for value in graycoprops(pairs, name).mean(axis=1)]


def _wavelet_energies(view: np.ndarray) -> list[float]:
    """Logarithm of the mean square of every sub-band."""
    coarse, *details = pywt.wavedec2(view, WAVELET, mode="symmetric", level=WAVELET_LEVELS)
    bands = [coarse, *(band for level in details for band in level)]
    return [float(np.log(np.mean(band**2) + 1e-6)) for band in bands]
