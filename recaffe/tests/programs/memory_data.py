"""A net that is fed by set_input_arrays."""
# ruff: noqa - written as programs for pycaffe are

import caffe
import numpy as np

with open("net.prototxt", "w") as f:
    f.write("""
layer { name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } transform_param { scale: 2 mirror: true } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
""")
caffe.set_mode_cpu()
caffe.set_random_seed(4)
net = caffe.Net("net.prototxt", caffe.TRAIN)
print([tuple(blob.data.shape) for blob in net.blobs.values()], net.inputs)
numbers = np.random.RandomState(0)
data = numbers.randn(6, 3, 4, 5).astype(np.float32)
labels = np.array([0, 1, 2, 3, 0, 1], np.float32)
net.set_input_arrays(data, labels)
for _ in range(4):
    print("loss", float(net.forward()["loss"]), *net.blobs["label"].data.ravel().tolist())
print([tuple(blob.data.shape) for blob in net.blobs.values()])
data[2:4] = 1
print("changed", float(net.forward()["loss"]), float(net.blobs["data"].data.sum()))
net.set_input_arrays(data[4:], labels[4:].reshape(2, 1, 1, 1))
print("again", float(net.forward()["loss"]), *net.blobs["label"].data.ravel().tolist())
for wrong in (
    (data[::2], labels[::2]),
    (data.astype(np.float64), labels),
    (data[:5], labels[:5]),
    (data[:4], labels),
    (data[:, :2].copy(), labels),
    (data.reshape(6, 60), labels),
    (data, labels.astype(int)),
):
    try:
        net.set_input_arrays(*wrong)
        print("accepted")
    except RuntimeError:
        print("refused")
