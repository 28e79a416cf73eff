"""Small volumes and masks on disk, in the exact formats of the public sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import scipy.io
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from data_prep.embolism_readers import Volume, find_reader, load_volume

SHAPE, SPACING = (6, 7, 9), (1.25, 0.7, 0.6)


def ramp(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """HU that tell where a voxel is: 100 z + 10 y + x - 300."""
    z, y, x = np.indices(shape)
    return (100 * z + 10 * y + x - 300).astype(np.int16)


def put_dicom(
    folder: Path,
    hu: np.ndarray,
    *,
    names: list[str] | None = None,
    slope: float = 1.0,
    intercept: float = -1024.0,
    series: str = "1.2.3",
    **changes: Any,
) -> None:
    """Slice k of `hu` lies at 10 + 1.25 k mm. names: of the files, slice by slice."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, plane in enumerate(hu):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{k + 1}")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.StudyInstanceUID, data.Modality = series, "1.2", "CT"
        data.InstanceNumber = len(hu) - k
        data.ImagePositionPatient = [-3.0, -2.0, 10 + SPACING[0] * k]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing = [SPACING[1], SPACING[2]]
        data.SliceThickness = 9.0  # a lie that must not matter: slices overlap or gape
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
        data.PixelData = np.rint((plane - intercept) / slope).astype(np.int16).tobytes()
        for name, value in changes.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)
        pydicom.dcmwrite(folder / (names[k] if names else f"D{k + 1:04d}.dcm"), data, enforce_file_format=True)


def put_image(path: Path, values: np.ndarray, spacing: tuple[float, float, float] = SPACING) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path))


def spot(*boxes: tuple[slice, slice, slice], values: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    for box, value in zip(boxes, values, strict=False):
        mask[box] = value
    return mask


LOW = (slice(0, 2), slice(1, 4), slice(2, 5))
HIGH = (slice(4, 6), slice(3, 6), slice(5, 8))


def only(root: Path) -> Volume:
    (ref,) = find_reader(root).index(root)
    return load_volume(ref)


def put_mat(path: Path, mask_zyx: np.ndarray, name: str = "Mask") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {name: np.transpose(mask_zyx, (1, 2, 0)).astype(bool)}, do_compression=True)
