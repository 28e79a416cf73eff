"""The emboli of a volume, and when a candidate hits one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from data_prep.embolism_readers import Volume

# chosen: the paper does not say when a candidate hits. CAD-PE's challenge asks whether the point lies in
# the embolus, or 2 or 5 mm beside it; 2 mm are two voxels, about as well as an outline is drawn.
HIT_MM = 2.0
HIT_CRITERION = f"point-within-{HIT_MM:g}-mm-of-embolus"


@dataclass(frozen=True)
class Embolus:
    """middle: the voxel (z, y, x) of the embolus that is nearest to its centre of mass."""

    lesion_id: str
    middle: tuple[int, int, int]
    volume_mm3: float


def lesion_id(volume_id: str, number: int) -> str:
    return f"{volume_id}-l{number}"


def find_emboli(volume: Volume) -> tuple[Embolus, ...]:
    """One for each number of the mask, in order."""
    found = []
    for number, box in enumerate(ndimage.find_objects(volume.mask), start=1):
        voxels = np.argwhere(volume.mask[box] == number)
        away = np.sum(((voxels - voxels.mean(axis=0)) * volume.spacing_mm) ** 2, axis=1)
        z, y, x = (voxels[np.argmin(away)] + [part.start for part in box]).tolist()
        size = len(voxels) * float(np.prod(volume.spacing_mm))
        found.append(Embolus(lesion_id(volume.volume_id, number), (z, y, x), size))
    return tuple(found)


def hit_emboli(volume: Volume, points: np.ndarray) -> tuple[str, ...]:
    """For each point (N, 3), voxels, the id of the nearest embolus that is within HIT_MM of it, or ""."""
    voxels = np.argwhere(volume.mask > 0)
    if not len(voxels) or not len(points):
        return ("",) * len(points)
    tree = KDTree(voxels * np.array(volume.spacing_mm))
    distance, nearest = tree.query(points * np.array(volume.spacing_mm))
    numbers = volume.mask[tuple(voxels[nearest].T)]
    return tuple(
        lesion_id(volume.volume_id, int(number)) if away <= HIT_MM else ""
        for number, away in zip(numbers, distance, strict=True)
    )
