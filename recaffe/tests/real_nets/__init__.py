"""Nets of the papers, in their published layout, written with recaffe's own net_spec, at a fraction of their width.

Each module has functions that return a NetSpec with Input layers `data` and `label` (or others) and losses; NETS lists
them at sizes that a test can train: studies train nets like these, so one step of each is compared with real Caffe.
"""

from __future__ import annotations

from collections.abc import Callable

from recaffe.net_spec import NetSpec

from . import alexnet, fcn, googlenet, lstm, resnet, squeezenet, vgg

NETS: dict[str, Callable[[], NetSpec]] = {
    "AlexNet": lambda: alexnet.alexnet(size=67, width=8, classes=10),
    "CaffeNet": lambda: alexnet.caffenet(size=67, width=8, classes=10),
    "R-CNN": lambda: alexnet.rcnn(size=67, width=8, classes=10),
    "VGG-16": lambda: vgg.vgg16(size=32, width=16, classes=10),
    "GoogLeNet": lambda: googlenet.googlenet(size=80, width=8, classes=10),
    "ResNet-50": lambda: resnet.resnet50(size=65, width=16, classes=10),
    "SqueezeNet": lambda: squeezenet.squeezenet(size=63, width=8, classes=10),
    "FCN-8s": lambda: fcn.fcn8s(size=24, width=16, classes=5),
    "LSTM": lambda: lstm.captioner(steps=4, batch=3, words=12, width=8),
}
