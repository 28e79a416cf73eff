"""Classifier and Detector beyond the programs `classify` and `detect`, which compare them with real Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recaffe

pytest.importorskip("skimage.transform")

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
"""
IMAGES = np.random.RandomState(0).rand(3, 6, 8, 3).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path, make_net) -> tuple[str, str]:
    make_net(NET).save(str(tmp_path / "w.caffemodel"))
    return str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")


def test_centre_crop_is_cut_from_the_resized_image(files):
    scores = recaffe.Classifier(*files, image_dims=(6, 8)).predict(list(IMAGES), oversample=False)
    np.testing.assert_allclose(scores, IMAGES[:, 1:5, 2:6].mean((1, 2)), rtol=1e-5)


def test_scores_of_ten_crops_are_averaged(files):
    classifier = recaffe.Classifier(*files, image_dims=[6, 8])
    crops = recaffe.io.oversample(list(IMAGES), (4, 4)).reshape(3, 10, 4, 4, 3)
    np.testing.assert_allclose(classifier.predict(list(IMAGES)), crops.mean((1, 2, 3)), rtol=1e-5)


def test_images_smaller_than_the_input_are_refused(files):
    with pytest.raises(ValueError, match=r"image_dims \(4, 3\) are smaller than the input \(4, 4\)"):
        recaffe.Classifier(*files, image_dims=(4, 3))


def test_context_outside_of_the_image_is_the_mean(files):
    detector = recaffe.Detector(*files, mean=np.array([1.0, 2.0, 3.0]), raw_scale=2.0, context_pad=1)
    image = np.full((8, 8, 3), 9.0, np.float32)
    crop = detector.crop(image, np.array([0, 2, 3, 5]))  # with its context 8 rows, of which 2 lie above the image
    np.testing.assert_array_equal(crop[1:], np.full((3, 4, 3), 9.0))
    np.testing.assert_array_equal(crop[0], np.tile([0.5, 1.0, 1.5], (4, 1)))


def test_window_outside_of_the_image_is_refused(files):
    detector = recaffe.Detector(*files, context_pad=1)
    with pytest.raises(ValueError, match=r"lies outside of the image of shape \(6, 8, 3\)"):
        detector.crop(IMAGES[0], np.array([20, 0, 24, 4]))


def test_no_windows_give_no_detections(files, tmp_path):
    skimage_io = pytest.importorskip("skimage.io")
    skimage_io.imsave(tmp_path / "a.png", (IMAGES[0] * 255).astype(np.uint8), check_contrast=False)
    assert recaffe.Detector(*files).detect_windows([(str(tmp_path / "a.png"), [])]) == []
    (found,) = recaffe.Detector(*files).detect_windows([(str(tmp_path / "a.png"), [np.array([1, 2, 5, 6])])])
    np.testing.assert_allclose(found["prediction"], IMAGES[0, 1:5, 2:6].mean((0, 1)), atol=1 / 255)


def test_selective_search_says_what_it_needs(files):
    with pytest.raises(ImportError, match=r"selective_search_ijcv_with_python.*detect_windows"):
        recaffe.Detector(*files).detect_selective_search(["a.png"])
