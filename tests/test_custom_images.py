"""Every kind of image becomes 8-bit RGB by a stated rule, or is refused with a reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from data_prep.custom_images import read_picture
from layerwise.errors import DataError

RAMP = np.tile(np.arange(1000, dtype=np.uint16), (4, 1))


def write_dicom(path: Path, pixels: np.ndarray, **tags: Any) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Modality, data.SamplesPerPixel, data.PhotometricInterpretation = "OT", 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def write(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def test_colour_is_untouched_and_grey_is_copied_three_times(tmp_path: Path) -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    rgb, rules = read_picture(write(tmp_path / "c.png", bgr))
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])
    grey, _ = read_picture(write(tmp_path / "g.tif", bgr[..., 0]))
    np.testing.assert_array_equal(grey, np.repeat(bgr[..., :1], 3, axis=2))
    assert rules == ()


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_scaled_between_two_percentiles(tmp_path: Path, name: str) -> None:
    rgb, rules = read_picture(write(tmp_path / name, RAMP))
    low, high = np.percentile(RAMP, (0.5, 99.5))
    expected = np.rint(np.clip((RAMP - low) / (high - low), 0, 1) * 255)
    np.testing.assert_array_equal(rgb[..., 0], expected)
    assert (rgb.dtype, rules) == (np.uint8, ("deep",))


def test_a_hot_pixel_does_not_make_the_rest_black(tmp_path: Path) -> None:
    hot = RAMP.copy()
    hot[0, 0] = 65535
    rgb, _ = read_picture(write(tmp_path / "hot.png", hot))
    assert rgb[1, 500, 0] == pytest.approx(128, abs=2)


def test_a_flat_deep_image_is_black_not_an_error(tmp_path: Path) -> None:
    assert read_picture(write(tmp_path / "flat.png", np.full((3, 3), 700, np.uint16)))[0].max() == 0


def test_what_is_transparent_is_laid_on_black(tmp_path: Path) -> None:
    bgra = np.full((2, 3, 4), 200, np.uint8)
    bgra[..., 3] = (0, 51, 255)
    rgb, rules = read_picture(write(tmp_path / "a.png", bgra))
    assert rgb[0, :, 0].tolist() == [0, 40, 200]
    assert rules == ("alpha",)
    bgra[..., 3] = 255
    assert read_picture(write(tmp_path / "b.png", bgra))[1] == ()


def test_dicom_is_shown_through_its_window_after_the_rescale(tmp_path: Path) -> None:
    tags = {"WindowCenter": [0, 5], "WindowWidth": [200, 5], "RescaleSlope": 1, "RescaleIntercept": -500}
    rgb, rules = read_picture(write_dicom(tmp_path / "w.dcm", RAMP, **tags))
    assert rgb[0, [399, 400, 450, 600, 601], 0].tolist() == [0, 0, 64, 255, 255]
    assert rules == ("window",)


def test_dicom_without_a_window_or_ending_is_scaled_and_monochrome1_inverted(tmp_path: Path) -> None:
    plain, rules = read_picture(write_dicom(tmp_path / "IM0001", RAMP))
    tags = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 10, "WindowWidth": 20}
    inverted, rules_of_inverted = read_picture(write_dicom(tmp_path / "i.dcm", RAMP, **tags))
    np.testing.assert_array_equal(plain, inverted[:, ::-1])
    assert rules_of_inverted == ("deep",)
    assert (plain[0, 0, 0], plain[0, -1, 0], rules) == (0, 255, ("deep",))
    eight = (RAMP // 4).astype(np.uint8)
    np.testing.assert_array_equal(read_picture(write_dicom(tmp_path / "8.dcm", eight))[0][..., 1], eight)


def huge_png() -> bytes:
    """A valid head that promises 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("huge.png", huge_png(), "50000 x 50000 pixels are 2500 million, more than 250. Give a smaller image"),
        ("junk.png", b"junk", "4 bytes that cannot be decoded as .png"),
        ("empty.png", b"", "the file is empty"),
        ("junk.dcm", b"x" * 300, "cannot be read as DICOM"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_picture(tmp_path / name)


def test_several_images_in_one_file_and_values_that_are_none_are_refused(tmp_path: Path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "pages.tif"), [np.zeros((4, 4), np.uint8)] * 3)
    with pytest.raises(DataError, match="has 3 pages; expected one image"):
        read_picture(tmp_path / "pages.tif")
    with pytest.raises(DataError, match="has 2 frames; expected one image"):
        read_picture(write_dicom(tmp_path / "loop.dcm", np.stack([RAMP, RAMP]), NumberOfFrames=2))
    with pytest.raises(DataError, match="no numbers"):
        read_picture(write(tmp_path / "nan.tif", np.array([[0, np.nan]], np.float32)))
    with pytest.raises(DataError, match="is not there"):
        read_picture(tmp_path / "nope.png")
