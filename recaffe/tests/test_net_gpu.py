"""The same on a GPU. Needs one; says so where there is none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import recaffe

pytestmark = pytest.mark.gpu
CASES = sorted((Path(__file__).parent / "cases").glob("*/*.prototxt"))
TOLERANCE = 1e-3  # of each array's largest value: cuDNN adds in another order


@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_layer_on_gpu_computes_what_real_caffe_computed(case, gpu, oracle, recorded, conform):
    if case.stem in ("dropout", "dropout_in_place"):
        pytest.skip("masks on a GPU are other random numbers, in real Caffe too")
    found = oracle.layer_arrays(recaffe, case)
    for key, array in found.items():
        expected = recorded[case.parent.name][f"{case.stem}/{key}"]
        scale = np.abs(expected).max(initial=0)
        np.testing.assert_allclose(array, expected, rtol=0, atol=TOLERANCE * scale, err_msg=key)
        for layer_type in set(re.findall(r'type: "([A-Z]\w+)"', case.read_text())) - {"Input"}:
            column = f"{'backward' if 'diff ' in key else 'forward'} CUDA"
            conform("layers", layer_type, column, oracle.relative_error({key: array}, {key: expected}))


def test_array_taken_again_shows_the_values_from_the_gpu(gpu, make_net):
    text = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
"""
    net = make_net(text)
    net.params["ip"][0].data[...] = 1
    assert (net.forward(data=np.ones((2, 3)))["ip"] == 3).all()
    net.params["ip"][0].data[...] = 2
    net.blobs["data"].data[1] = 0
    np.testing.assert_array_equal(net.forward()["ip"], [[6, 6], [0, 0]])
    recaffe.set_mode_cpu()
    np.testing.assert_array_equal(net.forward()["ip"], [[6, 6], [0, 0]])


def test_training_on_gpu_follows_the_cpu(gpu, make_solver):
    text = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } shape { dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
    losses = {}
    for set_mode in (recaffe.set_mode_gpu, recaffe.set_mode_cpu):
        set_mode()
        solver = make_solver(text, 'base_lr: 0.05 momentum: 0.9 weight_decay: 0.001 lr_policy: "fixed"')
        numbers = np.random.RandomState(0)
        solver.net.blobs["data"].data[...] = numbers.randn(4, 3, 8, 8)
        solver.net.blobs["label"].data[...] = [0, 1, 2, 1]
        losses[set_mode] = []
        for _ in range(10):
            solver.step(1)
            losses[set_mode].append(float(solver.net.blobs["loss"].data))
    np.testing.assert_allclose(*losses.values(), rtol=1e-3)


def test_gpu_that_is_not_there_is_refused():
    import torch

    with pytest.raises(recaffe.CaffeError, match="there is no GPU 99"):
        recaffe.set_device(99)
    if not torch.cuda.is_available():
        with pytest.raises(recaffe.CaffeError, match="finds no CUDA device"):
            recaffe.set_mode_gpu()
