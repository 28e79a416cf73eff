"""One row of a set's index, and how it becomes a Volume when someone looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import SimpleITK as sitk  # noqa: N813
from skimage import measure

from data_prep.embolism_readers.dicom_series import read_dicom_series
from data_prep.embolism_readers.image_files import (
    check_spacing,
    count_not_numbers,
    from_array,
    has_geometry,
    in_body_order,
    read_file,
)
from layerwise.errors import DataError

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
# chosen: connected parts below this are slips of the annotator's pen: a ball of 1.6 mm, thinner than any vessel that
# is looked at.
LEAST_EMBOLUS_MM3 = 2.0
# chosen: CT is between -1024 and 3071, with metal to some ten thousand; anything beyond is no HU.
HU_LIMITS = (-32768, 32767)


@dataclass(frozen=True)
class VolumeRef:
    """Where one volume and its truth lie; nothing is decoded yet.

    image_path: a file, or the folder of a DICOM series. native_split: "train" or "test" where it is fixed, else "".
    """

    volume_id: str
    group_id: str
    image_path: Path
    mask_path: Path
    native_split: str = ""

    def files(self) -> list[Path]:
        """Every file that the volume is made from."""
        images = sorted(self.image_path.iterdir()) if self.image_path.is_dir() else [self.image_path]
        return [*images, self.mask_path]


@dataclass(frozen=True)
class Volume:
    """hu: (z, y, x) int16. spacing_mm: (z, y, x). mask: (z, y, x) int32, 0 or the number of an embolus.

    z runs upwards, y to the back, x to the patient's left. Numbers run from 1 on without gaps. group_id: the patient.
    """

    volume_id: str
    group_id: str
    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    mask: np.ndarray


def load_volume(ref: VolumeRef) -> Volume:
    """Decode one volume and its truth.

    A mask with several values has an embolus for each; one with a single value, for each part that hangs together
    (26 neighbours). Specks below LEAST_EMBOLUS_MM3 are left out.
    Raises DataError for files that cannot be read, slices that are missing, a spacing or values that cannot be, and a
    mask of another shape.
    """
    image, name_order = _open(ref.image_path)
    hu, spacing_mm = _in_hu(ref.image_path, image)
    labels = _read_mask(ref.mask_path, image, name_order)
    if labels.shape != hu.shape:
        raise DataError(
            f"{ref.mask_path}: the mask has {_shape(labels)} voxels (slices x rows x columns), its volume "
            f"{_shape(hu)}. Replace it by the mask of this volume."
        )
    return Volume(ref.volume_id, ref.group_id, hu, spacing_mm, _numbered(labels, spacing_mm))


def read_image(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """hu and spacing_mm as Volume has them. DataError as load_volume says."""
    image, _ = _open(path)
    return _in_hu(path, image)


def _open(path: Path) -> tuple[sitk.Image, np.ndarray | None]:
    """The image, and for the folder of a DICOM series for each slice the place of its file in the order of names."""
    return read_dicom_series(path) if path.is_dir() else (read_file(path, "volume"), None)


def _in_hu(path: Path, image: sitk.Image) -> tuple[np.ndarray, tuple[float, float, float]]:
    check_spacing(path, image)
    hu, spacing_mm = in_body_order(image)
    _check(path, hu)
    return _int16(hu), spacing_mm


def volume_stem(path: Path) -> str:
    """The name without its suffix; that of .nii.gz has two parts."""
    name = path.name
    for suffix in sorted(VOLUME_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _read_mask(path: Path, image: sitk.Image, name_order: np.ndarray | None) -> np.ndarray:
    """int32 (z, y, x), turned as its volume is. A mask that does not say how it lies, lies as its volume does."""
    if not path.is_file():
        raise DataError(f"{path}: the mask is missing. Every volume needs one; a mask of zeros says: no embolus.")
    if path.suffix.lower() == ".mat":
        values = _read_mat(path)
        if name_order is not None and len(values) == len(name_order):
            values = values[name_order]
        mask = from_array(values, image)
    else:
        mask = read_file(path, "mask")
        if not has_geometry(mask):
            mask = from_array(sitk.GetArrayFromImage(mask), image)
    labels, _ = in_body_order(mask)
    if not np.isfinite(labels).all() or np.any(labels < 0) or np.any(labels != np.rint(labels)):
        raise DataError(f"{path}: the mask's values are not whole numbers from 0 on. Export it again.")
    return labels.astype(np.int32)


def _read_mat(path: Path) -> np.ndarray:
    """FUMPE's truth as (z, y, x): MATLAB keeps it as (row, column, slice)."""
    try:
        held = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise DataError(f"{path}: the mask cannot be read as MATLAB's file ({error}). Restore it.") from None
    arrays = {name: value for name, value in held.items() if isinstance(value, np.ndarray) and value.ndim == 3}
    name = next((name for name in arrays if name.lower() in ("mask", "gt", "seg", "volume")), None)
    if name is None and len(arrays) != 1:
        raise DataError(f"{path}: no 3-D array Mask in it; found {sorted(held) or 'nothing'}. Restore the file.")
    mask = np.transpose(arrays[name or next(iter(arrays))], (2, 0, 1))
    return mask.astype(np.uint8) if mask.dtype == bool else mask


def _check(path: Path, hu: np.ndarray) -> None:
    if count := count_not_numbers(path, hu):
        raise DataError(f"{path}: {count} voxels are not numbers (NaN or infinite). Export the volume again.")
    if hu.min() < HU_LIMITS[0] or hu.max() > HU_LIMITS[1]:
        raise DataError(f"{path}: values from {hu.min()} to {hu.max()} are no HU. Export the volume again, in HU.")
    if hu.min() == hu.max():
        raise DataError(f"{path}: every voxel is {hu.min()}. Export the volume again.")


def _int16(hu: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(hu if hu.dtype == np.int16 else np.rint(hu)).astype(np.int16, copy=False)


def _numbered(labels: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    values = np.unique(labels)
    if len(values[values > 0]) == 1:
        labels = np.asarray(measure.label(labels > 0, connectivity=3))
    count = np.bincount(labels.ravel())
    kept = count * float(np.prod(spacing_mm)) >= LEAST_EMBOLUS_MM3
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels]


def _shape(array: np.ndarray) -> str:
    return "x".join(map(str, np.shape(array)))
