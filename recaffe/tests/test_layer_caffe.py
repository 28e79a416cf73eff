"""Every layer against real Caffe: from recorded arrays, and live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recaffe

CASES = sorted((Path(__file__).parent / "cases").glob("*.prototxt"))
TOLERANCE = 2e-4  # relative to the largest value of each array


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert found[key].shape == array.shape, key
        scale = np.abs(array).max(initial=0)
        np.testing.assert_allclose(found[key], array, rtol=TOLERANCE, atol=1e-6 * scale, err_msg=key)
        # A layer of that name changes its own weights in the forward pass.
        if "weight " in key and "diff" not in key and "weight statistics" not in key:
            np.testing.assert_array_equal(found[key], array, err_msg=f"{key}: fillers must be bit-equal")


@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_layer_computes_what_real_caffe_computed(case, oracle, recorded):
    prefix = case.stem + "/"
    expected = {key.removeprefix(prefix): a for key, a in recorded["layers"].items() if key.startswith(prefix)}
    assert expected, f"nothing recorded for {case.stem}: run recaffe/tests/record.py"
    assert_same(oracle.layer_arrays(recaffe, str(case)), expected)


@pytest.mark.caffe
def test_layers_compute_what_real_caffe_computes(oracle, real_arrays):
    folder = CASES[0].parent
    assert_same(oracle.all_layer_arrays(recaffe, folder), real_arrays("layers", folder))
