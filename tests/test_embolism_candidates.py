"""Tobogganing, vessel axes, proposals and the hit criterion, on volumes drawn by hand."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

from data_prep.embolism_candidates import ExaminedVolume, examine
from data_prep.embolism_detector import Proposed, fit_detector, propose
from data_prep.embolism_detector.axis import gradient_per_mm, vessel_axis
from data_prep.embolism_detector.detector import APART_MM
from data_prep.embolism_detector.toboggan import toboggan
from data_prep.embolism_hits import HIT_MM, find_emboli, hit_emboli
from data_prep.embolism_readers import Volume, find_reader
from layerwise.errors import DataError
from tests.drawn_ct import BLOOD, CLOT, SHAPE, SPACING, ball, cylinder, draw_case, empty_chest, put_case


def slide(height: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """By loop: the flat index where each voxel comes to rest, -1 outside."""
    rest = np.full(height.shape, -1)
    for start in np.argwhere(inside):
        here = tuple(start)
        while True:
            near = [tuple(np.add(here, step)) for step in itertools.product((-1, 0, 1), repeat=3)]
            near = [n for n in near if all(0 <= i < m for i, m in zip(n, height.shape, strict=True)) and inside[n]]
            lowest = min(near, key=lambda n: (height[n], n))
            if lowest == here:
                break
            here = lowest
        rest[tuple(start)] = np.ravel_multi_index(here, height.shape)
    return rest


def test_toboggan_without_merging_is_the_plain_slide() -> None:
    rng = np.random.default_rng(0)
    height = rng.integers(0, 12, (5, 6, 7)).astype(np.float32)  # with ties
    inside = rng.random(height.shape) < 0.7
    basins, rest = toboggan(height, inside, 0.0), slide(height, inside)
    assert ((basins == 0) == ~inside).all()
    pairs = set(zip(basins[inside].tolist(), rest[inside].tolist(), strict=True))
    # One resting place a basin; ties of neighbouring resting places are at the same height, hence never "below" 0.
    assert len(pairs) == len({rest for _, rest in pairs}) == basins.max()


def test_basins_merge_over_low_passes_only() -> None:
    height = np.array([0, 10, 4, 30, 2], np.float32).reshape(1, 1, 5)
    inside = np.ones_like(height, bool)
    assert toboggan(height, inside, 5.0).ravel().tolist() == [1, 1, 2, 3, 3]
    assert toboggan(height, inside, 7.0).ravel().tolist() == [1, 1, 1, 2, 2]
    assert toboggan(height, inside, 40.0).ravel().tolist() == [1] * 5


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0.4, -1, 0.7), (1, 0.2, -2)])
@pytest.mark.parametrize("clot", [False, True])
def test_the_axis_of_a_drawn_vessel_is_found_within_five_degrees(axis: tuple[float, ...], clot: bool) -> None:
    middle = np.array(SHAPE) // 2
    point = middle * SPACING
    hu = np.full(SHAPE, -850.0)
    hu += cylinder(point, axis, 3.5) * (BLOOD - hu)
    if clot:
        off = np.cross(axis, (0.3, 0.5, 1.0))
        hu += ball(point + 1.0 * off / np.linalg.norm(off), 2.0) * cylinder(point, axis, 3.5) * (CLOT - hu)
    hu += np.random.default_rng(1).normal(0, 15, SHAPE)
    found = vessel_axis(gradient_per_mm(hu, SPACING), middle, SPACING)
    cosine = abs(float(found @ np.array(axis))) / float(np.linalg.norm(axis))
    assert np.linalg.norm(found) == pytest.approx(1)
    assert np.degrees(np.arccos(min(cosine, 1))) < 5


def test_every_drawn_clot_is_proposed_and_points_lie_in_vessels() -> None:
    rng = np.random.default_rng(2)
    for n in (1, 2, 3):
        hu, mask = draw_case(rng, n)
        volume = Volume("a", "a", hu, SPACING, mask.astype(np.int32))
        proposed = propose(hu, SPACING)
        assert len(proposed.points) == len(proposed.features) == len(proposed.axes)
        assert set(hit_emboli(volume, proposed.points)) - {""} == {f"a-l{k + 1}" for k in range(n)}
        assert np.all(hu[tuple(proposed.points.astype(int).T)] > -300)
        np.testing.assert_allclose(proposed.points_mm, proposed.points * SPACING)


@pytest.mark.parametrize("spacing_mm", [(4.0, 2.5, 2.5), (5.0, 4.5, 4.5)])
def test_spots_of_one_voxel_are_described(
    spacing_mm: tuple[float, float, float],
) -> None:
    hu, _ = draw_case(np.random.default_rng(6), 3)
    proposed = propose(hu, spacing_mm)
    one_voxel = proposed.features[:, 0] < np.log(1.5 * np.prod(spacing_mm))
    assert one_voxel.any()
    assert np.isfinite(proposed.features).all()
    assert np.isfinite(proposed.axes).all()


@pytest.mark.parametrize(
    "hu", [np.full(SHAPE, 40, np.int16), empty_chest().astype(np.int16)], ids=["block", "no blood"]
)
def test_a_volume_without_lung_or_without_contrast_has_no_proposals(hu: np.ndarray) -> None:
    assert propose(hu, SPACING).points.shape == (0, 3)


def test_a_point_hits_the_nearest_embolus_within_the_stated_mm() -> None:
    mask = np.zeros(SHAPE, np.int32)
    mask[10, 10, 10], mask[10, 10, 20] = 1, 2
    volume = Volume("v", "p", np.zeros(SHAPE, np.int16), SPACING, mask)
    reach = int(HIT_MM / SPACING[2])
    points = np.array([[10, 10, 10], [10, 10, 10 + reach], [10, 10, 11 + reach], [10, 10, 21], [30, 3, 3]], float)
    assert hit_emboli(volume, points) == ("v-l1", "v-l1", "", "v-l2", "")
    first, second = find_emboli(volume)
    assert (first.lesion_id, first.middle, second.middle) == ("v-l1", (10, 10, 10), (10, 10, 20))
    assert first.volume_mm3 == pytest.approx(np.prod(SPACING))


def made_up(rng: np.random.Generator, n_hits: int) -> tuple[Proposed, tuple[str, ...]]:
    features = rng.normal(0, 1, (300, 14))
    features[:n_hits, 0] += 3
    points = rng.uniform(0, 200, (300, 3))
    return Proposed(points, points, features, np.ones((300, 3))), ("x",) * n_hits + ("",) * (300 - n_hits)


def test_the_fitted_rule_keeps_hits_above_others_and_its_stated_number_of_them() -> None:
    rng = np.random.default_rng(3)
    volumes = [made_up(rng, 4) for _ in range(6)]
    detector = fit_detector([one for one, _ in volumes], [hits for _, hits in volumes])
    false, found = 0, 0
    for one, hits in volumes:
        kept, scores = detector.select(one)
        assert np.all(np.diff(scores) <= 0)
        false += sum(not hits[k] for k in kept)
        found += sum(bool(hits[k]) for k in kept)
        apart = np.linalg.norm(one.points_mm[kept][:, None] - one.points_mm[kept], axis=2)
        assert apart[~np.eye(len(kept), dtype=bool)].min() > APART_MM
    assert found >= 20
    assert false / 6 == pytest.approx(46, abs=1.1)


def test_a_rule_cannot_be_fitted_without_hits() -> None:
    one, hits = made_up(np.random.default_rng(4), 0)
    with pytest.raises(DataError, match=r"300 dark spots .* 0 lie in an embolus"):
        fit_detector([one], [hits])


def test_what_is_kept_of_a_volume_does_not_grow_with_its_voxels(tmp_path: Path) -> None:
    """So memory does not depend on how many volumes a set has: only proposals and outlines' middles stay."""
    hu, mask = draw_case(np.random.default_rng(7), 2)
    fine = [np.repeat(np.repeat(values, 2, axis=1), 2, axis=2) for values in (hu, mask)]
    sizes = []
    for name, values in (("001", (hu, mask)), ("002", fine)):
        put_case(tmp_path / name, name, *values)
        (ref,) = find_reader(tmp_path / name).index(tmp_path / name)
        examined = examine(ref)
        assert isinstance(examined, ExaminedVolume)
        proposals = max(len(examined.proposed.points), 1)
        sizes.append(len(pickle.dumps(examined)) / proposals)
    assert sizes[1] < 1.5 * sizes[0] < 1000
