"""Every public name of pycaffe exists, and its functions take the same arguments in the same order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pycaffe_names
import pytest

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "pycaffe_names.json").read_text())  # by pycaffe_names.py, under real Caffe
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
"""


@pytest.fixture
def ours(make_solver):
    """What has recaffe's names for a place of pycaffe: a module or class, or an object where names are its fields."""

    def make(path: str) -> Any:
        found = pycaffe_names.find(path, "recaffe")
        if path.endswith("Solver"):
            return make_solver(NET, f'base_lr: 0.1 lr_policy: "fixed" type: "{found.type}"')
        return found() if path.endswith("SolverParameter") else found

    return make


@pytest.mark.parametrize("path", pycaffe_names.PLACES)
def test_every_public_name_exists_and_takes_the_same_arguments(path: str, ours):
    owner = ours(path)
    for name, expected in RECORDED[path].items():
        assert hasattr(owner, name), f"{path}.{name}"
        found = pycaffe_names.parameters(getattr(pycaffe_names.find(path, "recaffe"), name, None))
        if expected is not None and found is not None:
            assert found[: len(expected)] == expected, f"{path}.{name}"
            assert all(default is not None for _, default in found[len(expected) :]), f"{path}.{name}"


@pytest.mark.parametrize("path", ["caffe", "caffe.Net", "caffe.io", "caffe.draw", "caffe._caffe.Blob"])
def test_dir_lists_the_names(path: str, ours):
    assert set(RECORDED[path]) <= set(dir(ours(path)))


@pytest.mark.caffe
def test_recorded_names_are_real_caffes(real_caffe):
    printed = real_caffe("import sys, runpy; runpy.run_path(sys.argv[1], run_name='__main__')", pycaffe_names.__file__)
    assert json.loads(printed) == RECORDED
