"""A net written, loaded, edited as text, as message and as weights, and saved."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2
from google.protobuf import text_format


def show(name, values):
    print(name, *np.ravel(values).astype(float).tolist())


n = caffe.NetSpec()
n.data = L.Input(shape=[dict(dim=[2, 1, 8, 8])])
n.conv = L.Convolution(n.data, num_output=2, kernel_size=3, bias_filler=dict(type="constant", value=0.5))
n.pool = L.Pooling(n.conv, pool=P.Pooling.AVE, kernel_size=2, stride=2)
n.ip = L.InnerProduct(n.pool, num_output=3, weight_filler=dict(type="uniform", min=-0.2, max=0.2))
with open("net.prototxt", "w") as f:
    f.write(str(n.to_proto()))

caffe.set_mode_cpu()
caffe.set_random_seed(2)
net = caffe.Net("net.prototxt", caffe.TRAIN)
ksize = net.params["conv"][0].data.shape[2:]
net.params["conv"][0].data[0, 0] = np.outer([1, 2, 1], [-1, 0, 1])
net.params["conv"][0].data[1] = net.params["conv"][0].data[0].transpose(0, 2, 1)
net.params["conv"][1].data[:] += [0.25, -1]
image = np.arange(128.0).reshape(2, 1, 8, 8) ** 1.5 / 100
show("edges", net.forward(data=image, end="conv")["conv"][1, :, 2, 3])
net.save("edited.caffemodel")

model = caffe_pb2.NetParameter()
with open("edited.caffemodel", "rb") as f:
    model.ParseFromString(f.read())
for layer in model.layer:
    print(layer.name, layer.type, [list(blob.shape.dim) for blob in layer.blobs])
weights = [layer for layer in model.layer if layer.name == "ip"][0].blobs[0]
show("stored", caffe.io.blobproto_to_array(weights)[0, :4])
weights.data[0] = 7
with open("edited.caffemodel", "wb") as f:
    f.write(model.SerializeToString())

param = caffe_pb2.NetParameter()
with open("net.prototxt") as f:
    text_format.Merge(f.read(), param)
param.name = "twice"
param.force_backward = True
added = param.layer.add()
added.CopyFrom(param.layer[3])
added.name = "ip_new"
del added.top[:]
added.top.append("ip_new")
added.inner_product_param.num_output = 2
with open("twice.prototxt", "w") as f:
    f.write(str(param))
net = caffe.Net("twice.prototxt", caffe.TEST, weights="edited.caffemodel")
show("ip", net.forward(data=image)["ip"])
print(sorted(net.outputs), list(net.blobs), net.params["ip"][0].data[0, 0])
net.params["ip_new"][0].data[...] = net.params["ip"][0].data[:2]
net.blobs["ip"].diff[...] = 1
net.blobs["ip_new"].diff[...] = 0
show("down", net.backward()["data"][0, 0, 3])
show("gradient", net.params["conv"][1].diff)
batch = caffe.io.arraylist_to_blobprotovector_str([image[0], image[1]])
show("vector", caffe.io.blobprotovector_str_to_arraylist(batch)[1][0, 7])
datum = caffe.io.array_to_datum((image[0]).astype(np.uint8), 4)
show("datum", caffe.io.datum_to_array(datum)[0, 7])
print(datum.label, datum.channels, datum.height, datum.width)
