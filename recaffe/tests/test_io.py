"""caffe.io: messages and arrays, and the Transformer that scripts feed nets with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from recaffe import io
from recaffe.proto import caffe_pb2

IMAGE = np.arange(4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3)


def test_blobproto_holds_an_array_and_its_diff():
    values = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    blob = io.array_to_blobproto(values, values / 2)
    assert np.array_equal(io.blobproto_to_array(blob), values)
    assert np.array_equal(io.blobproto_to_array(blob, return_diff=True), values / 2)
    with pytest.raises(ValueError, match="diff has the shape"):
        io.array_to_blobproto(values, values[0])
    blob.shape.dim[0] = -1
    with pytest.raises(ValueError, match=r"shape \(-1, .* has"):
        io.blobproto_to_array(blob)


def test_old_blobproto_has_four_axes():
    blob = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert io.blobproto_to_array(blob).shape == (1, 2, 1, 3)


def test_blobprotovector_is_read_back():
    arrays = [np.ones((2, 3)), np.arange(4.0)]
    again = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str(arrays))
    assert all(np.array_equal(one, two) for one, two in zip(arrays, again, strict=True))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_datum_is_read_back_with_its_type(dtype: type):
    pixels = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    datum = io.array_to_datum(pixels[:, :, ::-1], label=3)  # not contiguous
    assert datum.label == 3 and bool(datum.data) == (dtype is np.uint8)
    assert np.array_equal(io.datum_to_array(datum), pixels[:, :, ::-1])
    with pytest.raises(ValueError, match=r"expected \(channels, height, width\)"):
        io.array_to_datum(pixels[0])


def _transformer() -> io.Transformer:
    transformer = io.Transformer({"data": (1, 3, 4, 6)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 2)
    transformer.set_mean("data", np.array([1.0, 2.0, 3.0]))
    transformer.set_input_scale("data", 0.5)
    return transformer


def test_preprocess_swaps_scales_and_subtracts_in_caffes_order():
    expected = np.stack([(IMAGE[:, :, 2 - c] * 2 - (c + 1)) * 0.5 for c in range(3)])
    before = IMAGE.copy()
    assert np.array_equal(_transformer().preprocess("data", IMAGE), expected)
    assert np.array_equal(IMAGE, before)


def test_deprocess_undoes_preprocess():
    transformer = _transformer()
    assert transformer.deprocess("data", transformer.preprocess("data", IMAGE)) == pytest.approx(IMAGE)


def test_images_and_means_of_another_size_are_resized():
    pytest.importorskip("skimage.transform")
    transformer = _transformer()
    assert transformer.preprocess("data", np.repeat(IMAGE, 2, axis=0)).shape == (3, 4, 6)
    transformer.set_mean("data", np.linspace(0, 1, 3 * 8 * 12).reshape(3, 8, 12))
    assert transformer.mean["data"].shape == (3, 4, 6)


def test_a_constant_image_stays_constant_at_any_size():
    assert np.array_equal(io.resize_image(np.full((2, 2, 5), 7.0), (3, 4)), np.full((3, 4, 5), 7.0))


def test_settings_that_do_not_fit_the_input_are_refused():
    transformer = _transformer()
    with pytest.raises(ValueError, match="'image' is no input of the net; its inputs are data"):
        transformer.preprocess("image", IMAGE)
    with pytest.raises(ValueError, match="has 3 axes"):
        transformer.set_transpose("data", (1, 0))
    with pytest.raises(ValueError, match="has 3 channels"):
        transformer.set_channel_swap("data", (1, 0))
    with pytest.raises(ValueError, match="a mean of 2 channels"):
        transformer.set_mean("data", np.zeros(2))
    with pytest.raises(ValueError, match=r"a mean of shape \(4, 6\), expected"):
        transformer.set_mean("data", np.zeros((4, 6)))


def test_mean_of_a_grey_image_needs_no_channel():
    transformer = io.Transformer({"data": (1, 1, 4, 6)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", IMAGE[:, :, 0])
    assert not transformer.preprocess("data", IMAGE[:, :, :1]).any()


def test_mean_of_one_value_keeps_it_at_any_size():
    pytest.importorskip("skimage.transform")
    transformer = _transformer()
    transformer.set_mean("data", np.full((3, 8, 8), 5.0))
    assert np.array_equal(transformer.mean["data"], np.full((3, 4, 6), 5.0))


@pytest.mark.parametrize(("module", "channels"), [("skimage.transform", 3), ("scipy.ndimage", 2)])
def test_missing_image_library_is_named(module: str, channels: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}: pip install scikit-image scipy"):
        io.resize_image(np.arange(12.0 * channels).reshape(3, 4, channels), (2, 2))


def test_oversample_takes_corners_centre_and_mirrors():
    crops = io.oversample([IMAGE, IMAGE + 1], (2, 3))
    assert crops.shape == (20, 2, 3, 3)
    assert np.array_equal(crops[1], IMAGE[:2, 3:])
    assert np.array_equal(crops[4], IMAGE[1:3, 1:4])
    assert np.array_equal(crops[5:10], crops[:5, :, ::-1])
    assert np.array_equal(crops[10:], crops[:10] + 1)


def test_image_files_are_read_as_rgb_or_grey(tmp_path: Path):
    skimage_io = pytest.importorskip("skimage.io")
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
    skimage_io.imsave(tmp_path / "rgb.png", pixels, check_contrast=False)
    skimage_io.imsave(tmp_path / "grey.png", pixels[:, :, 0], check_contrast=False)
    assert io.load_image(str(tmp_path / "rgb.png")) == pytest.approx(pixels / 255)
    assert io.load_image(str(tmp_path / "grey.png"))[:, :, 2] == pytest.approx(pixels[:, :, 0] / 255)
    assert io.load_image(str(tmp_path / "rgb.png"), color=False).shape == (2, 3, 1)
