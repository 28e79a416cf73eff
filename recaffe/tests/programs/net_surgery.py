"""Inner products made convolutions: a classifier of small images becomes one that maps large ones."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np

BODY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: %d dim: %d } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""
FC = """
layer { name: "fc6" type: "InnerProduct" bottom: "pool1" top: "fc6"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc7" top: "prob" }
"""
CONV = """
layer { name: "fc6-conv" type: "Convolution" bottom: "pool1" top: "fc6-conv"
  convolution_param { num_output: 8 kernel_size: 5 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6-conv" top: "fc6-conv" }
layer { name: "fc7-conv" type: "Convolution" bottom: "fc6-conv" top: "fc7-conv"
  convolution_param { num_output: 5 kernel_size: 1 } }
layer { name: "prob" type: "Softmax" bottom: "fc7-conv" top: "prob" }
"""
caffe.set_mode_cpu()
caffe.set_random_seed(11)
open("fc.prototxt", "w").write(BODY % (12, 12) + FC)
open("conv.prototxt", "w").write(BODY % (20, 16) + CONV)
net = caffe.Net("fc.prototxt", caffe.TEST)
net.save("fc.caffemodel")

net = caffe.Net("fc.prototxt", "fc.caffemodel", caffe.TEST)
params = ["fc6", "fc7"]
fc_params = {pr: (net.params[pr][0].data, net.params[pr][1].data) for pr in params}
for fc in params:
    print("{} weights are {} dimensional and biases are {}".format(fc, fc_params[fc][0].shape, fc_params[fc][1].shape))

net_full_conv = caffe.Net("conv.prototxt", "fc.caffemodel", caffe.TEST)
params_full_conv = ["fc6-conv", "fc7-conv"]
conv_params = {pr: (net_full_conv.params[pr][0].data, net_full_conv.params[pr][1].data) for pr in params_full_conv}
for conv in params_full_conv:
    print("{} weights are {} dimensional".format(conv, conv_params[conv][0].shape))
for pr, pr_conv in zip(params, params_full_conv):
    conv_params[pr_conv][0].flat = fc_params[pr][0].flat  # flat unrolls the arrays
    conv_params[pr_conv][1][...] = fc_params[pr][1]
net_full_conv.save("conv.caffemodel")

im = np.random.RandomState(1).rand(20, 16, 3)
transformer = caffe.io.Transformer({"data": net_full_conv.blobs["data"].data.shape})
transformer.set_mean("data", np.array([100.0, 110.0, 120.0]))
transformer.set_transpose("data", (2, 0, 1))
transformer.set_channel_swap("data", (2, 1, 0))
transformer.set_raw_scale("data", 255.0)
out = net_full_conv.forward_all(data=np.asarray([transformer.preprocess("data", im)]))
print("classes", *out["prob"][0].argmax(axis=0).ravel())
print("prob", *out["prob"][0].max(axis=0).ravel().tolist())
corner = net.forward_all(data=np.asarray([transformer.preprocess("data", im)[:, :12, :12]]))
print("corner", float(np.abs(corner["prob"][0] - out["prob"][0][:, 0, 0]).max()) < 1e-6)
