"""Blobs as pycaffe users know them: live arrays, writing into which acts."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from recaffe.blob import BlobVec

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
"""
IMAGES = np.random.RandomState(0).randn(2, 3, 6, 6).astype(np.float32)


@pytest.fixture
def net(make_net):
    return make_net(NET)


def test_data_and_diff_are_float32_arrays_in_c_order(net):
    net.forward(data=IMAGES)
    for blob in [*net.blobs.values(), *net.params["conv"]]:
        for array in (blob.data, blob.diff):
            assert array.dtype == np.float32
            assert array.shape == blob.shape
            assert array.flags.c_contiguous


def test_writing_into_an_input_acts(net):
    net.blobs["data"].data[...] = IMAGES
    assert net.forward()["flat"].any()
    net.blobs["data"].data[1] = 0
    net.params["conv"][1].data[...] = 0
    assert not net.forward()["flat"][1].any()


def test_writing_into_weights_acts(net):
    net.params["conv"][0].data[...] *= 0
    net.params["conv"][1].data[:] = [1, 2, -3, 4]
    out = net.forward(data=IMAGES, blobs=["pool"])["pool"]
    np.testing.assert_array_equal(out[:, :, 0, 0], [[1, 2, 0, 4]] * 2)


def test_array_held_shows_every_later_pass(net):
    held = {name: net.blobs[name].data for name in ("conv", "pool", "flat")}
    net.forward(data=IMAGES)
    first = {name: array.copy() for name, array in held.items()}
    assert all(array.any() for array in first.values())
    net.forward(data=2 * IMAGES)
    for name, array in held.items():
        assert array is not net.blobs[name].data
        np.testing.assert_allclose(array, 2 * first[name], rtol=1e-5)  # conv has no bias but 0: all is linear in scale
        np.testing.assert_array_equal(array, net.blobs[name].data)


def test_looking_changes_no_number(make_net):
    unseen, seen = make_net(NET), make_net(NET)
    for blob in seen.blobs.values():
        blob.data.sum(), blob.diff.sum()
    for _ in range(2):
        np.testing.assert_array_equal(unseen.forward(data=IMAGES)["flat"], seen.forward(data=IMAGES)["flat"])


def test_flattened_blob_shares_its_bottoms_values(net):
    net.forward(data=IMAGES)
    net.blobs["flat"].data[...] = 5
    assert (net.blobs["pool"].data == 5).all()


def test_blob_knows_its_sizes(net):
    blob = net.blobs["data"]
    assert (blob.shape, blob.count) == ((2, 3, 6, 6), 216)
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 6, 6)
    bias = net.params["conv"][1]
    assert (bias.shape, bias.num, bias.channels, bias.width) == ((4,), 4, 1, 1)


def test_reshape_of_an_input_goes_through_the_net(net):
    net.blobs["data"].reshape(1, 3, 10, 8)
    net.reshape()
    assert net.blobs["conv"].shape == (1, 4, 8, 6)
    assert net.blobs["flat"].shape == (1, 4 * 4 * 3)
    assert net.forward(data=np.ones((1, 3, 10, 8)))["flat"].shape == (1, 48)


def test_reshape_without_net_reshape_is_seen_by_the_next_pass(net):
    net.forward(data=IMAGES)
    net.blobs["data"].reshape(3, 3, 6, 6)
    assert net.forward(data=np.ones((3, 3, 6, 6)))["flat"].shape == (3, 16)


def test_reshape_that_does_not_fit_the_weights_is_refused(net):
    net.blobs["data"].reshape(2, 5, 6, 6)
    with pytest.raises(recaffe.NetError, match=r"layer 'conv' .*3 channels.*\(2, 5, 6, 6\)"):
        net.reshape()


def test_reshape_to_the_same_count_keeps_values(net):
    blob = net.blobs["data"]
    blob.data[...] = IMAGES
    blob.reshape(6, 36)
    np.testing.assert_array_equal(blob.data, IMAGES.reshape(6, 36))


def test_blobs_outlive_their_net(make_net):
    net = make_net(NET)
    out = net.forward(data=IMAGES)["flat"]
    blob, total = net.blobs["conv"], out.sum()
    del net
    assert out.sum() == total and blob.data.any()


def test_smaller_shape_keeps_the_first_values_and_the_array_that_was_given_out(net):
    blob = net.blobs["data"]
    held = blob.data
    held[...] = IMAGES
    blob.reshape(1, 3, 6, 6)
    np.testing.assert_array_equal(blob.data, IMAGES[:1])
    held[0] = 4
    assert (blob.data == 4).all()
    blob.reshape(2, 3, 6, 6)
    assert not blob.data.any()


def test_impossible_shapes_are_refused_before_memory_is_taken(net):
    for shape, problem in (
        ((-1, 3), r"shape \(-1, 3\)"),
        ((2**16, 2**16), "2147483647 values"),
        ((1,) * 33, "33 axes"),
    ):
        with pytest.raises(recaffe.NetError, match=problem):
            net.blobs["data"].reshape(*shape)
    assert net.blobs["data"].shape == (2, 3, 6, 6)


def test_list_of_weights_grows_by_add_blob():
    blobs = BlobVec()
    blobs.add_blob(2, 3)
    blobs.add_blob()
    assert [blob.shape for blob in blobs] == [(2, 3), ()]
    assert not blobs[0].data.any() and blobs[1].data == 0
