"""One row of a set's index, and how it becomes a Volume when someone looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import SimpleITK as sitk  # noqa: N813
from skimage import measure

from data_prep.embolism_readers.dicom_series import read_dicom_series
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
    """hu: (z, y, x) int16, z upwards. spacing_mm: (z, y, x). mask: (z, y, x) int32, 0 or the number of an embolus.

    Numbers run from 1 on without gaps. group_id: the patient.
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
    hu, spacing_mm, name_order = read_image(ref.image_path)
    labels = _read_mask(ref.mask_path, name_order)
    if labels.shape != hu.shape:
        raise DataError(
            f"{ref.mask_path}: the mask has {_shape(labels)} voxels (slices x rows x columns), its volume "
            f"{_shape(hu)}. Replace it by the mask of this volume."
        )
    return Volume(ref.volume_id, ref.group_id, hu, spacing_mm, _numbered(labels, spacing_mm))


def read_image(path: Path) -> tuple[np.ndarray, tuple[float, float, float], np.ndarray | None]:
    """hu (z, y, x) int16 with z upwards, spacing (z, y, x) in mm, and for a DICOM series the order of its file names.

    The order: (Z,) int64, for each slice the place of its file in the list of names. DataError as load_volume says.
    """
    if path.is_dir():
        return read_dicom_series(path)
    image = _read_file(path, "volume")
    hu = sitk.GetArrayFromImage(image)
    _check(path, hu)
    x_mm, y_mm, z_mm = (float(step) for step in image.GetSpacing())
    spacing = (z_mm, y_mm, x_mm)
    if not _has_spacing(image) or not all(0.05 <= step <= 20 for step in spacing):
        raise DataError(
            f"{path}: the spacing of its voxels is {'absent' if not _has_spacing(image) else spacing}, expected mm "
            "between 0.05 and 20. Widths of patches are in mm: write the scan's own spacing into the header."
        )
    if image.GetDirection()[8] < 0:
        hu = hu[::-1]
    return _int16(hu), spacing, None


def volume_stem(path: Path) -> str:
    """The name without its suffix; that of .nii.gz has two parts."""
    name = path.name
    for suffix in sorted(VOLUME_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def _read_mask(path: Path, name_order: np.ndarray | None) -> np.ndarray:
    if not path.is_file():
        raise DataError(f"{path}: the mask is missing. Every volume needs one; a mask of zeros says: no embolus.")
    if path.suffix.lower() == ".mat":
        labels = _read_mat(path)
        if name_order is not None and len(labels) == len(name_order):
            labels = labels[name_order]
    else:
        image = _read_file(path, "mask")
        labels = sitk.GetArrayFromImage(image)
        if image.GetDimension() == 3 and image.GetDirection()[8] < 0:
            labels = labels[::-1]
    if labels.ndim != 3 or not np.isfinite(labels).all() or np.any(labels < 0) or np.any(labels != np.rint(labels)):
        raise DataError(f"{path}: the mask's {labels.ndim}-D values are not whole numbers from 0 on. Export it again.")
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
    return np.transpose(arrays[name or next(iter(arrays))], (2, 0, 1))


def _read_file(path: Path, kind: str) -> sitk.Image:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        cause = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: the {kind} cannot be read ({cause}). Restore it from its source.") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise DataError(
            f"{path}: expected a {kind} of three dimensions and one number a voxel, found {image.GetDimension()} "
            f"dimensions and {image.GetNumberOfComponentsPerPixel()} numbers."
        )
    return image


def _has_spacing(image: sitk.Image) -> bool:
    """False for a header that says nothing: ITK then counts voxels, 1 along every axis, from 0, unturned."""
    keys = set(image.GetMetaDataKeys())
    silent = "NRRD_space directions" not in keys and "NRRD_spacings" not in keys and "NRRD_space" not in keys
    return image.GetSpacing() != (1.0, 1.0, 1.0) or not silent or any(image.GetOrigin())


def _check(path: Path, hu: np.ndarray) -> None:
    if not np.isfinite(hu).all():
        count = int(np.sum(~np.isfinite(hu)))
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
