"""Classification step by step, looking at every blob and weight on the way, and features of many images."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

n = caffe.NetSpec()
n.data = L.Input(input_param={"shape": {"dim": [10, 3, 15, 15]}})
n.conv1 = L.Convolution(n.data, kernel_size=5, stride=2, num_output=6, group=3, weight_filler={"type": "xavier"})
n.relu1 = L.ReLU(n.conv1, in_place=True)
n.norm1 = L.LRN(n.relu1, local_size=3, alpha=1e-2, beta=0.75)
n.pool1 = L.Pooling(n.norm1, kernel_size=3, stride=2, pool=P.Pooling.MAX)
n.fc6 = L.InnerProduct(n.pool1, num_output=7, weight_filler={"type": "gaussian", "std": 0.1})
n.drop6 = L.Dropout(n.fc6, in_place=True)
n.prob = L.Softmax(n.drop6)
open("deploy.prototxt", "w").write("name: 'looked_at'\n" + str(n.to_proto()))

caffe.set_mode_cpu()
caffe.set_random_seed(5)
net = caffe.Net("deploy.prototxt", caffe.TEST)
mu = np.array([104.0, 117.0, 123.0])
transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
transformer.set_transpose("data", (2, 0, 1))
transformer.set_mean("data", mu)
transformer.set_raw_scale("data", 255)
transformer.set_channel_swap("data", (2, 1, 0))
net.blobs["data"].reshape(4, 3, 15, 15)
image = np.random.RandomState(2).rand(15, 15, 3).astype(np.float32)
net.blobs["data"].data[...] = transformer.preprocess("data", image)
output = net.forward()
output_prob = output["prob"][0]
print("predicted class is:", output_prob.argmax())
top_inds = output_prob.argsort()[::-1][:5]
for prob, index in zip(output_prob[top_inds], top_inds):
    print(float(prob), index)
for layer_name, blob in net.blobs.items():
    print(layer_name + "\t" + str(tuple(blob.data.shape)))
for layer_name, param in net.params.items():
    print(layer_name + "\t" + str(tuple(param[0].data.shape)), str(tuple(param[1].data.shape)))
filters = net.params["conv1"][0].data
print("filters", *filters.transpose(0, 2, 3, 1)[0, 0].ravel().tolist())
print("fc6", *net.blobs["fc6"].data[0].tolist())
print("again", *transformer.deprocess("data", net.blobs["data"].data[0])[0, 0].tolist())

images = np.random.RandomState(3).randn(9, 3, 15, 15)
features = net.forward_all(blobs=["fc6", "pool1"], data=images)
for name in sorted(features):
    print("all", name, features[name].shape, *features[name][-1].ravel()[:4].tolist())
partial = net.forward(start="fc6", end="fc6")
print("partial", sorted(partial), float(partial["fc6"].sum()))
print([(layer.type, len(layer.blobs)) for layer in net.layers], net.inputs, net.outputs)
print(dict(net.bottom_names)["fc6"], dict(net.top_names)["fc6"], list(net.layer_dict)[:3])
