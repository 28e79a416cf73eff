"""The detector's edges: what describes them, which are a polyp's, how they vote, and that no video judges itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from data_prep.polyp_detector import edge_classifier
from data_prep.polyp_detector import edges as edges_module
from data_prep.polyp_detector.edge_classifier import EdgeSample, fit_edge_classifiers, sample_edges
from data_prep.polyp_detector.edges import Edges, find_edges, is_polyp_edge
from data_prep.polyp_detector.voting import RADII_PX, edge_field, propose
from data_prep.polyp_detector.working_image import WORKING_SIDE_PX, WorkingImage, prepare
from layerwise.errors import DataError

SHAPE = (WORKING_SIDE_PX, 256)
CENTRE, RADIUS = (120.0, 90.0), 34.0


def picture(texture: float = 0.0, seed: int = 0) -> np.ndarray:
    """Mucosa with a redder disc, at the working size, so that positions need no conversion."""
    noise = np.random.default_rng(seed).normal(0, texture, (*SHAPE, 1))
    image = np.full((*SHAPE, 3), (150.0, 90.0, 70.0)) + noise
    image[disc_mask() > 0] *= (1.3, 0.9, 0.9)
    return image.clip(0, 255).astype(np.uint8)


def disc_mask() -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (np.hypot(columns - CENTRE[0], rows - CENTRE[1]) < RADIUS).astype(np.uint8)


def to_centre(found: Edges) -> np.ndarray:
    offset = np.array(CENTRE) - found.xy_px
    return offset / np.linalg.norm(offset, axis=1, keepdims=True)


def test_every_edge_comes_from_both_sides_and_one_of_them_is_the_inside_of_the_disc() -> None:
    found = find_edges(prepare(picture()))
    half = len(found.xy_px) // 2
    np.testing.assert_array_equal(found.xy_px[:half], found.xy_px[half:])
    np.testing.assert_array_equal(found.inward[:half], -found.inward[half:])
    np.testing.assert_allclose(np.linalg.norm(found.inward, axis=1), 1, rtol=1e-5)
    distance = np.linalg.norm(found.xy_px - CENTRE, axis=1)
    assert half > 100
    assert np.abs(distance - RADIUS).max() < 3
    # The disc is redder: the gradient, which comes first, points into it.
    assert ((found.inward[:half] * to_centre(found)[:half]).sum(1) > 0.9).all()


def test_the_other_side_is_described_by_the_patch_turned_by_half_a_circle() -> None:
    image = prepare(picture(texture=12.0))
    found = find_edges(image)
    half = len(found.xy_px) // 2
    again = edges_module._describe(image, found.xy_px[half:], found.inward[half:])
    np.testing.assert_allclose(found.descriptors[half:], again, atol=2e-3)
    assert np.abs(found.descriptors[half:] - found.descriptors[:half]).max() > 0.1


def test_descriptors_do_not_know_which_way_the_edge_lies() -> None:
    # A quarter turn of the picture turns every patch with it.
    def mean_of_the_insides(image_rgb: np.ndarray) -> np.ndarray:
        found = find_edges(prepare(image_rgb))
        return found.descriptors[: len(found.xy_px) // 2].mean(0)

    square = np.full((SHAPE[0], SHAPE[0], 3), 100, np.uint8)
    square[:, 90] = (125, 100, 100)  # so that the steepest place is a pixel, not between two
    square[:, 91:] = (150, 100, 100)
    upright, turned = mean_of_the_insides(square), mean_of_the_insides(np.rot90(square).copy())
    np.testing.assert_allclose(upright, turned, atol=0.05)
    assert np.abs(upright).max() > 1


def test_an_edge_is_a_polyps_on_its_outline_and_from_the_inside_only() -> None:
    found = find_edges(prepare(picture()))
    half = len(found.xy_px) // 2
    truth = is_polyp_edge(found, disc_mask(), SHAPE)
    assert truth[:half].mean() > 0.98
    assert not truth[half:].any()
    assert not is_polyp_edge(found, np.roll(disc_mask(), 80, axis=1), SHAPE)[np.abs(to_centre(found)[:, 1]) > 0.8].any()
    assert not is_polyp_edge(found, np.zeros(SHAPE, np.uint8), SHAPE).any()


def test_the_mask_may_have_another_size_than_the_working_image() -> None:
    found = find_edges(prepare(picture()))
    large = np.kron(disc_mask(), np.ones((3, 3), np.uint8))
    same = is_polyp_edge(found, large, SHAPE) == is_polyp_edge(found, disc_mask(), SHAPE)
    assert same.mean() > 0.98


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for what `synthetic` asks."""
    monkeypatch.setitem(edge_classifier.TREES, "max_iter", 12)


def synthetic(group_id: str, reverse: bool = False, marker: float = 0.0) -> EdgeSample:
    """Edges whose first number says what they are; in a reversed video it says the opposite, and a marker tells so."""
    values = np.random.default_rng(len(group_id)).normal(0, 1, (300, 3)).astype(np.float32)
    values[:, 1] = marker
    return EdgeSample(group_id, values, (values[:, 0] > 0) != reverse)


@pytest.mark.usefixtures("few_trees")
def test_a_training_video_is_judged_by_trees_that_never_saw_it() -> None:
    odd = synthetic("odd", reverse=True, marker=5.0)
    fitted = fit_edge_classifiers([synthetic("b"), synthetic("cc"), odd, synthetic("dddd"), synthetic("eeeee")])
    found = Edges(np.zeros((300, 2)), np.zeros((300, 2)), odd.descriptors, 1.0)
    assert roc_auc_score(odd.is_polyp, fitted.probability(found, "odd")) < 0.1
    assert roc_auc_score(odd.is_polyp, fitted.probability(found, "a video of the test set")) > 0.9
    assert fitted.record["folds"] == 3
    assert 0.6 < fitted.record["auc_on_held_out_groups"] < 0.95  # four of five videos agree


@pytest.mark.usefixtures("few_trees")
def test_the_same_edges_give_the_same_trees_with_any_number_of_workers() -> None:
    samples = [synthetic(name) for name in ("a", "bb", "ccc")]
    one = fit_edge_classifiers(samples).record
    assert fit_edge_classifiers(samples, workers=2).record == one
    assert fit_edge_classifiers(samples[:2]).record["sha256_of_answers"] != one["sha256_of_answers"]


@pytest.mark.usefixtures("few_trees")
def test_lesions_in_one_video_only_leave_no_video_to_hold_out() -> None:
    without = [replace(synthetic(name), is_polyp=np.zeros(300, bool)) for name in ("a", "bb")]
    fitted = fit_edge_classifiers([synthetic("ccc"), *without])
    found = Edges(np.zeros((300, 2)), np.zeros((300, 2)), synthetic("ccc").descriptors, 1.0)
    assert roc_auc_score(synthetic("ccc").is_polyp, fitted.probability(found, "ccc")) > 0.9


@pytest.mark.parametrize("kind", [True, False])
def test_edges_of_one_kind_are_refused(kind: bool) -> None:
    with pytest.raises(DataError, match=r"edges in 1 training frames .* needs both kinds"):
        fit_edge_classifiers([replace(synthetic("a"), is_polyp=np.full(300, kind))])


def test_more_frames_give_fewer_edges_each() -> None:
    found = find_edges(prepare(picture(texture=12.0)))
    truth = is_polyp_edge(found, disc_mask(), SHAPE)
    assert 20 < truth.sum() < len(truth) / 2
    for n_frames, most in ((10_000, 2), (1_600, 10)):
        few = sample_edges(found, truth, "a", n_frames)
        assert (few.is_polyp.sum(), (~few.is_polyp).sum()) == (most, most)


def circle(n: int, arcs: tuple[tuple[float, float], ...], share: float = 1.0) -> Edges:
    angles = np.concatenate([np.linspace(a, b, n) for a, b in arcs])
    out = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    centre = np.array(CENTRE, np.float32)
    descriptors = np.zeros((len(out), edges_module.N_DESCRIPTORS), np.float32)
    return Edges(np.round(centre + RADII_PX[5] * out), -out, descriptors, share)


def best_vote(found: Edges) -> tuple[float, float, float]:
    """Vote, weakest eighths, and distance from CENTRE, of the best closed outline that these edges make."""
    flat = np.zeros(SHAPE, np.float32)
    image = WorkingImage(np.zeros((*SHAPE, 3), np.float32), flat, flat, flat, np.ones(SHAPE, bool), 1.0)
    proposals = propose(image, found, np.ones(len(found.xy_px), np.float32))
    best = np.argmax(proposals.vote)
    distance = np.linalg.norm(proposals.centre_px[best] - CENTRE)
    return float(proposals.vote[best]), float(proposals.weakest[best]), float(distance)


def test_a_closed_outline_has_all_votes_and_two_opposite_arcs_have_not() -> None:
    vote, weakest, distance = best_vote(circle(150, ((0, 2 * np.pi),)))
    assert vote > 0.95
    assert weakest > 0.95
    assert distance < RADII_PX[5] / 3
    vote, weakest, _ = best_vote(circle(40, ((-0.4, 0.4), (np.pi - 0.4, np.pi + 0.4))))
    assert vote < 0.6
    assert weakest < 0.1


def test_votes_do_not_depend_on_how_many_of_the_edges_were_looked_at() -> None:
    assert best_vote(circle(50, ((0, 2 * np.pi),), share=1 / 3))[0] == pytest.approx(
        best_vote(circle(150, ((0, 2 * np.pi),)))[0], abs=0.05
    )


@pytest.mark.parametrize("every", [1, 2])
def test_the_field_of_a_straight_edge_is_its_probability_on_itself(every: int) -> None:
    columns = np.arange(20, 220, every, dtype=np.float32)
    place = np.stack([columns, np.full_like(columns, 90)], 1)
    inward = np.tile(np.array([[0.0, -1.0]], np.float32), (len(columns), 1))
    found = Edges(place, inward, np.zeros((len(columns), 1), np.float32), 1 / every)
    field = edge_field(SHAPE, found, np.full(len(columns), 0.8, np.float32))
    np.testing.assert_allclose(field[90, 60:180], np.tile([0, -0.8, 0.8], (120, 1)), atol=0.02)
    assert np.abs(field[110]).max() < 1e-3
