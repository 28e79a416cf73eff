"""Every method and field of caffe.Net and caffe.Blob, in turn."""
# ruff: noqa - written as programs for pycaffe are

import os
from collections import OrderedDict

import caffe
import numpy as np

NET = """
name: "details" force_backward: true
layer { name: "data" type: "Input" top: "data" top: "aux"
  input_param { shape { dim: 3 dim: 2 } shape { dim: 3 dim: 4 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "shared" lr_mult: 1 } param { lr_mult: 0 }
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "tanh" type: "TanH" bottom: "a" top: "a" }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "aux" top: "sum" eltwise_param { coeff: 1 coeff: -2 } }
layer { name: "b" type: "InnerProduct" bottom: "sum" top: "b" include { stage: "deep" }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "l1" type: "Reduction" bottom: "a" top: "l1" loss_weight: 0.25 exclude { min_level: 2 }
  reduction_param { operation: ASUM axis: 1 } }
"""


def show(name, values):
    print(name, *np.ravel(values).astype(float).tolist())


def failure(call):
    try:
        call()
    except Exception as error:
        return isinstance(error, (RuntimeError, ValueError, KeyError)) or type(error) is Exception
    return "none"


caffe.set_mode_cpu()
caffe.set_random_seed(21)
with open("net.prototxt", "w") as f:
    f.write(NET)
net = caffe.Net(network_file="net.prototxt", phase=caffe.TRAIN, level=1, stages=["deep", "wide"], weights=None)
shallow = caffe.Net("net.prototxt", caffe.TEST, level=2, stages=[])
print(list(shallow.blobs), shallow.outputs)
print(
    list(net.blobs),
    net.inputs,
    net.outputs,
    list(net.params),
    [type(d) is OrderedDict for d in (net.blobs, net.params)],
)
print(list(net.blob_loss_weights.items()))
print(list(net.bottom_names.items()), list(net.top_names.items()))
print(
    [list(net._bottom_ids(i)) for i in range(len(net.layers))], [list(net._top_ids(i)) for i in range(len(net.layers))]
)
print(list(net._layer_names), list(net._blob_names), list(net._inputs), list(net._outputs), len(net._blobs))
print([layer.type for layer in net.layers], [len(layer.blobs) for layer in net.layers])
print([hasattr(net.layer_dict["a"], name) for name in ("setup", "reshape", "blobs", "type")])

numbers = np.random.RandomState(6)
data, aux = numbers.randn(7, 2), numbers.randn(7, 4)
out = net.forward(data=data[:3], aux=aux[:3])
print(sorted(out), type(out) is dict)
show("b", out["b"])
show("l1", out["l1"])
out = net.forward(["a", "sum"], "sum", "b")
print(sorted(out))
print("loss", net._forward(0, len(net.layers) - 1), net._forward(2, 3))
net.clear_param_diffs()
net.blobs["b"].diff[...] = 1
down = net.backward(["sum"])
print(sorted(down))
for name in sorted(down):
    show(name, down[name])
show("weights' diff", net.params["a"][0].diff)
net._backward(len(net.layers) - 1, 1)
show("twice", net.params["b"][0].diff)
part = net.backward(start="b", end="b", diffs=["a"])
print(sorted(part))
net.clear_param_diffs()
show("cleared", net.params["a"][0].diff)

every = net.forward_all(blobs=["sum"], data=data, aux=aux)
for name in sorted(every):
    print(name, every[name].shape)
    show(name, every[name])
outs, diffs = net.forward_backward_all(
    blobs=["a"], diffs=["a"], data=data, aux=aux, b=numbers.randn(7, 2), l1=numbers.randn(7)
)
for name in sorted(diffs):
    print(name, np.shape(diffs[name]))
    show(name, diffs[name])
print(sorted(outs), [sorted(batch) for batch in net._batch({"data": data})], net.blobs["data"].num)

for name in ("before_forward", "after_forward", "before_backward", "after_backward"):
    getattr(net, name)(lambda layer, name=name: print(name, layer))
net.forward(start="tanh", end="sum")
net.backward(start="sum", end="tanh")

other = caffe.Net("net.prototxt", caffe.TEST, stages=["deep"])
other.share_with(net)
net.params["a"][0].data[0, 0] = 8
print("shared", float(other.params["a"][0].data[0, 0]))
net.save("weights.caffemodel")
net.save_hdf5("weights.h5")
for file, load in (("weights.caffemodel", "copy_from"), ("weights.h5", "load_hdf5"), ("weights.h5", "copy_from")):
    again = caffe.Net("net.prototxt", caffe.TEST, stages=["deep"])
    getattr(again, load)(file)
    print(file, load, float(again.params["a"][0].data[0, 0]), os.path.exists(file))

blob = net.blobs["data"]
print(list(blob.shape), blob.num, blob.channels, blob.height, blob.width, blob.count, blob.data.dtype, blob.diff.shape)
print(tuple(blob.shape) == blob.data.shape, blob.data.flags.c_contiguous)
blob.reshape(1, 2)
net.blobs["aux"].reshape(1, 4)
net.reshape()
print([list(b.shape) for b in net.blobs.values()])
turned = np.asfortranarray(numbers.randn(1, 2))
show("turned", net.forward(data=turned, aux=numbers.randn(4, 1).T)["b"])
for call in (
    lambda: net.forward(data=data[:3]),
    lambda: net.forward(data=data, aux=aux),
    lambda: net.forward(data=data[:1, :1].repeat(3, 1), aux=aux[:1]),
    lambda: net.forward(end="nowhere"),
    lambda: net.forward(blobs=["nothing"]),
    lambda: net.backward(b=data[:1]),
    lambda: caffe.Net("nowhere.prototxt", caffe.TEST),
    lambda: caffe.Net("net.prototxt", caffe.TEST, weights="nowhere.caffemodel"),
    lambda: net.set_input_arrays(data.astype(np.float32), data[:, 0].astype(np.float32)),
):
    print("fails", failure(call))
