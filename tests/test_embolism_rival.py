"""The rival of the embolism application: its features, its classifier of bags, and its answer for a drawn set."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep import embolism
from data_prep.embolism_scales import SCALES, Scale
from handcrafted.embolism import rate
from handcrafted.embolism.features import describe, describe_cube, vesselness
from handcrafted.embolism.multiple_instance import best_of_bags, fit_bags, witnesses
from handcrafted.embolism.neighbourhood import SIDE, STEP_MM, aligned_cube
from handcrafted.embolism.rival import describe_splits, wanted_candidates
from handcrafted.rival import Rated, RivalInputs
from layerwise.errors import DataError
from layerwise.files import read_csv
from tests.drawn_ct import BLOOD, CLOT, LUNG, SHAPE, SPACING, ball, cylinder, draw_case, put_case

MIDDLE = np.array(SHAPE) // 2


def drawn_vessel(axis: tuple[float, ...], clot_mm: float = 0.0) -> np.ndarray:
    """A vessel of 4 mm through the middle of a lung, with a clot in it or without."""
    point = MIDDLE * SPACING
    hu = np.full(SHAPE, LUNG)
    hu += cylinder(point, axis, 4.0) * (BLOOD - hu)
    return hu + ball(point, clot_mm) * (CLOT - hu) if clot_mm else hu


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.6, -0.5, 0.4)])
def test_in_the_cube_the_vessel_runs_along_the_first_axis(axis: tuple[float, ...]) -> None:
    cube = aligned_cube(drawn_vessel(axis), SPACING, MIDDLE.astype(float), np.array(axis) / np.linalg.norm(axis))
    inside = slice(SIDE // 2 - 10, SIDE // 2 + 10)  # within the drawn volume
    offsets = (np.arange(SIDE) - (SIDE - 1) / 2) * STEP_MM
    away = np.hypot(offsets[:, None], offsets[None])
    for plane in cube[inside]:
        assert plane[away < 2.5].min() > 250
        assert plane[(away > 5.5) & (away < 7)].max() < -600


def test_features_do_not_depend_on_which_way_the_vessel_runs() -> None:
    """The same drawn vessel along z, y and x: the same features, but for what the voxels' size does."""
    axes = np.eye(3)
    rows = [
        describe(drawn_vessel(tuple(axis), 2.5), SPACING, MIDDLE[None].astype(float), axis[None])[0] for axis in axes
    ]
    other = describe(drawn_vessel((1, 0, 0)), SPACING, MIDDLE[None].astype(float), axes[:1])[0]
    apart = np.abs(rows[0] - other).sum()
    assert np.isfinite(rows).all()
    for row in rows[1:]:
        assert np.abs(row - rows[0]).sum() < 0.35 * apart


def test_features_are_relative_to_the_blood() -> None:
    hu = drawn_vessel((1, 0, 0), 2.5)
    axis = np.array([1.0, 0, 0])
    cube = aligned_cube(hu, SPACING, MIDDLE.astype(float), axis)
    brighter = np.where(cube > 50, 50 + 1.5 * (cube - 50), cube)
    a, b = describe_cube(brighter, 50 + 1.5 * (BLOOD - 50)), describe_cube(cube, BLOOD)
    assert np.mean(np.abs(a - b)) < 0.03  # lung and its edge are what they were


def test_vesselness_is_that_of_bright_tubes() -> None:
    tube, plate, ball_, dark = (np.array(e).reshape(3, 1) for e in ([-2, -2, 0], [-2, 0, 0], [-2, -2, -2], [2, 2, 0]))
    assert vesselness(tube)[0] > 0.8
    assert vesselness(plate)[0] == pytest.approx(0, abs=1e-6)
    assert vesselness(ball_)[0] < 0.2
    assert vesselness(dark)[0] == 0


def test_of_every_positive_bag_the_best_is_a_witness_and_others_where_they_are_positive() -> None:
    bags = np.array([0, 0, 1, 1, -1, -1])
    decision = np.array([0.5, 1.0, -2.0, -1.0, 3.0, -1.0])
    assert witnesses(decision, bags).tolist() == [True, True, False, True, False, False]
    label, score = best_of_bags(decision, bags)
    assert label.tolist() == [1, 1, 0, 0]
    assert score.tolist() == [1.0, -1.0, 3.0, -1.0]


def made_up_bags(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, bags, patients, and which instances are truly positive: one of three in each of 40 bags."""
    n_bags, n_negative = 40, 200
    features = rng.normal(0, 1, (3 * n_bags + n_negative, 4))
    bags = np.concatenate([np.repeat(np.arange(n_bags), 3), np.full(n_negative, -1)])
    true = np.zeros(len(bags), bool)
    true[: 3 * n_bags : 3] = True
    features[true, 0] += 4
    patients = np.concatenate([np.repeat(np.arange(n_bags) % 10, 3), rng.integers(0, 10, n_negative)])
    return features, bags, patients, true


def test_witnesses_are_the_true_positives_of_their_bags() -> None:
    features, bags, patients, true = made_up_bags(np.random.default_rng(0))
    model = fit_bags(features, bags, patients, 1.0, 1.0, 0)
    assert model.rounds > 1
    assert 40 <= model.n_witnesses <= 55  # of 120
    scores = model.scores(features)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert np.mean(scores[true] > 0.5) > 0.9
    assert np.mean(scores[~true] > 0.5) < 0.1


def test_with_one_patient_the_first_guess_stays_and_without_a_bag_nothing_is_fitted() -> None:
    features, bags, patients, _ = made_up_bags(np.random.default_rng(1))
    model = fit_bags(features, bags, np.zeros_like(patients), 1.0, 1.0, 0)
    assert (model.rounds, model.n_witnesses) == (0, 120)
    with pytest.raises(ValueError, match="0 of 320 instances"):
        fit_bags(features, np.full_like(bags, -1), patients, 1.0, 1.0, 0)


def options(data: Path, scale: Scale) -> embolism.Options:
    return embolism.Options("embolism", data, scale, 0, "alexnet_half", False, workers=1, fraction=0.5)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> RivalInputs:
    """A drawn set of eight patients and its databases of half of the emboli."""
    place = tmp_path_factory.mktemp("rival")
    rng = np.random.default_rng(5)
    for case in range(1, 9):
        put_case(place / "set", f"{case:03d}", *draw_case(rng, 1 + case % 2))
    scale = replace(SCALES["smoke"], patches_per_candidate=4, max_train_patches=40, max_val_patches=20)
    before = Path.cwd()
    os.chdir(place)
    try:
        folder, _ = embolism.prepare(options(place / "set", scale))
    finally:
        os.chdir(before)
    return RivalInputs(place / folder.parent, place / "set", place / folder, seed=0, workers=1)


@pytest.fixture(scope="module")
def rated(inputs: RivalInputs) -> Rated:
    return rate(inputs)


def test_every_test_candidate_is_rated_once_as_predict_would(inputs: RivalInputs, rated: Rated) -> None:
    candidates = read_csv(inputs.dataset_dir / "candidates" / "candidates.csv")
    test = {row["candidate_id"]: row for row in candidates if row["split"] == "test"}
    assert rated.file == "scores.csv"
    assert rated.columns[:4] == ("key", "group_id", "label", "score")
    assert sorted(row["candidate_id"] for row in rated.rows) == sorted(test)
    for row in rated.rows:
        assert tuple(row) == rated.columns
        assert 0 <= float(row["score"]) <= 1
        own = test[row["candidate_id"]]
        assert (str(row["label"]), row["volume_id"], row["group_id"]) == (
            own["label"],
            own["volume_id"],
            own["group_id"],
        )
    assert 0 <= rated.facts["val_auc"] <= 1


def test_it_is_fitted_on_the_candidates_of_the_database_alone(inputs: RivalInputs, rated: Rated) -> None:
    """The database holds half of the emboli, so the rival knows half of them."""
    rows = read_csv(inputs.database / "patches.csv")
    for split in ("train", "val"):
        own = {row["candidate_id"]: row for row in rows if row["split"] == split}
        counted = rated.facts["fitted_on"][split]
        assert counted["candidates"] == len(own)
        assert counted["positive"] == sum(row["label"] == "1" for row in own.values())
        assert counted["patients"] == len({row["group_id"] for row in own.values()})


def test_features_do_not_depend_on_the_number_of_processes(inputs: RivalInputs) -> None:
    few = {split: found[:3] for split, found in wanted_candidates(inputs.dataset_dir, inputs.database).items()}
    one, two = (describe_splits(few, inputs.source, workers) for workers in (1, 2))
    for split in few:
        np.testing.assert_array_equal(one[split].features, two[split].features)


def test_a_volume_that_has_gone_is_named(inputs: RivalInputs, tmp_path: Path) -> None:
    put_case(tmp_path, "001", *draw_case(np.random.default_rng(5), 1))
    with pytest.raises(DataError, match="is no longer there"):
        rate(replace(inputs, source=tmp_path))
