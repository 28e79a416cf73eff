"""Crop, mean, scale and mirror, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recaffe.data.errors import RecordError
from recaffe.data.transformer import Transformer
from recaffe.proto import caffe_pb2, files, text
from recaffe.random_stream import RandomStream

PIXELS = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def _transformer(content: str, phase: int) -> Transformer:
    return Transformer(text.parse(content, caffe_pb2.TransformationParameter), phase)


def _transformed(transformer: Transformer, pixels: np.ndarray = PIXELS) -> np.ndarray:
    out = np.full(transformer.output_shape(pixels), np.nan, dtype=np.float32)
    transformer.transform(pixels, out)
    return out


def test_nothing_asked_for_gives_the_pixels_as_floats():
    assert np.array_equal(_transformed(_transformer("", caffe_pb2.TRAIN)), PIXELS)


def test_mean_is_subtracted_before_scaling():
    out = _transformed(_transformer("mean_value: 10 mean_value: 20 scale: 0.5", caffe_pb2.TEST))
    assert np.array_equal(out, (PIXELS - np.array([10.0, 20.0]).reshape(2, 1, 1)) * 0.5)
    assert np.array_equal(_transformed(_transformer("mean_value: 10", caffe_pb2.TEST)), PIXELS - 10.0)


def test_test_phase_crops_the_centre_and_rounds_down():
    assert np.array_equal(_transformed(_transformer("crop_size: 2", caffe_pb2.TEST)), PIXELS[:, 1:3, 1:3])


def test_mean_image_is_subtracted_at_the_crops_place(tmp_path: Path):
    mean = (PIXELS * 0.25).astype(np.float32)
    files.write_binary(
        tmp_path / "mean", caffe_pb2.BlobProto(num=1, channels=2, height=4, width=5, data=mean.ravel().tolist())
    )
    out = _transformed(_transformer(f'mean_file: "{tmp_path}/mean" crop_size: 3', caffe_pb2.TEST))
    assert np.array_equal(out, (PIXELS - mean)[:, 0:3, 1:4])


def test_float_images_are_transformed_too():
    pixels = PIXELS.astype(np.float32) / 3
    assert np.array_equal(_transformed(_transformer("scale: 2", caffe_pb2.TEST), pixels), pixels * 2)


def test_train_phase_draws_coin_top_and_left_of_each_image():
    transformer = _transformer("mirror: true crop_size: 2", caffe_pb2.TRAIN)
    transformer.seed_from(RandomStream(8))
    words = RandomStream(RandomStream(8).word())
    for _ in range(20):
        is_mirrored, top, left = words.word() % 2, words.word() % 3, words.word() % 4
        expected = PIXELS[:, top : top + 2, left : left + 2]
        assert np.array_equal(_transformed(transformer), expected[:, :, ::-1] if is_mirrored else expected)


@pytest.mark.parametrize(
    ("content", "phase", "is_random"),
    [("mirror: true", "TEST", True), ("crop_size: 2", "TRAIN", True), ("crop_size: 2", "TEST", False)],
)
def test_only_mirror_and_train_crop_are_random(content: str, phase: str, is_random: bool):
    assert _transformer(content, caffe_pb2.Phase.Value(phase)).is_random == is_random


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("crop_size: 5", r"of shape \(2, 4, 5\) is smaller than crop_size 5"),
        ("mean_value: [1, 2, 3]", "has 2 channels, transform_param 3 mean_value"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(content: str, problem: str):
    with pytest.raises(RecordError, match=problem):
        _transformed(_transformer(content, caffe_pb2.TEST))


def test_an_image_unlike_the_first_of_its_batch_is_refused():
    with pytest.raises(RecordError, match=r"comes out as \(2, 4, 5\), the first of its batch as \(2, 3, 5\)"):
        _transformer("", caffe_pb2.TEST).transform(PIXELS, np.empty((2, 3, 5), dtype=np.float32))


def test_a_mean_of_the_wrong_kind_is_refused(tmp_path: Path):
    path = tmp_path / "mean"
    files.write_binary(path, caffe_pb2.BlobProto(num=1, channels=1, height=2, width=2, data=[1, 2, 3, 4]))
    with pytest.raises(RecordError, match=r"of shape \(2, 4, 5\) does not fit mean_file's \(1, 2, 2\)"):
        _transformed(_transformer(f'mean_file: "{path}"', caffe_pb2.TEST))
    with pytest.raises(ValueError, match="both mean_file and mean_value"):
        _transformer(f'mean_file: "{path}" mean_value: 1', caffe_pb2.TEST)
    files.write_binary(path, caffe_pb2.BlobProto(num=1, channels=1, height=2, width=2, data=[1]))
    with pytest.raises(ValueError, match=r"1 values of shape \(1, 1, 2, 2\), expected one image"):
        _transformer(f'mean_file: "{path}"', caffe_pb2.TEST)
