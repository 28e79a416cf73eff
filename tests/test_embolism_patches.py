"""Vessel-aligned patches: what stands where in them, on vessels drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.embolism_patches import (
    TRANSFORMS,
    PatchSpec,
    VesselTransform,
    choose_transforms,
    extract,
    vessel_frame,
    window,
)
from tests.drawn_ct import BLOOD, CLOT, SHAPE, SPACING, ball, cylinder

POINT = (17.0, 30.0, 34.0)
CENTRE_MM = np.array(POINT) * SPACING
RADIUS_MM = 3.0
SIZE = 60


def unit(axis: tuple[float, ...]) -> tuple[float, float, float]:
    z, y, x = np.array(axis) / np.linalg.norm(axis)
    return float(z), float(y), float(x)


def vessel(axis: tuple[float, ...]) -> np.ndarray:
    """Blood in what is as far below the middle of the window as the blood is above it."""
    hu = np.full(SHAPE, -150.0)
    return np.rint(hu + cylinder(CENTRE_MM, axis, RADIUS_MM, soft_mm=1.6) * (BLOOD - hu)).astype(np.int16)


def shape_of(view: np.ndarray, width_mm: float) -> tuple[float, float]:
    """(height, width) in mm of what is bright, by counting the bright pixels in the middle column and row."""
    bright = view > 128
    middle = len(view) // 2
    return bright[:, middle].sum() * width_mm / len(view), bright[middle].sum() * width_mm / len(view)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0.5, 1, -0.3), (1, 0.4, 1)])
@pytest.mark.parametrize("rotation_deg", [0.0, 30.0, 120.0])
@pytest.mark.parametrize("width_mm", [10.0, 15.0, 20.0])
def test_the_cross_section_is_a_disc_and_the_longitudinal_view_a_band(
    axis: tuple[float, ...], rotation_deg: float, width_mm: float
) -> None:
    patch = extract(
        vessel(axis), SPACING, PatchSpec(POINT, unit(axis), VesselTransform(width_mm, 0, rotation_deg)), SIZE
    )
    assert (patch.shape, patch.dtype) == ((SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(patch[..., 1], patch[..., 2])
    assert shape_of(patch[..., 0], width_mm) == pytest.approx((2 * RADIUS_MM,) * 2, abs=0.7)
    height, width = shape_of(patch[..., 1], width_mm)
    assert height == pytest.approx(2 * RADIUS_MM, abs=0.7)
    assert width == width_mm


@pytest.mark.parametrize(("shift", "column"), [(0.0, 0.5), (0.2, 0.3), (-0.2, 0.7)])
def test_a_clot_stands_in_the_middle_and_moves_along_with_the_shift(shift: float, column: float) -> None:
    axis = unit((1.0, 0.2, 0.4))
    hu = vessel(axis) + ball(CENTRE_MM, 1.5) * (CLOT - BLOOD)
    patch = extract(hu.astype(np.int16), SPACING, PatchSpec(POINT, axis, VesselTransform(20.0, shift, 0.0)), SIZE)
    longitudinal = patch[SIZE // 2 - 2 : SIZE // 2 + 2, :, 1].astype(float).mean(axis=0)
    assert np.argmin(longitudinal) / SIZE == pytest.approx(column, abs=0.04)
    in_cross = patch[SIZE // 2, SIZE // 2, 0]
    assert (in_cross < 150) == (shift == 0.0)


def test_turning_the_cross_section_turns_what_is_beside_the_vessel() -> None:
    axis, beside = (1.0, 0.0, 0.0), CENTRE_MM + np.array([0.0, 0.0, 6.5])
    hu = vessel(axis) + (ball(beside, 2.0) * 1000).astype(np.int16)
    angles = []
    for turn in (0.0, 30.0, 90.0):
        view = extract(hu, SPACING, PatchSpec(POINT, axis, VesselTransform(20.0, 0.0, turn)), SIZE)[..., 0]
        y, x = np.indices(view.shape) - (SIZE - 1) / 2
        seen = (view > 128) & (np.hypot(y, x) * 20 / SIZE > 4.5)
        angles.append(np.degrees(np.arctan2(-y[seen].mean(), x[seen].mean())))
    assert angles[0] == pytest.approx(0, abs=4)  # x, the patient's left, is right
    assert abs(angles[1]) == pytest.approx(30, abs=4)
    assert abs(angles[2]) == pytest.approx(90, abs=4)
    assert np.sign(angles[1]) == np.sign(angles[2])


@pytest.mark.parametrize("axis", [(1, 0, 0), (0.99999, 0.001, 0.0), (0, 1, 0), (0.3, -0.5, 0.8)])
@pytest.mark.parametrize("rotation_deg", [0.0, 47.0])
def test_the_frame_is_orthonormal(axis: tuple[float, ...], rotation_deg: float) -> None:
    frame = np.stack(vessel_frame(np.array(axis, float), rotation_deg))
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9)


def test_beyond_the_volume_the_nearest_voxel_goes_on() -> None:
    hu = np.full(SHAPE, 100, np.int16)
    patch = extract(hu, SPACING, PatchSpec((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), VesselTransform(20.0)), 20)
    assert np.unique(patch).tolist() == [window(np.array(100.0))]


def test_the_window_is_that_for_emboli() -> None:
    assert window(np.array([-1000.0, -250.0, 100.0, 450.0, 2000.0])).tolist() == [0, 0, 128, 255, 255]


def test_the_transforms_are_the_papers() -> None:
    assert len(set(TRANSFORMS)) == len(TRANSFORMS) == 3 * 3 * 6
    assert {t.width_mm for t in TRANSFORMS} == {10, 15, 20}
    assert {t.shift for t in TRANSFORMS} == {-0.2, 0, 0.2}
    chosen = choose_transforms("a-c1", 20, 0)
    assert chosen[0] == VesselTransform(15.0, 0.0, 0.0)
    assert len(set(chosen)) == 20
    assert chosen == choose_transforms("a-c1", 20, 0) != choose_transforms("a-c2", 20, 0)
    assert set(choose_transforms("a-c1", 54, 0)) == set(TRANSFORMS)
