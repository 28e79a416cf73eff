"""Volumes and masks as SimpleITK reads them: headers are checked before voxels are read, and axes turned alike."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from layerwise.errors import DataError

SPACING_LIMITS_MM = (0.05, 20.0)
# chosen: 1024 x 1024 pixels in 2,048 slices; a damaged header asks for more.
MOST_VOXELS = 2**31


def read_file(path: Path, kind: str) -> sitk.Image:
    """A NRRD, NIfTI or MetaImage file of three dimensions and one number a voxel. kind: "volume" or "mask".

    DataError if it cannot be read, has other dimensions, or its header asks for more than MOST_VOXELS.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size, numbers = reader.GetSize(), reader.GetNumberOfComponents()
        if len(size) != 3 or numbers != 1:
            raise DataError(
                f"{path}: expected a {kind} of three dimensions and one number a voxel, found {len(size)} dimensions "
                f"and {numbers} numbers."
            )
        if np.prod(size, dtype=float) > MOST_VOXELS:
            raise DataError(f"{path}: its header says {'x'.join(map(str, size))} voxels; it is damaged. Restore it.")
        return reader.Execute()
    except RuntimeError as error:
        cause = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: the {kind} cannot be read ({cause}). Restore it from its source.") from None


def from_array(values: np.ndarray, like: sitk.Image) -> sitk.Image:
    """An image of `values` (z, y, x) with the geometry of another one, where both have the same size."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values))
    if image.GetSize() == like.GetSize():
        image.CopyInformation(like)
    return image


def in_body_order(image: sitk.Image) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Values (z, y, x) and spacing (z, y, x) in mm, with z upwards, y to the back and x to the patient's left.

    However the file has them: a set may keep its volumes as RAS and its masks as LPS, or slices from the top.
    """
    turned = sitk.DICOMOrient(image, "LPS")
    x_mm, y_mm, z_mm = (float(step) for step in turned.GetSpacing())
    return sitk.GetArrayFromImage(turned), (z_mm, y_mm, x_mm)


def check_spacing(path: Path, image: sitk.Image) -> None:
    """DataError if the header says nothing of the voxels' size, or what cannot be."""
    low, high = SPACING_LIMITS_MM
    spacing = image.GetSpacing()
    if not has_geometry(image) or not all(low <= step <= high for step in spacing):
        raise DataError(
            f"{path}: the spacing of its voxels is {spacing if has_geometry(image) else 'absent'}, expected mm "
            f"between {low:g} and {high:g}. Widths of patches are in mm: write the scan's own spacing into the header."
        )


def has_geometry(image: sitk.Image) -> bool:
    """False for a header that says nothing: ITK then counts voxels, 1 along every axis, from 0, unturned."""
    keys = set(image.GetMetaDataKeys())
    said = any(name in keys for name in ("NRRD_space directions", "NRRD_spacings", "NRRD_space"))
    return said or image.GetSpacing() != (1.0, 1.0, 1.0) or any(image.GetOrigin())


def count_not_numbers(path: Path, values: np.ndarray) -> int:
    """How many of a file's voxels are NaN or infinite. values: as ITK read them.

    ITK's NIfTI reader makes zeros of them, which are HU of water: in such files the voxels themselves are looked at.
    """
    if values.dtype.kind != "f":
        return 0
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return int(np.sum(~np.isfinite(values)))
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as handle:
        kind, first = _nifti_voxels(handle.read(352))
        if kind is None:
            return 0
        handle.seek(first)
        count = 0
        while chunk := handle.read(2**22):
            whole = len(chunk) // kind.itemsize * kind.itemsize
            count += int(np.sum(~np.isfinite(np.frombuffer(chunk[:whole], kind))))
        return count


def _nifti_voxels(header: bytes) -> tuple[np.dtype | None, int]:
    """The type of a NIfTI file's voxels, None for one that knows no NaN, and the place of the first; both versions."""
    order = "<" if struct.unpack("<i", header[:4])[0] in (348, 540) else ">"
    if struct.unpack(order + "i", header[:4])[0] == 348:
        code, first = struct.unpack_from(order + "h", header, 70)[0], struct.unpack_from(order + "f", header, 108)[0]
    else:
        code, first = struct.unpack_from(order + "h", header, 12)[0], struct.unpack_from(order + "q", header, 168)[0]
    kind = {16: "f4", 64: "f8"}.get(code)
    return (np.dtype(order + kind) if kind else None), int(first)
