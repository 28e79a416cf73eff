"""Claims about the phantom of CT angiography: what a seed fixes, what is in the volumes, and what is on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from data_prep.embolism_phantom import SCALES, generate, plan_patients
from data_prep.embolism_phantom.patient import Plan, Scan, scan_patient
from data_prep.embolism_phantom.write import write_patient
from layerwise.errors import DataError, UsageError


def small_plan(seed: int = 4, ease: tuple[float, ...] = (0.3, 0.6, 0.9), difficulty: float = 0.25) -> Plan:
    return Plan("001", 112, 90, 56.0, 285.0, (2.5,), ease, difficulty, np.random.SeedSequence(seed))


@pytest.fixture(scope="module")
def scan() -> Scan:
    return scan_patient(small_plan())


def test_a_plan_gives_the_same_scan_each_time_and_another_seed_another(scan: Scan) -> None:
    again = scan_patient(small_plan())
    np.testing.assert_array_equal(again.hu, scan.hu)
    np.testing.assert_array_equal(again.labels, scan.labels)
    other = scan_patient(small_plan(seed=5))
    assert other.hu.shape != scan.hu.shape or np.any(other.hu != scan.hu)


def test_every_wanted_embolus_is_there_and_darker_than_the_blood(scan: Scan) -> None:
    assert sorted(set(np.unique(scan.labels)) - {0}) == [1, 2, 3]
    assert len(scan.emboli) == 3
    inside = scan.hu[scan.labels > 0]
    assert -50 < np.median(inside) < 180
    assert np.percentile(scan.hu, 99) > np.median(inside) + 100


def test_a_patient_without_emboli_has_an_empty_mask() -> None:
    assert not scan_patient(small_plan(ease=())).labels.any()


def test_the_volume_is_a_chest_in_hu(scan: Scan) -> None:
    assert scan.hu.dtype == np.int16
    lung = np.mean((scan.hu > -950) & (scan.hu < -700))
    assert 0.15 < lung < 0.6
    assert np.mean((scan.hu > 0) & (scan.hu < 120)) > 0.05  # muscle, heart
    assert scan.hu.max() > 450  # bone, vena cava
    dz, dy, dx = scan.spacing_mm
    assert dz != dy == dx


def test_more_difficulty_means_thinner_arteries() -> None:
    easy, hard = (scan_patient(small_plan(difficulty=d, ease=(0.7, 0.8, 0.9))).emboli for d in (0.0, 1.0))
    assert np.mean([e["artery_radius_mm"] for e in hard]) < np.mean([e["artery_radius_mm"] for e in easy])


@pytest.mark.parametrize(("scale", "patients", "emboli"), [("paper", 121, 326), ("demo", 48, 144), ("smoke", 12, 32)])
def test_the_plans_have_the_stated_counts_and_both_parts_have_emboli(scale: str, patients: int, emboli: int) -> None:
    plans, test = plan_patients(1, scale, 0.25)
    assert (len(plans), sum(len(plan.ease) for plan in plans)) == (patients, emboli)
    assert sum(not plan.ease for plan in plans) == SCALES[scale].n_without
    in_test = sum(len(plan.ease) for plan in plans if plan.patient_id in test)
    assert 0.25 < in_test / emboli < 0.55


def test_a_patient_is_written_as_cad_pe_has_it(tmp_path: Path) -> None:
    noted = write_patient(small_plan(), tmp_path)
    image = sitk.ReadImage(str(tmp_path / "images" / "001.nrrd"))
    mask = sitk.ReadImage(str(tmp_path / "rs" / "0001RefStd.nrrd"))
    assert image.GetSize() == mask.GetSize()
    assert image.GetSpacing() == pytest.approx(noted["spacing_mm"][::-1])
    assert sitk.GetArrayFromImage(mask).max() == len(noted["emboli"]) == 3


def test_generate_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataError, match="no phantom"):
        generate(tmp_path, scale="smoke")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("wrong", [{"scale": "huge"}, {"difficulty": 2.0}, {"seed": -1}])
def test_wrong_options_are_usage_errors(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        generate(tmp_path / "raw", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "raw").exists()
