"""Solvers on a GPU: the updates of the CPU, and a resumed session that draws the same dropout masks."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe

pytestmark = pytest.mark.gpu
TOLERANCE = 1e-3  # relative: a GPU adds in another order
NET = """
layer { name: "data" type: "Input" top: "data" top: "label" input_param { shape { dim: 8 dim: 6 } shape { dim: 8 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" param { lr_mult: 0 }
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
DROPOUT
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
DROPOUT = 'layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }'


def fill(solver):
    numbers = np.random.RandomState(0)
    solver.net.blobs["data"].data[...] = numbers.randn(8, 6)
    solver.net.blobs["label"].data[...] = numbers.randint(0, 3, 8)
    return solver


def weights(solver):
    return [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_updates_on_a_gpu_are_those_of_the_cpu(kind, gpu, make_solver, training_case):
    options = f'type: "{kind}" {training_case.SOLVERS[kind]} lr_policy: "fixed" weight_decay: 0.01'
    found = []
    for set_mode in (recaffe.set_mode_gpu, recaffe.set_mode_cpu):
        set_mode()
        solver = fill(make_solver(NET.replace("DROPOUT", ""), options))
        solver.step(10)
        found.append(weights(solver))
    for on_gpu, on_cpu in zip(*found, strict=True):
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=TOLERANCE, atol=TOLERANCE * np.abs(on_cpu).max())


@pytest.mark.parametrize(("form", "end"), [("BINARYPROTO", ""), ("HDF5", ".h5")])
def test_resumed_session_on_a_gpu_draws_the_same_masks(form, end, gpu, make_solver):
    options = f'base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 type: "Adam" snapshot_format: {form}'
    whole = fill(make_solver(NET.replace("DROPOUT", DROPOUT), options))
    whole.step(3)
    whole.snapshot()
    whole.step(3)
    again = fill(make_solver(NET.replace("DROPOUT", DROPOUT), options))
    again.restore(f"{whole.param.snapshot_prefix}_iter_3.solverstate{end}")
    again.step(3)
    for one, other in zip(weights(again), weights(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * np.abs(other).max())
