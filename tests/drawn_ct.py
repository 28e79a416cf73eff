"""Small CT volumes drawn by hand: a block of body with a lung in it, and bright cylinders with dark balls inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

SHAPE, SPACING = (34, 62, 70), (1.6, 1.1, 1.1)
BLOOD, CLOT, TISSUE, LUNG = 350.0, 40.0, 50.0, -850.0


def cylinder(point_mm: Sequence[float], axis: Sequence[float], radius_mm: float, soft_mm: float = 1.2) -> np.ndarray:
    """Coverage, 0 to 1, of an endless cylinder; points and axis are (z, y, x) in mm."""
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij"), -1)
    along = np.array(axis) / np.linalg.norm(axis)
    way = grid - np.array(point_mm)
    away = np.linalg.norm(way - (way @ along)[..., None] * along, axis=-1)
    return np.clip(0.5 - (away - radius_mm) / soft_mm, 0, 1)


def ball(centre_mm: Sequence[float], radius_mm: float, soft_mm: float = 1.2) -> np.ndarray:
    axes = np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING, strict=True)), indexing="ij")
    away = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(axes, centre_mm, strict=True)))
    return np.clip(0.5 - (away - radius_mm) / soft_mm, 0, 1)


def empty_chest() -> np.ndarray:
    hu = np.full(SHAPE, TISSUE)
    hu[:, 5:-5, 5:-5] = LUNG
    return hu


def draw_case(rng: np.random.Generator, n_emboli: int) -> tuple[np.ndarray, np.ndarray]:
    """(hu int16, mask uint8): three slanted vessels, the first n_emboli of them with a clot, and noise."""
    hu, mask = empty_chest(), np.zeros(SHAPE, np.uint8)
    for k, x in enumerate((20.0, 38.0, 56.0)):
        point = np.array([26.0, rng.uniform(25, 42), x])
        hu += cylinder(point, (1.0, rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)), 4.5) * (BLOOD - hu)
        if k < n_emboli:
            inside = ball(point, 2.6)
            hu += inside * (CLOT - hu)
            mask[inside > 0.5] = k + 1
    return np.rint(hu + rng.normal(0, 8, SHAPE)).astype(np.int16), mask


def put_case(root: Path, name: str, hu: np.ndarray, mask: np.ndarray) -> None:
    """One case of a set in CAD-PE's layout."""
    for path, values in ((root / "images" / f"{name}.nrrd", hu), (root / "rs" / f"0{name}RefStd.nrrd", mask)):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(SPACING[::-1])
        sitk.WriteImage(image, str(path), useCompression=True)
