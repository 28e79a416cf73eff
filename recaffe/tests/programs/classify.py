"""caffe.Classifier with ten crops and with the centre crop."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np

open("deploy.prototxt", "w").write("""
name: "classifier" input: "data" input_dim: 3 input_dim: 3 input_dim: 12 input_dim: 10
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 stride: 2 weight_filler { type: "msra" } } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
""")
caffe.set_mode_cpu()
caffe.set_random_seed(1)
caffe.Net("deploy.prototxt", caffe.TEST).save("weights.caffemodel")

numbers = np.random.RandomState(4)
mean = numbers.rand(3, 20, 18) * 30 + 100
classifier = caffe.Classifier(
    "deploy.prototxt", "weights.caffemodel", image_dims=(17, 16), mean=mean, raw_scale=255.0, channel_swap=(2, 1, 0)
)
images = [numbers.rand(25, 21, 3).astype(np.float32), numbers.rand(14, 30, 3).astype(np.float32)]
for oversample in (True, False):
    predictions = classifier.predict(images, oversample)
    for row in predictions:
        print("oversample", oversample, row.argmax(), *row.tolist())
plain = caffe.Classifier("deploy.prototxt", "weights.caffemodel", input_scale=0.5)
print("plain", *plain.predict(images[:1]).ravel().tolist())
grey = caffe.io.resize_image(numbers.rand(9, 7, 1), (5, 6))
print("grey", grey.shape, *grey.ravel()[:5].tolist())
four = caffe.io.resize_image(numbers.rand(9, 7, 4), (5, 6))
print("four channels", four.shape, *four.ravel()[:5].tolist())
