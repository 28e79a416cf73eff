"""Batch normalisation leaves nothing behind but weights: the folded net computes what the trained one does."""

from __future__ import annotations

import numpy as np
import pytest
import recaffe
from recaffe.net_spec import NetSpec, layers
from recaffe.proto import text

from layerwise.nets import NetRecord
from prototxt.alexnet import add_alexnet
from tools.source_images.batch_norm import GAIN, fold, with_batch_norm

WIDTHS = {"conv1": 8, "conv2": 16, "conv3": 16, "conv4": 16, "conv5": 16, "fc6": 32, "fc7": 32}
TINY = NetRecord("tiny", "thin AlexNet", 67, WIDTHS, train_batch=6, val_batch=6)


@pytest.fixture
def net_file(tmp_path):
    """Write the thin AlexNet with a last layer, plain or normalised; returns the path."""

    def options(layer):
        return {"weight_filler": {"type": "xavier"}, "bias_filler": {"type": "uniform", "min": -1, "max": 1}}

    def write(name, is_normalised):
        spec = NetSpec()
        spec.data = layers.Input(input_param={"shape": {"dim": [6, 3, 67, 67]}})
        spec.out = layers.InnerProduct(add_alexnet(spec, TINY, options), num_output=5, **options("fc8"))
        message = with_batch_norm(spec.to_proto()) if is_normalised else spec.to_proto()
        path = tmp_path / f"{name}.prototxt"
        path.write_text(text.format(message))
        return str(path)

    return write


def test_folded_net_computes_what_the_normalised_one_does(net_file):
    rng = np.random.default_rng(0)
    recaffe.set_random_seed(1)
    normalised = net_file("normalised", True)
    trained, plain = recaffe.Net(normalised, recaffe.TRAIN), recaffe.Net(net_file("plain", False), recaffe.TEST)
    for _ in range(4):  # gather running statistics
        trained.blobs["data"].data[...] = rng.normal(10, 60, (6, 3, 67, 67))
        trained.forward()
    for layer in GAIN:  # as if something had been learned
        for blob in trained.params[f"{layer}_scale"]:
            blob.data[...] += rng.normal(0, 0.2, blob.data.shape)
    at_test = recaffe.Net(normalised, recaffe.TEST)
    at_test.share_with(trained)
    fold(trained, plain)

    images = rng.normal(10, 60, (6, 3, 67, 67))
    for net in (at_test, plain):
        net.blobs["data"].data[...] = images
    expected, found = at_test.forward()["out"], plain.forward()["out"]
    assert np.ptp(expected, axis=0).min() > 1e-3  # the images are told apart at all
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_gains_fall_in_equal_ratios_from_grey_levels_to_one():
    ratios = np.array([60.0, *GAIN.values()])[:-1] / np.array(list(GAIN.values()))
    np.testing.assert_allclose(ratios, 60 ** (1 / 8), rtol=5e-3)
