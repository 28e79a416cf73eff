"""CT angiographies that cannot be used: what is said of each, and that one among many is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from layerwise.errors import DataError
from tests.ct_files import LOW, SHAPE, only, put_dicom, put_image, put_mat, ramp, spot


def test_missing_slices_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "CT_scans" / "PAT001"
    put_dicom(folder, ramp())
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    (folder / "D0003.dcm").unlink()
    with pytest.raises(DataError, match=r"2\.50 mm lie between D0002\.dcm and D0004\.dcm.*1 slices are missing"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PixelSpacing": None}, r"no \(0028,0030\)"),
        ({"ImagePositionPatient": None}, r"no \(0020,0032\)"),
        ({"ImagePositionPatient": [0, 0, 5]}, "same position"),
        ({"PixelSpacing": [0.0, 0.7]}, "spacing of its pixels"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, 1]}, "not axial"),
    ],
)
def test_a_series_without_geometry_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp(), **changes)
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    with pytest.raises(DataError, match=said):
        only(tmp_path)


def test_two_series_in_one_folder_are_refused(tmp_path: Path) -> None:
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp())
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp()[:2], names=["X1.dcm", "X2.dcm"], series="9.9")
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    with pytest.raises(DataError, match="holds 2 series"):
        only(tmp_path)


def test_a_header_without_spacing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 9 7 6\nencoding: raw\nendian: little\n\n"
    (tmp_path / "a" / "image.nrrd").write_bytes(header.encode() + ramp().tobytes())
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW))
    with pytest.raises(DataError, match="spacing of its voxels is absent"):
        only(tmp_path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_voxels_that_are_not_numbers_are_counted(tmp_path: Path, suffix: str) -> None:
    hu = ramp().astype(np.float32)
    hu[2, 3, 4:6] = np.nan
    hu[0, 0, 0] = np.inf
    put_image(tmp_path / "a" / f"image{suffix}", hu)
    put_image(tmp_path / "a" / f"mask{suffix}", spot(LOW))
    with pytest.raises(DataError, match=rf"image{suffix}: 3 voxels are not numbers"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (ramp(), spot(LOW)[:5], "5x7x9 voxels.*6x7x9"),
        (ramp() * np.float32(400.0), spot(LOW), "no HU"),
        (np.zeros(SHAPE, np.int16), spot(LOW), "every voxel is 0"),
        (ramp(), spot(LOW) * np.float32(0.5), "not whole numbers"),
    ],
)
def test_wrong_values_and_shapes_are_refused(tmp_path: Path, image: np.ndarray, mask: np.ndarray, said: str) -> None:
    put_image(tmp_path / "a" / "image.nrrd", image)
    put_image(tmp_path / "a" / "mask.nrrd", mask)
    with pytest.raises(DataError, match=said):
        only(tmp_path)


def test_files_that_are_cut_off_or_missing_are_named(tmp_path: Path) -> None:
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW))
    put_image(tmp_path / "a" / "image.nrrd", ramp())
    image = tmp_path / "a" / "image.nrrd"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(DataError, match=r"image\.nrrd: the volume cannot be read"):
        only(tmp_path)
    put_dicom(tmp_path / "b" / "CT_scans" / "PAT001", ramp())
    (tmp_path / "b" / "GroundTruth").mkdir()
    with pytest.raises(DataError, match=r"PAT001\.mat: the mask is missing"):
        only(tmp_path / "b")
    (tmp_path / "b" / "GroundTruth" / "PAT001.mat").write_bytes(b"MATLAB 5.0, they said")
    with pytest.raises(DataError, match="cannot be read as MATLAB"):
        only(tmp_path / "b")


def test_a_header_that_asks_for_more_than_any_scan_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    size = "sizes: 4096 4096 4096\nspacings: 1 1 2\n"
    header = f"NRRD0004\ntype: short\ndimension: 3\n{size}encoding: gzip\nendian: little\n\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "image.nrrd").write_bytes(header.encode() + b"\0" * 50)
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW))
    with pytest.raises(DataError, match=r"image\.nrrd: its header says 4096x4096x4096 voxels"):
        only(tmp_path)


def test_several_numbers_a_voxel_and_other_dimensions_are_refused(tmp_path: Path) -> None:
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW))
    sitk.WriteImage(sitk.GetImageFromArray(ramp()[0]), str(tmp_path / "a" / "image.nrrd"))
    with pytest.raises(DataError, match="found 2 dimensions and 1 numbers"):
        only(tmp_path)
    colours = sitk.GetImageFromArray(np.zeros((*SHAPE, 3), np.uint8), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "a" / "image.nrrd"))
    with pytest.raises(DataError, match="found 3 dimensions and 3 numbers"):
        only(tmp_path)


def test_a_slice_that_is_cut_off_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "CT_scans" / "PAT001"
    put_dicom(folder, ramp())
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    damaged = folder / "D0004.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"D0004\.dcm"):
        only(tmp_path)
    damaged.write_bytes(b"no DICOM at all")
    with pytest.raises(DataError, match=r"D0004\.dcm: cannot be read as DICOM"):
        only(tmp_path)


def test_a_lost_last_slice_shows_by_its_mask(tmp_path: Path) -> None:
    folder = tmp_path / "CT_scans" / "PAT001"
    put_dicom(folder, ramp())
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    (folder / f"D{SHAPE[0]:04d}.dcm").unlink()
    with pytest.raises(DataError, match=r"PAT001\.mat: the mask has 6x7x9 voxels.*its volume 5x7x9"):
        only(tmp_path)


def test_a_mask_that_is_not_transposed_is_refused(tmp_path: Path) -> None:
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp())
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", np.transpose(spot(LOW), (2, 0, 1)))  # saved as (z, y, x)
    with pytest.raises(DataError, match=r"the mask has 9x6x7 voxels"):
        only(tmp_path)
