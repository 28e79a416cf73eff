"""One training step of the nets of the papers, against real Caffe."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from real_nets import NETS
from recaffe.proto import text

SOLVER = 'base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005 random_seed: 5 max_iter: 1 snapshot: 0'
LOSS_TOLERANCE = 1e-4  # relative
UPDATE_TOLERANCE = 1e-3  # of each array's largest update: up to 53 layers of rounding
ROUNDING = 1e-3  # of the net's largest update: below it stand zeros with rounding errors, as a bias under BatchNorm


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with net_NAME.prototxt and solver_NAME.prototxt of every net."""
    folder = tmp_path_factory.mktemp("nets")
    for name, make in NETS.items():
        (folder / f"net_{name}.prototxt").write_text(text.format(make().to_proto()))
        (folder / f"solver_{name}.prototxt").write_text(f'net: "net_{name}.prototxt" {SOLVER}')
    return folder


@pytest.fixture(scope="module")
def expected(study, real_arrays):
    return real_arrays("steps", cwd=study)


@pytest.mark.caffe
@pytest.mark.parametrize("name", NETS)
def test_training_step_of_net_is_real_caffes(name, study, expected, oracle, conform, monkeypatch):
    monkeypatch.chdir(study)
    found = oracle.step_arrays(recaffe, f"solver_{name}.prototxt")
    arrays = {key.removeprefix(f"{name}/"): array for key, array in expected.items() if key.startswith(f"{name}/")}
    assert found.keys() == arrays.keys()
    largest = max(np.abs(array).max() for key, array in arrays.items() if key.startswith("update "))
    for key, array in arrays.items():
        if key.startswith("first "):
            np.testing.assert_array_equal(found[key], array, err_msg=key)
        elif key.startswith("loss "):
            np.testing.assert_allclose(found[key], array, rtol=LOSS_TOLERANCE, err_msg=key)
        else:
            scale = max(np.abs(array).max(), ROUNDING * largest)
            np.testing.assert_allclose(found[key], array, rtol=0, atol=UPDATE_TOLERANCE * scale, err_msg=key)
    for column in ("loss", "update"):
        part = {key: array for key, array in arrays.items() if key.startswith(column)}
        part = {key: array for key, array in part.items() if np.abs(array).max() >= ROUNDING * largest}
        conform("nets", name, column, oracle.relative_error(found, part))
