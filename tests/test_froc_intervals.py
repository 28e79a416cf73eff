"""The made-up detectors are what they claim, and the bars behave on them as docs/froc_intervals.md says."""

from __future__ import annotations

import numpy as np
import pytest

from eval.froc import froc_curve, sensitivity_at
from eval.froc_simulation import DetectorModel
from tools import froc_intervals


def test_endless_data_have_the_curve_of_the_model():
    model = DetectorModel(nu=0.9, lambda_=4.0, a=1.5, b=0.9)
    matches, _ = model.draw(np.random.default_rng(0), 1, 20_000, 20_000)
    curve = froc_curve(matches, 20_000, 20_000)
    for rate in (0.1, 1.0, 10.0):
        assert sensitivity_at(curve, rate) == pytest.approx(model.sensitivity_at(rate), abs=0.015)


def test_groups_that_are_alike_find_as_much_on_average_and_spread_more():
    """The share of lesions found is nu in the mean; between groups of 50 it would vary by 0.042 if all were alone."""
    model = DetectorModel(nu=0.9, lambda_=4.0, a=1.5, b=0.9, group_spread=0.5)
    matches, group = model.draw(np.random.default_rng(0), 4000, 5, 50)
    found = np.bincount(group[~matches.false], minlength=4000) / 50
    assert found.mean() == pytest.approx(0.9, abs=0.005)
    assert found.std() > 0.08
    per_image = np.bincount(group[matches.false], minlength=4000) / 5
    assert per_image.mean() == pytest.approx(4.0, abs=0.1)
    assert per_image.std() == pytest.approx(np.sqrt(4 / 5 + 2**2), rel=0.05)  # Poisson, and half of 4


@pytest.mark.slow
def test_redrawn_groups_keep_their_level_where_groups_are_alike_and_idca_does_not():
    model = DetectorModel(nu=0.9, lambda_=4.0, a=1.5, b=0.9, group_spread=0.5)
    (idca, groups), _ = froc_intervals.coverage(model, 300)
    assert (groups > 0.91).all(), groups
    assert (idca < 0.90).all(), idca
