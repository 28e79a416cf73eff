"""Python layers of the programs beside this file: a data layer that is handed its records, and a loss."""
# ruff: noqa - written as programs for pycaffe are

import ast

import caffe
import numpy as np


class RecordsLayer(caffe.Layer):
    """Batches of records (image, label) in a shuffled order of its own; top shapes follow each batch."""

    def setup(self, bottom, top):
        options = ast.literal_eval(self.param_str)
        self.batch_size = options["batch_size"]
        self.shuffle = np.random.RandomState(options.get("seed", 0))
        self.records = []
        self.order = []
        self.name_of_top = {"data": 0, "labels": 1}
        channels, height, width = options["shape"]
        top[0].reshape(1, channels, height, width)
        top[1].reshape(1, 3)

    def set_records(self, records):
        self.records = records

    def next_batch(self):
        if len(self.order) < self.batch_size:
            self.order = list(self.shuffle.permutation(len(self.records)))
        chosen = [self.records[self.order.pop()] for _ in range(self.batch_size)]
        return {"data": np.array([image for image, _ in chosen]), "labels": np.array([label for _, label in chosen])}

    def forward(self, bottom, top):
        for name, values in self.next_batch().items():
            index = self.name_of_top[name]
            top[index].reshape(*values.shape)
            top[index].data[...] = values.astype(np.float32, copy=False)

    def backward(self, top, propagate_down, bottom):
        pass

    def reshape(self, bottom, top):
        pass


class SquaredLossLayer(caffe.Layer):
    """Half the mean squared distance of two bottoms."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("two bottoms are needed")

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise Exception("both bottoms must have the same size")
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.0

    def backward(self, top, propagate_down, bottom):
        for i in range(2):
            if propagate_down[i]:
                sign = 1 if i == 0 else -1
                bottom[i].diff[...] = sign * self.diff * top[0].diff / bottom[i].num


class ScaleByWeightLayer(caffe.Layer):
    """The bottom times a weight of the layer's own, which is learned."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += np.sum(top[0].diff * bottom[0].data)
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.blobs[0].data


class IndexedImagesLayer(caffe.Layer):
    """One image and its map of classes at a time, in turn, each of its own size."""

    def setup(self, bottom, top):
        self.count = ast.literal_eval(self.param_str)["count"]
        self.index = 0

    def reshape(self, bottom, top):
        numbers = np.random.RandomState(self.index)
        height, width = 20 + 4 * self.index, 24
        self.image = numbers.randn(3, height, width)
        self.label = (numbers.rand(1, height, width) * 3).astype(int)
        top[0].reshape(1, *self.image.shape)
        top[1].reshape(1, *self.label.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.image
        top[1].data[...] = self.label
        self.index = (self.index + 1) % self.count

    def backward(self, top, propagate_down, bottom):
        pass
