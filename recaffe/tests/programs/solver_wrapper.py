"""A solver in a wrapper, fed by a Python data layer that is handed its records, as detectors are trained."""
# ruff: noqa - written as programs for pycaffe are

import os

import caffe
import google.protobuf as pb2
import google.protobuf.text_format
import numpy as np
from caffe.proto import caffe_pb2

NET = """
name: "regressor"
layer { name: "data" type: "Python" top: "data" top: "labels"
  python_param { module: "toy_layers" layer: "RecordsLayer" param_str: "{'batch_size': 4, 'shape': (3, 6, 6)}" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "gain" type: "Python" bottom: "conv" top: "gain"
  python_param { module: "toy_layers" layer: "ScaleByWeightLayer" param_str: "1.5" } }
layer { name: "pred" type: "InnerProduct" bottom: "gain" top: "pred"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.05 } } }
layer { name: "loss" type: "Python" bottom: "pred" bottom: "labels" top: "loss" loss_weight: 0.5
  python_param { module: "toy_layers" layer: "SquaredLossLayer" } }
"""
SOLVER = """
train_net: "train.prototxt"
base_lr: 0.02 lr_policy: "step" gamma: 0.5 stepsize: 6 momentum: 0.9 weight_decay: 0.001
display: 0 snapshot: 0 snapshot_prefix: "regressor" iter_size: 2 random_seed: 3
"""


class SolverWrapper(object):
    def __init__(self, solver_prototxt, records, output_dir, pretrained_model=None):
        self.output_dir = output_dir
        self.scale = np.array([2.0, 3.0, 4.0])
        self.solver = caffe.SGDSolver(solver_prototxt)
        if pretrained_model is not None:
            self.solver.net.copy_from(pretrained_model)
        self.solver_param = caffe_pb2.SolverParameter()
        with open(solver_prototxt) as f:
            pb2.text_format.Merge(f.read(), self.solver_param)
        self.solver.net.layers[0].set_records(records)

    def snapshot(self):
        net = self.solver.net
        kept = [blob.data.copy() for blob in net.params["pred"]]
        net.params["pred"][0].data[...] = net.params["pred"][0].data * self.scale[:, np.newaxis]
        net.params["pred"][1].data[...] = net.params["pred"][1].data * self.scale
        filename = self.solver_param.snapshot_prefix + "_iter_{:d}".format(self.solver.iter) + ".caffemodel"
        filename = os.path.join(self.output_dir, filename)
        net.save(str(filename))
        for blob, data in zip(net.params["pred"], kept):
            blob.data[...] = data
        return filename

    def train_model(self, max_iters):
        model_paths = []
        while self.solver.iter < max_iters:
            self.solver.step(1)
            print("iter", self.solver.iter, "loss", float(self.solver.net.blobs["loss"].data[0]))
            if self.solver.iter % 5 == 0:
                model_paths.append(self.snapshot())
        return model_paths


caffe.set_mode_cpu()
with open("train.prototxt", "w") as f:
    f.write(NET)
with open("solver.prototxt", "w") as f:
    f.write(SOLVER)
numbers = np.random.RandomState(0)
records = [(numbers.randn(3, 6, 6), numbers.randn(3)) for _ in range(10)]
paths = SolverWrapper("solver.prototxt", records, ".").train_model(10)
wrapper = SolverWrapper("solver.prototxt", records, ".", pretrained_model=paths[-1])
for name, blobs in wrapper.solver.net.params.items():
    for index, blob in enumerate(blobs):
        print(name, index, blob.shape[0], *blob.data.ravel()[:6].tolist())
print("python layers", [layer.type for layer in wrapper.solver.net.layers].count("Python"))
