"""caffe.Detector: windows of images, with and without their surroundings."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np


class Image(np.ndarray):
    """An image that may be cut at floating point places, which pycaffe does and numpy has come to refuse."""

    def __getitem__(self, key):
        whole = lambda s: slice(int(s.start), int(s.stop)) if isinstance(s, slice) and s.start is not None else s
        return super().__getitem__(tuple(map(whole, key)) if isinstance(key, tuple) else key)


caffe.io.load_image = lambda name: np.load(name).view(Image)
open("deploy.prototxt", "w").write("""
name: "detector"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "elu" type: "ELU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
""")
caffe.set_mode_cpu()
caffe.set_random_seed(8)
caffe.Net("deploy.prototxt", caffe.TEST).save("weights.caffemodel")
numbers = np.random.RandomState(5)
for name in ("one.npy", "two.npy"):
    np.save(name, numbers.rand(30, 24, 3).astype(np.float32))
windows = [
    ("one.npy", [np.array([4, 5, 20, 16]), np.array([0, 0, 9, 9])]),
    ("two.npy", [np.array([10, 2, 29, 23])]),
]
mean = np.array([0.3, 0.4, 0.5])
for options in (
    dict(),
    dict(mean=mean, raw_scale=2.0, channel_swap=(1, 2, 0), input_scale=0.5),
    dict(context_pad=2),
    dict(mean=mean, raw_scale=2.0, channel_swap=(1, 2, 0), context_pad=1),
):
    detector = caffe.Detector("deploy.prototxt", "weights.caffemodel", **options)
    for found in detector.detect_windows(windows):
        print(sorted(found), found["filename"], *found["window"].tolist() + found["prediction"].tolist())
    print("crop", detector.crop_dims.tolist(), detector.crop(np.load("one.npy").view(Image), windows[0][1][1]).shape)
