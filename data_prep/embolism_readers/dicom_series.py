"""A folder of DICOM slices as one volume: sorted by position, rescaled to HU, and whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from layerwise.errors import DataError

_SERIES, _POSITION, _ORIENTATION, _SPACING = "0020|000e", "0020|0032", "0020|0037", "0028|0030"
_INSTANCE = "0020|0013"
# chosen: positions are printed to a tenth of a micrometre or so; a missing slice is a whole step off.
_UNEVEN = 0.2


def natural_name(path: Path) -> list[tuple[int, int | str]]:
    """Sorts IM2.dcm before IM10.dcm."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", path.name) if part]


def read_dicom_series(folder: Path) -> tuple[sitk.Image, np.ndarray]:
    """The slices from below upwards as one image, and for each slice the place of its file in the order of names.

    SimpleITK applies the rescale of each slice. Raises DataError if files cannot be read, belong to several series,
    differ in size, lack a position or spacing, or leave a gap between slices.
    """
    files = sorted((path for path in folder.iterdir() if _is_dicom(path)), key=natural_name)
    if len(files) < 2:
        raise DataError(f"{folder}: {len(files)} DICOM files; a volume needs two slices or more.")
    headers = [_header(path) for path in files]
    series = sorted({_text(header, _SERIES, path) for header, path in zip(headers, files, strict=True)})
    if len(series) > 1:
        raise DataError(f"{folder}: holds {len(series)} series. Keep the slices of one reconstruction.")
    normal = _normal(headers[0], files[0])
    if abs(normal[2]) < 0.5:
        raise DataError(f"{folder}: the slices are not axial. Give the axial reconstruction.")
    along = np.array([_numbers(h, _POSITION, path, 3) @ normal for h, path in zip(headers, files, strict=True)])
    order = np.argsort(along * np.sign(normal[2]), kind="stable")
    step = _even_step(folder, [files[k] for k in order], np.abs(along[order] - along[order[0]]))
    row_mm, column_mm = _numbers(headers[0], _SPACING, files[0], 2)
    slices = [_pixels(files[k]) for k in order]
    if len({one.shape for one in slices}) > 1:
        sizes = sorted({"x".join(map(str, one.shape)) for one in slices})
        raise DataError(f"{folder}: slices of different sizes: {', '.join(sizes)}. Keep those of one series.")
    image = sitk.GetImageFromArray(np.stack(slices))
    image.SetSpacing((float(column_mm), float(row_mm), step))
    both = _numbers(headers[0], _ORIENTATION, files[0], 6)
    image.SetDirection(np.stack([both[:3], both[3:], normal * np.sign(normal[2])], axis=1).ravel().tolist())
    image.SetOrigin(_numbers(headers[order[0]], _POSITION, files[order[0]], 3).tolist())
    return image, order


def _normal(header: sitk.ImageFileReader, path: Path) -> np.ndarray:
    """(3,): the direction across the slices, from those along their rows and columns."""
    both = _numbers(header, _ORIENTATION, path, 6)
    return np.cross(both[:3], both[3:])


def _is_dicom(path: Path) -> bool:
    """By suffix, or for files without one by the mark that DICOM puts behind its preamble."""
    if path.name.startswith(".") or not path.is_file():
        return False
    if path.suffix.lower() in (".dcm", ".ima"):
        return True
    with path.open("rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def _header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise DataError(f"{path}: cannot be read as DICOM. Restore it from its source.") from None
    return reader


def _text(header: sitk.ImageFileReader, tag: str, path: Path) -> str:
    if not header.HasMetaDataKey(tag) or not header.GetMetaData(tag).strip():
        raise DataError(
            f"{path}: has no ({tag.replace('|', ',')}), which the volume's geometry needs. Export it again."
        )
    return header.GetMetaData(tag).strip()


def _numbers(header: sitk.ImageFileReader, tag: str, path: Path, n: int) -> np.ndarray:
    text = _text(header, tag, path)
    try:
        values = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        values = np.array([])
    if len(values) != n or not np.isfinite(values).all():
        raise DataError(f"{path}: ({tag.replace('|', ',')}) is {text!r}, expected {n} numbers. Export it again.")
    if tag == _SPACING and not np.all((values >= 0.05) & (values <= 20)):
        raise DataError(f"{path}: the spacing of its pixels is {text}, expected mm between 0.05 and 20.")
    return values


def _even_step(folder: Path, files: list[Path], position_mm: np.ndarray) -> float:
    """The distance of neighbours. DataError names the slices between which one is missing, or which share a place."""
    steps = np.diff(position_mm)
    step = float(np.median(steps))
    for k, found in enumerate(steps):
        pair = f"{files[k].name} and {files[k + 1].name}"
        if found <= 1e-3:
            raise DataError(f"{folder}: {pair} lie at the same position. Keep one of them.")
        if found > (1 + _UNEVEN) * step:
            raise DataError(
                f"{folder}: {found:.2f} mm lie between {pair}, elsewhere {step:.2f} mm: about "
                f"{max(round(found / step) - 1, 1)} slices are missing. Restore them."
            )
        if found < (1 - _UNEVEN) * step:
            raise DataError(f"{folder}: {found:.2f} mm lie between {pair}, elsewhere {step:.2f} mm. Export it again.")
    return step


def _pixels(path: Path) -> np.ndarray:
    try:
        image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    except RuntimeError:
        raise DataError(f"{path}: its pixels cannot be read. Restore the file from its source.") from None
    pixels = sitk.GetArrayFromImage(image)
    return pixels[0] if pixels.ndim == 3 else pixels
