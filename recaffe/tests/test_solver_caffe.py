"""Training against real Caffe: all solvers and policies, crop, mirror, dropout, LRN, groups; and its snapshots."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import recaffe

LOSS_TOLERANCE = 1e-4  # relative, over all of them; the errors found are 6e-7
WEIGHT_TOLERANCE = 1e-4  # of each array's largest weight, after the last update


@pytest.fixture(scope="module")
def study(tmp_path_factory, training_case):
    folder = tmp_path_factory.mktemp("study")
    training_case.write(folder)
    return folder


@pytest.fixture(scope="module")
def ours(study, training_case, oracle):
    """The training case's arrays from recaffe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study)
        return oracle.all_training_arrays(recaffe, training_case.ITERATIONS)


def assert_same_training(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        if "/first " in key:
            np.testing.assert_array_equal(found[key], array, err_msg=key)
        elif key.endswith("/losses"):
            np.testing.assert_allclose(found[key], array, rtol=LOSS_TOLERANCE, err_msg=key)
        else:
            np.testing.assert_allclose(
                found[key], array, rtol=0, atol=WEIGHT_TOLERANCE * np.abs(array).max(), err_msg=key
            )


def test_sessions_of_all_solvers_and_policies_are_those_recorded_from_real_caffe(ours, recorded):
    assert_same_training(ours, recorded["training"])


@pytest.mark.caffe
def test_sessions_of_all_solvers_and_policies_are_those_of_real_caffe(ours, study, training_case, real_arrays, conform):
    real = real_arrays("train", training_case.ITERATIONS, cwd=study)
    assert_same_training(ours, real)
    for solver, policy in itertools.product(training_case.SOLVERS, training_case.POLICIES):
        losses, expected = (arrays[f"{solver}-{policy}/losses"] for arrays in (ours, real))
        conform("solvers", solver, policy, np.abs(losses / expected - 1).max())


def test_frozen_layers_stay_bit_for_bit(ours):
    for layer in ("conv1", "conv2"):
        for index in (0, 1):
            np.testing.assert_array_equal(ours[f"frozen/first {layer} {index}"], ours[f"frozen/last {layer} {index}"])
    assert not np.array_equal(ours["frozen/first fc6 0"], ours["frozen/last fc6 0"])
