"""How patches are cut from images and boxes of any size, and planned."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.custom_index import IndexedItem
from data_prep.custom_patches import SCALES, WHOLE_TRANSFORMS, cut, plan_patches, transforms_of
from data_prep.fractions import Fraction
from data_prep.patches import extract
from layerwise.errors import DataError
from layerwise.records import PatchTransform

SIZE = 131


def test_a_whole_image_is_seen_to_its_edges() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[0], image[-1], image[:, 0], image[:, -1] = 50, 100, 150, 200
    patch = extract(image, (0.0, 0.0, 80.0, 40.0), WHOLE_TRANSFORMS[0], 80)
    np.testing.assert_array_equal(patch[20:60], image)
    np.testing.assert_array_equal(patch[19], image[1])  # continued by reflection


def test_a_large_image_is_shrunk_once_to_nearly_the_same_patches(tmp_path: Path) -> None:
    fine = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.float32)
    image = cv2.resize(fine, (900, 600), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "i.png"), image[..., ::-1])
    specs = [((0.0, 0.0, 900.0, 600.0), way) for way in WHOLE_TRANSFORMS[::7]]
    for patch, (box, way) in zip(cut(tmp_path / "i.png", specs, SIZE), specs, strict=True):
        assert np.abs(patch.astype(int) - extract(image, box, way, SIZE)).mean() < 3


def test_upright_images_are_only_mirrored_left_to_right() -> None:
    item = IndexedItem("i", Path("i.png"), "g", "train", 0, (0.0, 0.0, 9.0, 9.0), is_box=False)
    assert {way.dihedral for way in transforms_of(item, 20, 0, upright=True)} == {0, 4}
    free = transforms_of(item, 80, 0, upright=False)
    assert {way.dihedral for way in free} == set(range(8))
    assert len(set(free)) == 80 and free[0] == PatchTransform() and free[:9] == transforms_of(item, 9, 0, upright=False)


def test_a_split_without_images_of_a_class_is_refused_when_planned() -> None:
    items = [IndexedItem(f"{k}", Path("x"), f"{k}", "train", k % 2, (0.0, 0.0, 9.0, 9.0), False) for k in range(4)]
    whole = Fraction(1.0, "group", frozenset(("train", item.group_id) for item in items))
    with pytest.raises(DataError, match="the val split has 0 images"):
        plan_patches(items, ("a", "b"), SCALES["smoke"], 0, upright=False, patch_level_validation=False, reduced=whole)
