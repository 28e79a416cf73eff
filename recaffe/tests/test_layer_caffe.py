"""Every layer against real Caffe: from recorded arrays, and live, also for nets drawn at random."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import recaffe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_nets import all_nets

TESTS = Path(__file__).parent
CASES = sorted((TESTS / "cases").glob("*/*.prototxt"))
TOLERANCE = 2e-4  # relative to the largest value of each array
EXAMPLES = int(os.environ.get("RECAFFE_EXAMPLES", "15"))  # random nets per layer type
NETS = all_nets()


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert found[key].shape == array.shape, key
        scale = np.abs(array).max(initial=0)
        np.testing.assert_allclose(found[key], array, rtol=TOLERANCE, atol=1e-6 * scale, err_msg=key)
        # A layer of that name changes its own weights in the forward pass.
        if "weight " in key and "diff" not in key and "weight statistics" not in key:
            np.testing.assert_array_equal(found[key], array, err_msg=f"{key}: fillers must be bit-equal")


def note(conform, oracle, text: str, found: dict, expected: dict) -> None:
    """Enter a net's errors into the conformance table, for each type of layer in it."""
    for direction, part in (("forward", "data "), ("backward", "diff ")):
        arrays = {key: array for key, array in expected.items() if part in key}
        if direction == "forward" or any(array.any() for array in arrays.values()):
            error = oracle.relative_error(found, arrays)
            for layer_type in set(re.findall(r'type: "([A-Z]\w+)"', text)) - {"Input"}:
                conform("layers", layer_type, f"{direction} CPU", error)


@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_layer_computes_what_real_caffe_computed(case, oracle, recorded):
    prefix, family = case.stem + "/", case.parent.name
    expected = {key.removeprefix(prefix): a for key, a in recorded[family].items() if key.startswith(prefix)}
    assert expected, f"nothing recorded for {case.stem}: run recaffe/tests/record.py {family}"
    assert_same(oracle.layer_arrays(recaffe, case), expected)


@pytest.mark.caffe
@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_layer_computes_what_real_caffe_computes(case, oracle, real_layers, conform):
    found, expected = oracle.layer_arrays(recaffe, case), real_layers(case, None)
    assert_same(found, expected)
    note(conform, oracle, case.read_text(), found, expected)
    if case.stem == "dropout":
        dropped = [arrays["data out"] == 0 for arrays in (found, expected)]
        conform("streams", "dropout mask", "values", (dropped[0] != dropped[1]).mean())


@pytest.mark.caffe
@pytest.mark.parametrize("layer_type", sorted(NETS))
def test_random_nets_compute_what_real_caffe_computes(layer_type, oracle, real_layers, tmp_path, conform):
    path = tmp_path / "net.prototxt"

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(text=NETS[layer_type], seed=st.integers(0, 2**31 - 1))
    def compare(text: str, seed: int) -> None:
        path.write_text(text)
        found, expected = oracle.layer_arrays(recaffe, path, seed), real_layers(path, seed)
        assert_same(found, expected)
        note(conform, oracle, text, found, expected)

    compare()
