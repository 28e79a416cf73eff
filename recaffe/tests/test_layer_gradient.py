"""The gradient of every layer is the slope of its forward pass, in float64."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import recaffe
from recaffe import mode

CASES = sorted((Path(__file__).parent / "cases").glob("*/*.prototxt"))
NOT_THE_SLOPE = {  # case -> why Caffe's own gradient is another
    "accuracy": "has no gradient",
    "accuracy_top_2_of_maps": "has no gradient",
    "argmax": "has no gradient",
    "argmax_axis": "has no gradient",
    "argmax_axis_values": "has no gradient",
    "argmax_of_ties": "has no gradient",
    "argmax_of_vectors_with_values": "has no gradient",
    "batch_norm_collects_and_uses": "takes its statistics for constants",
    "bnll_in_place": "sees its output in place of its input",
    "clip_in_place": "sees its output in place of its input",
    "log_in_place": "squares its derivative",
    "lrn_before_scale_in_place": "takes what Scale has made of its output for its output",
    "mvn_eps": "takes eps for negligible",
    "mvn_in_place": "overwrites the gradient from above",
    "power_root_in_place": "squares its derivative",
    "power_square_in_place": "squares its derivative",
    "relu_negative_slope_in_place": "sees its output in place of its input",
    "scale_shared_by_two": "forgets the gradient of the first, as the factor has every value's own",
    "threshold": "has no gradient",
    "threshold_in_place": "has no gradient",
    "accuracy_axis_ignored": "has no gradient",
    "contrastive_loss": "divides by the distance plus 1e-4",
    "loss_without_top": "gives no loss to take the slope of",
    "sigmoid_loss_label_smoothing": "sends no gradient to its targets",
    "sigmoid_loss_soft_targets": "sends no gradient to its targets",
}
STEP = 1e-6
TOLERANCE = 1e-6  # of the largest directional derivative: what central differences leave in float64


@pytest.mark.parametrize("case", CASES, ids=[path.stem for path in CASES])
def test_gradient_is_the_slope_of_the_forward_pass(case, oracle):
    if case.stem in NOT_THE_SLOPE:
        pytest.skip(f"{case.stem} {NOT_THE_SLOPE[case.stem]}")
    seed = zlib.crc32(case.stem.encode())
    numbers = np.random.RandomState(seed)
    with mode.double_precision():
        net, values, diffs = oracle.prepare(recaffe, case, seed)
        weights = net.blob_loss_weights
        states = {blob: blob.data.copy() for layer in net.layers for blob in layer.blobs}

        def objective() -> float:
            """Outputs times their diffs, and losses times their weights; the same random numbers each time."""
            recaffe.set_random_seed(11)
            for name, value in values.items():
                net.blobs[name].data[...] = value
            outputs = net.forward()
            total = sum(weights[name] * outputs[name].sum() for name in outputs if weights[name])
            return float(total + sum((outputs[name] * diff).sum() for name, diff in diffs.items()))

        objective()
        for name, diff in diffs.items():
            net.blobs[name].diff[...] = diff
        net.clear_param_diffs()
        net.backward()
        inputs = [(values[name], net.blobs[name].diff.copy()) for name in net.inputs if oracle.is_real_valued(name)]
        learned = [item.blob for item in net.learnable if item.lr_mult != 0]
        found, expected = [], []
        for place, gradient in inputs + [(blob.data, blob.diff.copy()) for blob in learned]:
            kept = place.copy()
            for _ in range(3):
                direction = numbers.randn(*np.shape(place))
                slopes = []
                for step in (STEP, -STEP):
                    for blob, state in states.items():  # statistics that a forward pass changes
                        blob.data[...] = state
                    place[...] = kept + step * direction
                    slopes.append(objective())
                place[...] = kept
                found.append((gradient * direction).sum())
                expected.append((slopes[0] - slopes[1]) / (2 * STEP))
    assert found, "nothing to differentiate: give the case a reason in NOT_THE_SLOPE"
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * max(1.0, *np.abs(expected)))
