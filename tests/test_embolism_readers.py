"""Readers of the public sets of CT angiographies, on small files made in their exact layouts, traps included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from data_prep.embolism_readers import find_reader, load_volume
from layerwise.errors import DataError
from tests.ct_files import HIGH, LOW, SHAPE, SPACING, only, put_dicom, put_image, put_mat, ramp, spot


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


def put_turned(path: Path, values: np.ndarray, x: int, y: int, z: int) -> None:
    """The same voxels in the body, stored with axes that run the other way where x, y or z is -1."""
    image = sitk.GetImageFromArray(values[::z, ::y, ::x])
    image.SetSpacing(SPACING[::-1])
    image.SetDirection((x, 0, 0, 0, y, 0, 0, 0, z))
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("turns", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_a_mask_may_be_stored_along_other_axes_than_its_volume(tmp_path: Path, turns: tuple[int, int, int]) -> None:
    put_turned(tmp_path / "a" / "image.nii.gz", ramp(), -1, -1, 1)  # RAS, as neuroimaging tools write
    put_turned(tmp_path / "a" / "mask.nrrd", spot(LOW), *turns)
    np.testing.assert_array_equal(only(tmp_path).hu, ramp())
    assert (only(tmp_path).mask[LOW] == 1).all()
    assert np.sum(only(tmp_path).mask > 0) == 18


def test_a_mask_that_does_not_say_how_it_lies_lies_as_its_volume(tmp_path: Path) -> None:
    put_turned(tmp_path / "a" / "image.nrrd", ramp(), -1, 1, -1)
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 9 7 6\nencoding: raw\n\n"
    (tmp_path / "a" / "mask.nrrd").write_bytes(header.encode() + spot(LOW)[::-1, :, ::-1].tobytes())
    assert (only(tmp_path).mask[LOW] == 1).all()


def test_sagittal_slices_are_turned_to_axial_ones(tmp_path: Path) -> None:
    for name, values in (("image", ramp()), ("mask", spot(LOW))):
        image = sitk.GetImageFromArray(np.transpose(values, (2, 0, 1)))
        image.SetSpacing((SPACING[1], SPACING[0], SPACING[2]))
        image.SetDirection((0, 0, 1, 1, 0, 0, 0, 1, 0))
        (tmp_path / "a").mkdir(exist_ok=True)
        sitk.WriteImage(image, str(tmp_path / "a" / f"{name}.nrrd"))
    volume = only(tmp_path)
    np.testing.assert_array_equal(volume.hu, ramp())
    assert volume.spacing_mm == pytest.approx(SPACING)
    assert (volume.mask[LOW] == 1).all()


def test_each_dicom_slice_is_rescaled_by_its_own_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "CT_scans" / "PAT001"
    put_dicom(folder, ramp()[:3])
    put_dicom(folder, ramp(), names=[f"D{k + 1:04d}.dcm" for k in range(SHAPE[0])], slope=2.0, intercept=-500.0)
    put_dicom(folder, ramp()[:3])  # the first three again, rescaled otherwise
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW))
    np.testing.assert_allclose(only(tmp_path).hu, ramp(), atol=1)


def test_a_patient_who_lay_face_down_is_turned_over_with_the_mask(tmp_path: Path) -> None:
    put_dicom(tmp_path / "CT_scans" / "PAT001", ramp()[:, ::-1, ::-1], ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])
    put_mat(tmp_path / "GroundTruth" / "PAT001.mat", spot(LOW)[:, ::-1, ::-1])
    np.testing.assert_array_equal(only(tmp_path).hu, ramp())
    assert (only(tmp_path).mask[LOW] == 1).all()


def test_specks_of_the_annotators_pen_are_no_emboli(tmp_path: Path) -> None:
    put_image(tmp_path / "a" / "image.nrrd", ramp())
    put_image(tmp_path / "a" / "mask.nrrd", spot(LOW, (slice(5, 6), slice(6, 7), slice(8, 9))))
    assert np.sum(only(tmp_path).mask > 0) == 18


def test_an_unknown_layout_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"(?s)FUMPE.*CAD-PE.*found there: photos/"):
        find_reader(tmp_path)
