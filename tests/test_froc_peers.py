"""Other FROC implementations on the same cases, their numbers recorded, every difference explained.

MONAI 1.5.1 (compute_froc_curve_data, compute_froc_score) gave the mean over Camelyon16's rates, picai_eval 1.4.13
(Metrics.lesion_TPR_at_FPR) and the rule of LUNA16's script (scikit-learn 1.9.1's roc_curve, then numpy.interp) the mean
over LUNA16's. Each is what our curve gives once it is changed in the way named, so nothing else is different.

MONAI and picai_eval leave out the lowest score: the last operating point of the detector. Where a lesion is missed that
lowest score is the 0 which they give to misses, and nothing is lost, unless scores are below 0: then the miss counts as
found. MONAI and LUNA16's script draw a line from point to point: at a rate between two points they report a sensitivity
that no threshold has. LUNA16's script has no answer where nothing is found. Matching differs too (see
docs/evaluate_your_own.md): there a candidate inside two lesions finds both, and one on the rim of a lesion finds none.
"""

from __future__ import annotations

import numpy as np
import pytest

from eval.froc import FrocCurve, Matches, froc_curve, sensitivity_at
from eval.froc_summary import CAMELYON16_RATES, CPM_RATES

# (score of each lesion that is found; of each false positive; lesions; images), then the means: over Camelyon16's rates
# ours and MONAI's, over LUNA16's rates ours, picai_eval's and LUNA16's.
CASES = {
    "A .9  x .7 | B .4  x .2: all agree": (
        ([0.9, 0.4], [0.7, 0.2], 2, 2), (5.5 / 6, 0.9166666666666666), (6 / 7, 0.85714287, 6 / 7),
    ),
    "A .9  x .7 | B .4: MONAI and picai_eval lose B, the last point": (
        ([0.9, 0.4], [0.7], 2, 2), (5.5 / 6, 0.5), (6 / 7, 0.5, 0.8571428571428571),
    ),
    "A .6  x .6 | x .6  B .3: B lost again; a tie is one step here, a slope there": (
        ([0.6, 0.3], [0.6, 0.6], 2, 2), (4 / 6, 0.3958333333333333), (4 / 7, 0.2857142857142857, 0.6339285714285714),
    ),
    "A .9  (B)  x .5  x .3: the miss stays a miss": (([0.9], [0.5, 0.3], 2, 1), (0.5, 0.5), (0.5, 0.5, 0.5)),
    "A .9  x .8  x .7 | x .6  B .5  x .4: all agree": (
        ([0.9, 0.5], [0.8, 0.7, 0.6, 0.4], 2, 2), (0.75, 0.75), (5 / 7, 0.71428573, 0.7142857142857143),
    ),
    "A .9 | B .5, no false positive: B lost": (([0.9, 0.5], [], 2, 2), (1.0, 0.5), (1.0, 0.5, 1.0)),
    "x .9  (A) | x .1: nothing found is 0": (([], [0.9, 0.1], 1, 2), (0.0, 0.0), (0.0, 0.0, np.nan)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_recorded_numbers_of_peers_are_our_curve_with_the_named_changes(name):
    (found, false, n_lesions, n_images), (camelyon16, monai), (cpm, picai_eval, luna16) = CASES[name]
    matches = Matches(np.array(found + false), np.array([*range(len(found)), *[-1] * len(false)]))
    curve = froc_curve(matches, n_lesions, n_images)
    assert mean_of_steps(curve, CAMELYON16_RATES) == pytest.approx(camelyon16)
    assert mean_of_steps(curve, CPM_RATES) == pytest.approx(cpm)

    missed = len(found) < n_lesions
    short = curve if missed else FrocCurve(curve.thresholds[:-1], curve.fps_per_image[:-1], curve.sensitivity[:-1])
    assert mean_of_lines(short, CAMELYON16_RATES) == pytest.approx(monai)
    assert mean_of_steps(short, CPM_RATES) == pytest.approx(picai_eval)
    assert (mean_of_lines(curve, CPM_RATES) if found else np.nan) == pytest.approx(luna16, nan_ok=True)


def mean_of_steps(curve, rates):
    return np.mean([sensitivity_at(curve, rate) for rate in rates])


def mean_of_lines(curve, rates):
    """The mean height over `rates` of the lines from the origin from point to point."""
    return np.mean(np.interp(rates, [0.0, *curve.fps_per_image], [0.0, *curve.sensitivity]))
