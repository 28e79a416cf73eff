"""Figures: what is drawn where, that the same numbers give the same bytes, and that a page can hold several."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from eval.figures import TrainCurve, convergence_figure, froc_figure, inline, roc_figure
from eval.froc import Matches, froc_curve
from eval.operating_points import OperatingPoint
from eval.roc import roc_curve

POINTS = [
    OperatingPoint(0.1, 0.5, 0.25, 0.75, 0.9, 0.1),
    OperatingPoint(1.0, 0.75, None, None, 0.4, 0.8),
    OperatingPoint(np.inf, 0.75, 0.5, 1.0, 0.1, 2.0),
]
TRAIN = TrainCurve(
    iteration=np.arange(1, 9),
    loss=np.array([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    validated=np.array([1, 4, 8]),
    val_auc=np.array([0.55, 0.8, 0.7]),
    best_iteration=4,
)


def froc(n_images=10):
    net = froc_curve(Matches(np.array([0.9, 0.4, 0.1]), np.array([0, 1, -1])), n_lesions=4, n_images=n_images)
    return froc_figure(net, POINTS, net, n_images, "frame", "PHANTOM DATA")


def roc():
    curve = roc_curve([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9])
    return roc_figure([("candidates, area 0.75", curve), ("patches, area 0.75", curve)], "PHANTOM DATA")


def convergence():
    return convergence_figure(TRAIN, "PHANTOM DATA")


def texts(svg):
    return [
        "".join(element.itertext()).strip() for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize("draw", [froc, roc, convergence])
def test_same_numbers_give_the_same_bytes(draw):
    first = draw()
    assert draw() == first
    assert not re.search(r"20\d\d-\d\d-\d\dT", first)  # no date


@pytest.mark.parametrize("draw", [froc, roc, convergence])
def test_figure_carries_its_warning_as_readable_text(draw):
    assert "PHANTOM DATA" in texts(draw())


def test_froc_axis_is_labelled_with_plain_numbers_from_a_thousandth_to_ten():
    assert {"0.001", "0.01", "0.1", "1", "10"} <= set(texts(froc()))
    assert "false positives per frame" in texts(froc())


def test_rates_below_one_false_positive_in_all_frames_are_marked():
    assert "none in 10 frames" in texts(froc(n_images=10))
    assert not [text for text in texts(froc(n_images=10_000)) if "none in" in text]


def test_rates_per_volume_stand_on_a_plain_axis_from_0_to_10():
    net = froc_curve(Matches(np.array([0.9, 0.4, 0.1]), np.array([0, 1, -1])), n_lesions=4, n_images=10)
    shown = set(texts(froc_figure(net, POINTS, net, 10, "volume", "")))
    assert {"0", "2", "4", "6", "8", "10", "false positives per volume", "net"} <= shown
    assert not [text for text in shown if "none in" in text]


def test_a_run_that_is_the_detector_is_one_curve():
    net = froc_curve(Matches(np.array([0.9, 0.4, 0.1]), np.array([0, 1, -1])), n_lesions=4, n_images=10)
    shown = texts(froc_figure(net, POINTS, None, 10, "frame", "", "handcrafted"))
    assert "handcrafted" in shown and "detector's own score" not in shown


def test_only_points_with_an_interval_have_bars():
    """An error bar has two caps. One point has an interval, one has none, and the ceiling at rate inf is a line."""
    assert count_of_caps(POINTS) - count_of_caps([POINTS[1], POINTS[2]]) == 2


def count_of_caps(points):
    curve = froc_curve(Matches(np.array([0.9]), np.array([0])), n_lesions=1, n_images=10)
    # Matplotlib draws each mark as a <use> of its shape; ticks and curves are the same in both figures, and so is the
    # dot of every point.
    svg = froc_figure(curve, points, curve, 10, "frame", "")
    finite = sum(np.isfinite(point.fps_per_image) for point in points)
    return svg.count("<use ") - finite


def test_froc_without_candidates_is_drawn_with_nothing_on_it():
    nothing = froc_curve(Matches(np.zeros(0), np.zeros(0, dtype=np.int64)), n_lesions=1, n_images=5)
    point = OperatingPoint(np.inf, 0.0, None, None, None, 0.0)
    assert "detector's ceiling: all its candidates" in texts(froc_figure(nothing, [point], nothing, 5, "frame", ""))


def test_convergence_names_the_snapshot_that_was_kept():
    assert "kept: 4" in texts(convergence())


def test_convergence_of_a_single_validation_is_drawn():
    one = TrainCurve(np.array([1]), np.array([0.7]), np.array([1]), np.array([0.5]), None)
    assert "validation AUC" in texts(convergence_figure(one, ""))


def test_loss_between_validations_is_the_mean_of_its_mini_batches(monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.plot", recording(drawn))
    convergence()
    means = drawn[2]
    np.testing.assert_array_equal(means[0], [1, 4, 8])
    np.testing.assert_allclose(means[1], [0.8, (0.7 + 0.6 + 0.5) / 3, (0.4 + 0.3 + 0.2 + 0.1) / 4])


def recording(drawn):
    from matplotlib.axes import Axes

    plot = Axes.plot

    def record(self, *args, **kwargs):
        drawn.append(args)
        return plot(self, *args, **kwargs)

    return record


def test_two_figures_on_one_page_share_no_id():
    page = f"<div>{inline(froc(), 'froc')}{inline(roc(), 'roc')}</div>"
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(ids)
    ET.fromstring(page.replace("xlink:href", "href"))
