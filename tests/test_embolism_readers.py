"""Readers of the public sets of CT angiographies, on small files made in their exact layouts, traps included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import scipy.io
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from data_prep.embolism_readers import Volume, find_reader, load_volume
from layerwise.errors import DataError

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
        meta.MediaStorageSOPInstanceUID = f"1.2.3.{k + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
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


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_fumpe_is_sorted_by_position_rescaled_and_its_mask_transposed(tmp_path: Path, slope: float) -> None:
    put_dicom(tmp_path / "FUMPE" / "CT_scans" / "PAT007", ramp(), slope=slope)
    put_mat(tmp_path / "FUMPE" / "GroundTruth" / "PAT007.mat", spot(LOW, HIGH))
    volume = only(tmp_path)
    assert (volume.volume_id, volume.group_id) == ("PAT007", "PAT007")
    np.testing.assert_array_equal(volume.hu, ramp())
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert np.unique(volume.mask[LOW]).tolist() == [1]
    assert np.unique(volume.mask[HIGH]).tolist() == [2]
    assert np.sum(volume.mask > 0) == 36


def test_a_fumpe_masks_slices_follow_the_names_where_these_run_against_the_positions(tmp_path: Path) -> None:
    names = [f"I{len(ramp()) - k}.dcm" for k in range(SHAPE[0])]  # the highest slice is I1
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp(), names=names)
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW)[::-1])
    volume = only(tmp_path)
    np.testing.assert_array_equal(volume.hu, ramp())
    assert np.unique(volume.mask[LOW]).tolist() == [1]
    assert np.sum(volume.mask > 0) == 18


def test_dicom_names_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    hu = ramp((12, 4, 4))
    put_dicom(tmp_path / "CT_scans" / "PAT001", hu, names=[f"I{k}.dcm" for k in range(1, 13)])
    mask = np.zeros(hu.shape, bool)
    mask[9, 1:3, 1:3] = mask[10, 1:3, 1:3] = True
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", mask)
    np.testing.assert_array_equal(only(tmp_path).mask, mask)


def test_cad_pe_pairs_numbers_of_other_lengths_and_keeps_touching_emboli_apart(tmp_path: Path) -> None:
    touching = (slice(0, 2), slice(4, 7), slice(2, 5))
    for case, mask_name in (("002", "0002RefStd"), ("010", "0010RefStd"), ("e0032", "e0032RefStd")):
        put_image(tmp_path / "CAD-PE" / "images" / f"{case}.nrrd", ramp())
        put_image(tmp_path / "CAD-PE" / "rs" / f"{mask_name}.nrrd", spot(LOW, touching, values=(1, 7)))
    refs = find_reader(tmp_path).index(tmp_path)
    assert [ref.volume_id for ref in refs] == ["002", "010", "e0032"]
    volume = load_volume(refs[0])
    np.testing.assert_array_equal(volume.hu, ramp())
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert (volume.mask[LOW] == 1).all()
    assert (volume.mask[touching] == 2).all()


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_folders_of_ones_own_may_have_any_format(tmp_path: Path, suffix: str) -> None:
    put_image(tmp_path / "case1" / f"image{suffix}", ramp().astype(np.float32))
    put_image(tmp_path / "case1" / f"mask{suffix}", spot(LOW))
    volume = only(tmp_path)
    np.testing.assert_array_equal(volume.hu, ramp())
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert volume.mask.sum() == 18


def test_a_volume_stored_from_the_top_is_turned_over_with_its_mask(tmp_path: Path) -> None:
    for name, values in (("image", ramp()), ("mask", spot(LOW))):
        image = sitk.GetImageFromArray(values[::-1])
        image.SetSpacing(SPACING[::-1])
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        (tmp_path / "a").mkdir(exist_ok=True)
        sitk.WriteImage(image, str(tmp_path / "a" / f"{name}.nrrd"))
    np.testing.assert_array_equal(only(tmp_path).hu, ramp())
    assert (only(tmp_path).mask[LOW] == 1).all()


def test_specks_of_the_annotators_pen_are_no_emboli(tmp_path: Path) -> None:
    put_image(tmp_path / "a" / "image.nrrd", ramp())
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW, (slice(5, 6), slice(6, 7), slice(8, 9))))
    assert np.sum(only(tmp_path).mask > 0) == 18


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


def bad_pair(folder: Path, image: np.ndarray, mask: np.ndarray) -> None:
    put_image(folder / "image.nrrd", image)
    put_image(folder / "mask.nrrd", mask)


def with_nan() -> np.ndarray:
    hu = ramp().astype(np.float32)
    hu[2, 3, 4] = np.nan
    return hu


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (ramp(), spot(LOW)[:5], "5x7x9 voxels.*6x7x9"),
        (with_nan(), spot(LOW), "1 voxels are not numbers"),
        (ramp() * np.float32(400.0), spot(LOW), "no HU"),
        (np.zeros(SHAPE, np.int16), spot(LOW), "every voxel is 0"),
        (ramp(), spot(LOW) * np.float32(0.5), "not whole numbers"),
    ],
)
def test_wrong_values_and_shapes_are_refused(tmp_path: Path, image: np.ndarray, mask: np.ndarray, said: str) -> None:
    bad_pair(tmp_path / "a", image, mask)
    with pytest.raises(DataError, match=said):
        only(tmp_path)


def test_files_that_are_cut_off_or_missing_are_named(tmp_path: Path) -> None:
    bad_pair(tmp_path / "a", ramp(), spot(LOW))
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


def test_an_unknown_layout_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"(?s)FUMPE.*CAD-PE.*found there: photos/"):
        find_reader(tmp_path)
