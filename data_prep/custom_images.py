"""One image of any usual kind as 8-bit RGB: grey, colour, with transparency, of 16 bits or floating point, DICOM."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import SimpleITK as sitk  # noqa: N813

from data_prep.custom_listing import DICOM_SUFFIXES
from layerwise.errors import DataError

# chosen: 750 MB as RGB, which fits beside a net in 4 GB. A scanned slide is larger and wants regions cut out of it.
MAX_PIXELS = 250_000_000
# chosen: where neither 8 bits nor a DICOM window say what black and white are, all but the darkest and the brightest
# half per cent; the extremes themselves are often a single hot pixel or a burnt-in mark.
PERCENTILES = (0.5, 99.5)
RULES = {
    "deep": "more than 8 bits: in each image the {:g}th percentile becomes black and the {:g}th white".format(
        *PERCENTILES
    ),
    "window": "DICOM with a window: shown through it",
    "alpha": "transparency: laid on black",
}
_PHOTOMETRIC, _CENTRE, _WIDTH = "0028|0004", "0028|1050", "0028|1051"
sitk.ProcessObject.GlobalWarningDisplayOff()  # what ITK does not like becomes our error or is no matter


def read_picture(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The image as (H, W, 3) uint8 RGB, and which RULES it took; grey is copied three times.

    An orientation noted in the file is ignored, so that boxes lie where they were drawn on the stored pixels. DataError
    for what cannot be decoded, is larger than MAX_PIXELS, has several pages, or is not finite.
    """
    if not path.is_file():
        raise DataError(f"{path}: is not there")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    try:
        return _read_dicom(path) if _is_dicom(path) else _read_usual(path)
    except MemoryError:
        raise DataError(f"{path}: does not fit into memory. Give a smaller image, or cut the regions out") from None


def _is_dicom(path: Path) -> bool:
    if path.suffix.lower() in DICOM_SUFFIXES:
        return True
    with path.open("rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def _read_usual(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    _check_header(path)
    try:
        if path.suffix.lower() in (".tif", ".tiff") and (pages := cv2.imcount(str(path))) > 1:
            raise DataError(f"{path}: has {pages} pages; expected one image. Save each page as a file of its own")
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise DataError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None
    if pixels is None:
        raise DataError(f"{path}: {path.stat().st_size} bytes that cannot be decoded as {path.suffix or 'an image'}")
    rules = []
    if pixels.dtype != np.uint8:
        colours = pixels[..., :3] if pixels.ndim == 3 else pixels
        low, high = _percentiles(path, colours)
        opaque = np.iinfo(np.uint16).max if pixels.dtype == np.uint16 else 1.0
        alpha = np.clip(pixels[..., 3:] / opaque, 0, 1) * 255 if _has_alpha(pixels) else None
        pixels = _window(colours, low, high)
        pixels = pixels if alpha is None else np.concatenate([pixels, np.rint(alpha).astype(np.uint8)], axis=2)
        rules.append("deep")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), tuple(rules)
    rgb = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_BGR2RGB)
    if _has_alpha(pixels) and (opaque := pixels[..., 3:]).min() < 255:
        rgb = np.rint(rgb * (opaque / 255.0)).astype(np.uint8)
        rules.append("alpha")
    return rgb, tuple(rules)


def _has_alpha(pixels: np.ndarray) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] == 4


def _check_header(path: Path) -> None:
    """DataError if the file says that it has more pixels than MAX_PIXELS, before they are decoded."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return  # a kind that ITK does not know; the decoder has the last word
    _check_size(path, *reader.GetSize()[:2])


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: {width} x {height} pixels are {width * height / 1e6:.0f} million, more than "
            f"{MAX_PIXELS / 1e6:.0f}. Give a smaller image, or cut the regions out"
        )


def _read_dicom(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = reader.GetSize()
        if (frames := int(np.prod(size[2:]))) != 1:
            raise DataError(f"{path}: has {frames} frames; expected one image. Save each frame as a file of its own")
        _check_size(path, *size[:2])
        pixels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise DataError(f"{path}: cannot be read as DICOM") from None
    pixels = pixels[0] if len(size) > 2 else pixels
    if pixels.ndim == 3:
        if pixels.dtype != np.uint8:
            raise DataError(f"{path}: colour of {pixels.dtype}; expected 8 bits. Save it as PNG")
        return np.ascontiguousarray(pixels[..., :3]), ()
    # Where the largest value is meant to be black (MONOCHROME1), ITK has turned all values round, but not their window.
    turned = reader.HasMetaDataKey(_PHOTOMETRIC) and reader.GetMetaData(_PHOTOMETRIC).strip() == "MONOCHROME1"
    centre, width = _number(reader, _CENTRE), _number(reader, _WIDTH)
    rules: tuple[str, ...] = ()
    if centre is not None and width is not None and width >= 1 and not turned:
        pixels, rules = _window(pixels, centre - width / 2, centre + width / 2), ("window",)
    elif pixels.dtype != np.uint8:
        pixels, rules = _window(pixels, *_percentiles(path, pixels)), ("deep",)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), rules


def _number(reader: sitk.ImageFileReader, tag: str) -> float | None:
    """The first value of a tag; None if it is not there or is no number."""
    try:
        return float(reader.GetMetaData(tag).split("\\")[0]) if reader.HasMetaDataKey(tag) else None
    except ValueError:
        return None


def _percentiles(path: Path, pixels: np.ndarray) -> tuple[float, float]:
    if not np.isfinite(pixels).all():
        raise DataError(f"{path}: has values that are no numbers (NaN or infinite)")
    low, high = np.percentile(pixels, PERCENTILES)
    return (float(low), float(high)) if high > low else (float(pixels.min()), float(pixels.max()))


def _window(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """uint8: `low` and below is 0, `high` and above 255, linear between; all 0 if there is nothing between."""
    scaled = (pixels.astype(np.float64) - low) * (255 / (high - low) if high > low else 0)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
