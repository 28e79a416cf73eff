"""All layer types: the one place that lists the classes."""

from __future__ import annotations

from typing import Any

from recaffe.errors import NetError
from recaffe.layers.accuracy import Accuracy
from recaffe.layers.activations import BNLL, Sigmoid, Swish, TanH
from recaffe.layers.base import Layer
from recaffe.layers.convolution import Convolution, Deconvolution
from recaffe.layers.cross_entropy import InfogainLoss, SigmoidCrossEntropyLoss
from recaffe.layers.dummy_data import DummyData
from recaffe.layers.eltwise import Eltwise
from recaffe.layers.hdf5_data import HDF5Data, HDF5Output
from recaffe.layers.im2col import Im2col
from recaffe.layers.image_data import ImageData
from recaffe.layers.inner_product import Embed, InnerProduct
from recaffe.layers.inputs import Data, Input
from recaffe.layers.losses import ContrastiveLoss, EuclideanLoss, HingeLoss, MultinomialLogisticLoss
from recaffe.layers.lrn import LRN
from recaffe.layers.lstm import LSTM, LSTMUnit
from recaffe.layers.memory_data import MemoryData
from recaffe.layers.neuron import Dropout
from recaffe.layers.normalise import MVN, BatchNorm
from recaffe.layers.plumbing import Concat, Flatten, Parameter, Silence, Split
from recaffe.layers.pooling import Pooling
from recaffe.layers.powers import Exp, Log, Power
from recaffe.layers.python_layer import Python
from recaffe.layers.rectifiers import ELU, AbsVal, Clip, PReLU, ReLU, Threshold
from recaffe.layers.reduction import ArgMax, Reduction
from recaffe.layers.reshaping import Crop, Reshape, Slice, Tile
from recaffe.layers.rnn import RNN
from recaffe.layers.scale import Bias, Scale
from recaffe.layers.selection import BatchReindex, Filter
from recaffe.layers.softmax import Softmax, SoftmaxWithLoss
from recaffe.layers.spp import SPP
from recaffe.layers.window_data import WindowData
from recaffe.proto import dialects
from recaffe.proto.text import nearest_name

_CLASSES: dict[str, type[Layer]] = {
    layer_class.__name__: layer_class
    for layer_class in (
        AbsVal,
        Accuracy,
        ArgMax,
        BNLL,
        BatchNorm,
        BatchReindex,
        Bias,
        Clip,
        Concat,
        ContrastiveLoss,
        Convolution,
        Crop,
        Data,
        Deconvolution,
        Dropout,
        DummyData,
        ELU,
        Eltwise,
        Embed,
        EuclideanLoss,
        Exp,
        Filter,
        Flatten,
        HDF5Data,
        HDF5Output,
        HingeLoss,
        Im2col,
        ImageData,
        InfogainLoss,
        InnerProduct,
        Input,
        LRN,
        LSTM,
        LSTMUnit,
        Log,
        MVN,
        MemoryData,
        MultinomialLogisticLoss,
        PReLU,
        Parameter,
        Pooling,
        Power,
        Python,
        RNN,
        ReLU,
        Reduction,
        Reshape,
        SPP,
        Scale,
        Sigmoid,
        SigmoidCrossEntropyLoss,
        Silence,
        Slice,
        Softmax,
        SoftmaxWithLoss,
        Split,
        Swish,
        TanH,
        Threshold,
        Tile,
        WindowData,
    )
}


def create_layer(param: Any) -> Layer:
    """The layer that a LayerParameter describes.

    Raises NetError for an unknown type, naming the dialect it belongs to, or the nearest known one.
    """
    if param.type not in _CLASSES:
        hint = dialects.of_layer_type(param.type) or nearest_name(param.type, layer_type_list())
        raise NetError(f"layer {param.name!r} has the unknown type {param.type!r}; {hint}")
    return _CLASSES[param.type](param)


def layer_type_list() -> list[str]:
    """The types that nets may use, sorted."""
    return sorted(_CLASSES)
