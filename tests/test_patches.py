"""How a patch is cut, turned and resized."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.patches import TRANSFORMS, choose_transforms, dihedral_variant, extract
from layerwise.records import PatchTransform


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    """Every pixel says where it is: red its column, green its row."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([columns, rows, np.full_like(rows, 7)]).astype(np.uint8)


def test_there_are_120_transforms_as_in_the_paper() -> None:
    assert len(set(TRANSFORMS)) == 3 * 5 * 8 == 120
    assert {t.scale for t in TRANSFORMS} == {1.0, 1.2, 1.5}
    assert {(t.shift_x, t.shift_y) for t in TRANSFORMS} == {(0, 0), (0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)}
    assert TRANSFORMS[0] == PatchTransform()


def test_untouched_square_box_is_that_part_of_the_image() -> None:
    image = picture()
    patch = extract(image, (10, 5, 30, 25), PatchTransform(), 20)
    np.testing.assert_array_equal(patch, image[5:25, 10:30])


def test_box_becomes_a_square_on_its_longer_side_with_the_same_centre() -> None:
    image = picture()
    np.testing.assert_array_equal(extract(image, (10, 10, 30, 20), PatchTransform(), 20), image[5:25, 10:30])


def test_scale_is_about_the_centre() -> None:
    image = picture()
    patch = extract(image, (20, 10, 40, 30), PatchTransform(scale=1.5), 30)
    np.testing.assert_array_equal(patch, image[5:35, 15:45])


def test_shift_is_a_fraction_of_the_resized_box() -> None:
    image = picture()
    patch = extract(image, (20, 10, 40, 30), PatchTransform(scale=1.5, shift_x=0.1, shift_y=-0.1), 30)
    np.testing.assert_array_equal(patch, image[2:32, 18:48])


def test_outside_the_image_is_reflected_without_repeating_the_border() -> None:
    image = picture()
    patch = extract(image, (-4, -2, 6, 8), PatchTransform(), 10)
    assert patch[0, :, 0].tolist() == [4, 3, 2, 1, 0, 1, 2, 3, 4, 5]
    assert patch[:, 0, 1].tolist() == [2, 1, 0, 1, 2, 3, 4, 5, 6, 7]
    far = extract(image, (50, 30, 70, 50), PatchTransform(), 20)
    assert far[0, :, 0].tolist() == [*range(50, 60), *range(58, 48, -1)]


def test_a_box_larger_than_the_image_is_reflected_more_than_once() -> None:
    patch = extract(picture(3, 3), (-4, -4, 7, 7), PatchTransform(), 11)
    assert patch[0, :, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]


def test_shrinking_takes_the_mean_over_areas() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[::2] = 200
    assert np.unique(extract(image, (0, 0, 8, 8), PatchTransform(), 4)).tolist() == [100]


def test_dihedral_variants_are_the_eight_symmetries() -> None:
    patch = np.arange(4, dtype=np.uint8).reshape(2, 2)[:, :, None]
    variants = {tuple(dihedral_variant(patch, k).ravel().tolist()) for k in range(8)}
    assert len(variants) == 8
    assert dihedral_variant(patch, 0).ravel().tolist() == [0, 1, 2, 3]
    assert dihedral_variant(patch, 4).ravel().tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize("n", [1, 6, 120])
def test_chosen_transforms_differ_and_start_with_the_untouched_box(n: int) -> None:
    chosen = choose_transforms("1_1-c1", n, seed=0)
    assert len(set(chosen)) == n
    assert chosen[0] == PatchTransform()
    assert chosen == choose_transforms("1_1-c1", n, seed=0)


def test_chosen_transforms_depend_on_candidate_and_seed() -> None:
    assert choose_transforms("1_1-c1", 6, seed=0) != choose_transforms("1_1-c2", 6, seed=0)
    assert choose_transforms("1_1-c1", 6, seed=0) != choose_transforms("1_1-c1", 6, seed=1)
